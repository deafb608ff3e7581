"""The figures of a report: its data as charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gnas.evaluation import Evaluation, Objective
from gnas.report.ablation import Change
from gnas.report.chart import Axis, Chart, Mark, Row, RowChart, Series
from gnas.report.compare import ComparisonRow
from gnas.report.data import ReportData
from gnas.report.importance import Importances
from gnas.report.portrait import Portrait
from gnas.report.progress import Front, Step
from gnas.report.scale import Unit
from gnas.report.text import axis_cost, clock, cost, duration, label, number, plus_minus, shorten

_MOST_ROWS = 20
_TONES = {"finalist": 0, "ensemble": 0, "baseline": 2, "default_network": 3, "random_search": 1, "random_ensemble": 1}


def progress_chart(data: ReportData, *, by_seconds: bool) -> Chart:
    """Best so far of the search and of random search, against evaluations or against seconds spent in them."""
    name = data.objective.name
    studies = [("search", data.search_steps, 0), ("random search", data.random_steps, 1)]
    series: list[Series] = []
    for title, steps, tone in studies:
        if not steps:
            continue
        marks = [
            Mark(_x(s, by_seconds), s.value, _step_text(s, title, name)) for s in steps if s.evaluation.status == "ok"
        ]
        series.append(Series(title, "points", tuple(marks), tone))
        series.append(Series(f"{title}, best so far", "step", _steps(steps, by_seconds), tone))
    axis = (
        Axis("time in evaluations, summed over workers", zero=True, unit="seconds", form=clock)
        if by_seconds
        else Axis("evaluations", zero=True)
    )
    place = "seconds" if by_seconds else "evaluations"
    return Chart(f"Best so far against {place}", axis, Axis(f"validation {name}", robust=True), tuple(series))


def front_chart(front: Front, data: ReportData) -> Chart:
    """Objective against a cost, with the front as a line and the chosen architecture marked."""
    name = data.objective.name
    chosen = {row.digest for row in data.comparison if row.chosen}

    def mark(evaluation: Evaluation, strong: bool) -> Mark:
        text = f"trial {evaluation.number}: {name} {number(evaluation.values[name])}"
        text += f", {label(front.cost)} {cost(front.cost, evaluation.values[front.cost])}"
        return Mark(evaluation.values[front.cost], evaluation.values[name], text, strong)

    pairs = list(zip(front.evaluations, front.on_front, strict=True))
    edge = sorted((e for e, on in pairs if on), key=lambda e: e.values[front.cost])
    series = [
        Series("evaluated", "points", tuple(mark(e, False) for e, on in pairs if not on and e.digest not in chosen), 5),
        Series("Pareto front", "step", tuple(mark(e, True) for e in edge), 0),
        Series("chosen finalist", "points", tuple(mark(e, True) for e, _ in pairs if e.digest in chosen), 4),
    ]
    unit: Unit = "bytes" if front.cost == "memory_bytes" else "number"
    x = Axis(_axis_label(front.cost), log=True, unit=unit, form=lambda value: axis_cost(front.cost, value))
    shown = tuple(s for s in series if s.marks)
    return Chart(f"{name} against {label(front.cost)}", x, Axis(f"validation {name}", robust=True), shown)


def comparison_chart(rows: Sequence[ComparisonRow], objective: Objective) -> RowChart:
    """Test value of every contender with its standard deviation over seeds."""
    found: list[Row] = []
    for row in rows:
        value = row.test.get(objective.name)
        if value is None:
            continue
        sd = value.sd or 0.0
        text = f"{row.title}: {plus_minus(value.mean, value.sd)}"
        tone = 4 if row.chosen else _TONES[row.kind]
        found.append(Row(shorten(row.title, 34), value.mean, text, value.mean - sd, value.mean + sd, tone))
    return RowChart(
        f"Test {objective.name}, mean ± standard deviation over seeds", Axis(f"test {objective.name}"), tuple(found)
    )


def importance_chart(found: Importances) -> RowChart:
    """Importance of the choices as bars."""
    rows = [
        Row(shorten(c.name, 34), c.importance, f"{c.name}: {c.importance:.1%}")
        for c in found.contributions[:_MOST_ROWS]
    ]
    return RowChart(
        "Importance of the choices", Axis("share of importance", form=lambda v: f"{v:.0%}"), tuple(rows), True
    )


def change_chart(changes: Sequence[Change], objective: Objective, *, title: str) -> RowChart:
    """Difference each one-choice change makes to the winner, the largest first."""
    largest = sorted(changes, key=lambda change: -abs(change.difference))[:_MOST_ROWS]
    rows = [
        Row(
            shorten(f"{change.choice} → {change.after}", 38),
            change.difference,
            _change_text(change),
            None if change.sd is None else change.difference - change.sd,
            None if change.sd is None else change.difference + change.sd,
            2 if change.worse else 1,
        )
        for change in largest
    ]
    better = "left" if objective.direction == "minimize" else "right"
    axis = Axis(f"difference in validation {objective.name} (better is {better} of 0)", zero=True)
    return RowChart(title, axis, tuple(rows))


def curve_chart(portraits: Iterable[Portrait], objective: Objective) -> Chart:
    """Validation value after each epoch of the best architectures, as trained in the search."""
    series = tuple(
        Series(
            portrait.title,
            "line",
            tuple(Mark(float(epoch), value) for epoch, value in enumerate(portrait.evaluation.curve, start=1)),
            tone % 6,
        )
        for tone, portrait in enumerate(portraits)
        if len(portrait.evaluation.curve) > 1
    )
    return Chart("Training curves", Axis("epoch"), Axis(f"validation {objective.name}"), series)


def _axis_label(name: str) -> str:
    return "latency, ms" if name == "latency_ms" else label(name)


def _x(step: Step, by_seconds: bool) -> float:
    return step.seconds if by_seconds else float(step.trial)


def _steps(steps: Sequence[Step], by_seconds: bool) -> tuple[Mark, ...]:
    return tuple(Mark(_x(step, by_seconds), step.best) for step in steps)


def _step_text(step: Step, title: str, name: str) -> str:
    best = f"best so far {number(step.best)}"
    return f"{title}, trial {step.evaluation.number}: {name} {number(step.value)}, {best}, {duration(step.seconds)}"


def _change_text(change: Change) -> str:
    spread = "" if change.sd is None else f" ± {number(change.sd)}"
    return f"{change.choice}: {change.before} → {change.after}: {_signed(change.difference)}{spread}"


def _signed(value: float) -> str:
    return number(value, signed=True)
