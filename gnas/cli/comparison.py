"""The final comparison as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnas.cli.output import table

if TYPE_CHECKING:
    from gnas.evaluation import Objective
    from gnas.report.compare import ComparisonRow, Spread
    from gnas.results import RunResults

_KINDS = {
    "finalist": "search",
    "ensemble": "search",
    "baseline": "baseline",
    "default_network": "default network",
    "random_search": "random search",
    "random_ensemble": "random search",
}


def comparison(results: RunResults) -> str:
    """The comparison table: mean ± sd over seeds, difference of the chosen finalist to each row with its interval."""
    from gnas.report.compare import comparison_table, objective_of
    from gnas.report.text import interval_sentence

    objective = objective_of(results)
    rows = comparison_table(results)
    head = ["contender", "kind", f"validation {objective.name}", f"test {objective.name}", "seeds", "chosen − this"]
    body = [_line(row, objective) for row in rows]
    better = "lower" if objective.direction == "minimize" else "higher"
    foot = f"mean ± sd over retraining seeds; {better} is better; differences on test paired by seed, [95 % interval]"
    failed = [f"{row.name}: {row.failed} failed ({'; '.join(row.reasons)})" for row in rows if row.failed]
    held = results.intervals
    told = [] if held is None or not held.bounds else [interval_sentence(held, [objective.name])]
    return "\n".join([table(head, body), foot, *told, *failed])


def verdict_sentence(results: RunResults, evaluated: int = 1) -> str:
    """The verdict in one sentence."""
    from gnas.report.compare import comparison_table, objective_of
    from gnas.report.verdict import verdict

    return verdict(comparison_table(results), objective_of(results), complete=True, evaluated=evaluated).sentence


def _line(row: ComparisonRow, objective: Objective) -> list[str]:
    from gnas.report.text import number

    gap = row.difference
    difference = "" if gap is None else number(gap.mean, signed=True)
    if gap is not None and gap.low is not None and gap.high is not None:
        difference += f" [{number(gap.low, signed=True)}, {number(gap.high, signed=True)}]"
    return [
        f"{row.name} (chosen)" if row.chosen else row.name,
        _KINDS[row.kind],
        _spread(row.validation.get(objective.name)),
        _spread(row.test.get(objective.name)),
        str(row.n),
        difference,
    ]


def _spread(value: Spread | None) -> str:
    from gnas.report.text import number

    if value is None:
        return "–"
    return number(value.mean) if value.sd is None else f"{number(value.mean)} ± {number(value.sd)}"
