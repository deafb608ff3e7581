"""ReportData: all a report says, computed once, so that the page and the command line say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gnas.errors import GnasError
from gnas.evaluation import Constraint, Evaluation, Objective
from gnas.illustration import Figure
from gnas.report.ablation import Ablation, measured_changes, predicted_changes
from gnas.report.compare import ComparisonRow, comparison_table
from gnas.report.importance import Importances, importances
from gnas.report.portrait import Portrait, drawable, portraits
from gnas.report.progress import (
    COSTS,
    FailureGroup,
    Front,
    Spent,
    Step,
    best_so_far,
    failures,
    fronts,
    good,
    incumbent,
    spent,
)
from gnas.report.record import RunRecord
from gnas.report.verdict import Verdict, verdict
from gnas.results import Intervals


@dataclass(frozen=True, slots=True)
class DataView:
    """The data summary as the report shows it."""

    rows: int | None = None
    used: int | None = None
    parts: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """All a report says.

    Attributes:
        name, folder, complete, objective, constraints: Of the run.
        verdict: One sentence with its tone and caveats.
        comparison: The final comparison, the chosen finalist first; `metrics`, `costs`: its columns.
        protocol: Facts about split, seeds and what the searcher saw.
        data: Summary of the data.
        search_spent, random_spent: What each study cost.
        search_steps, random_steps: Best-so-far curves.
        fronts: Objective against each cost, over the search and random search.
        portraits: The best architectures.
        importances, ablation: What the choices contributed; `ablation` is None without a good evaluation.
        failures: By reason, of the search and of random search together.
        stages, cpu_seconds, energy_kwh, versions: Of the run.
        spec_text, command: How to reproduce it.
        figures: What the task drew of the chosen finalist's predictions, checked to hold nothing active.
        intervals: Bootstrap intervals of the exported network on the test part; None where there are none.
        notes: Remarks of the run and what could not be read.
    """

    name: str
    folder: str
    complete: bool
    objective: Objective
    constraints: tuple[Constraint, ...]
    verdict: Verdict
    comparison: tuple[ComparisonRow, ...]
    metrics: tuple[str, ...]
    costs: tuple[str, ...]
    protocol: tuple[tuple[str, str], ...]
    data: DataView
    search_spent: Spent
    random_spent: Spent
    search_steps: tuple[Step, ...]
    random_steps: tuple[Step, ...]
    fronts: tuple[Front, ...]
    portraits: tuple[Portrait, ...]
    importances: Importances
    ablation: Ablation | None
    failures: tuple[FailureGroup, ...]
    stages: tuple[tuple[str, float], ...]
    cpu_seconds: float
    energy_kwh: float | None
    versions: tuple[tuple[str, str], ...]
    spec_text: str
    command: str
    figures: tuple[Figure, ...]
    intervals: Intervals | None
    notes: tuple[str, ...]


def summarise(record: RunRecord) -> ReportData:
    """All a report says of a run."""
    objective, results = record.objective, record.results
    rows = tuple(comparison_table(results))
    both = _distinct((*record.search, *record.random))
    names = dict.fromkeys(name for row in rows for name in row.test)
    evaluated = len(good(record.search, objective))
    figures, refused = _drawable(record.figures)
    return ReportData(
        name=record.name,
        folder=record.folder,
        complete=record.complete,
        objective=objective,
        constraints=record.constraints,
        verdict=verdict(rows, objective, complete=record.complete, evaluated=evaluated),
        comparison=rows,
        metrics=tuple(sorted(names, key=lambda name: name != objective.name)),
        costs=tuple(name for name in COSTS if any(name in row.costs for row in rows)),
        protocol=tuple(results.protocol.items()),
        data=data_view(results.summary, told=results.protocol),
        search_spent=spent(record.search),
        random_spent=spent(record.random),
        search_steps=best_so_far(record.search, objective),
        random_steps=best_so_far(record.random, objective),
        fronts=fronts(both, objective),
        portraits=portraits(record, rows),
        importances=importances(both, objective),
        ablation=_ablation(record, rows),
        failures=failures({"search": record.search, "random search": record.random}),
        stages=tuple(results.stages.items()),
        cpu_seconds=results.cpu_seconds,
        energy_kwh=results.energy_kwh,
        versions=tuple(results.versions.items()) or _versions(record.search),
        spec_text=record.spec_text,
        command="gnas run spec.yaml --out run",
        figures=figures,
        intervals=results.intervals,
        notes=(*results.notes, *record.remarks, *refused),
    )


def _drawable(figures: Sequence[Figure]) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """The figures that may stand in the page, and remarks on the others."""
    kept, remarks = [], []
    for number, figure in enumerate(figures):
        try:
            kept.append(replace(figure, svg=drawable(figure.svg, f"figure{number}", figure.title, pictures=True)))
        except ValueError as error:
            remarks.append(f"The figure {figure.title!r} is left out: {error}.")
    return tuple(kept), tuple(remarks)


def data_view(summary: Mapping[str, object], *, told: Mapping[str, str]) -> DataView:
    """A data summary read from JSON; parts that are absent or of another form stay empty.

    Args:
        summary: As in `RunResults.summary`.
        told: Facts that the protocol tells already and the summary need not repeat.
    """
    return DataView(
        rows=_count(summary.get("rows")),
        used=_count(summary.get("used")),
        parts=tuple((str(k), v) for k, v in _mapping(summary.get("parts")).items() if isinstance(v, int)),
        skipped=tuple(
            (str(item[0]), str(item[1]))
            for item in _sequence(summary.get("skipped"))
            if isinstance(item, (list, tuple)) and len(item) == 2
        ),
        notes=tuple(str(item) for item in _sequence(summary.get("notes"))),
        warnings=tuple(str(item) for item in _sequence(summary.get("warnings"))),
        facts=tuple((str(k), str(v)) for k, v in _mapping(summary.get("facts")).items() if k not in told),
    )


def _ablation(record: RunRecord, rows: Sequence[ComparisonRow]) -> Ablation | None:
    winner = _winner(record, rows)
    if winner is None:
        return None
    studies = {"search": record.search, "random search": record.random}
    measured = measured_changes(winner, studies, record.objective)
    if record.space is None:
        return Ablation(winner, measured, message="The space could not be read, so nothing is predicted.")
    from gnas.predictors.gp import GpPredictor

    members = (*record.search, *record.random)
    try:
        predicted, n, message = predicted_changes(winner, members, record.space, record.objective, GpPredictor())
    except (GnasError, ArithmeticError, RuntimeError, ValueError) as error:
        return Ablation(winner, measured, message=f"Nothing is predicted: {error}")
    return Ablation(winner, measured, predicted, n, message)


def _winner(record: RunRecord, rows: Sequence[ComparisonRow]) -> Evaluation | None:
    digests = {row.digest for row in rows if row.chosen}
    chosen = [e for e in good(record.search, record.objective) if e.digest in digests]
    return chosen[0] if chosen else incumbent(record.search, record.objective)


def _distinct(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    return list({(e.digest, e.status): e for e in reversed(evaluations)}.values())[::-1]


def _versions(evaluations: Sequence[Evaluation]) -> tuple[tuple[str, str], ...]:
    return tuple(evaluations[-1].versions.items()) if evaluations else ()


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()
