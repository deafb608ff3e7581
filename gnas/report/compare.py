"""The final comparison as a table: spread over seeds and paired differences from the chosen finalist."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Literal

from gnas.evaluation import Direction, Objective
from gnas.results import FinalRow, RowKind, RunResults

Standing = Literal["beats", "ahead", "behind", "same"]
"""`beats`: better, the difference's interval excludes zero; `ahead`: better in the mean only; `behind`: not better;
`same`: the other is the same architecture."""

_ORDER: tuple[RowKind, ...] = (
    "finalist",
    "ensemble",
    "baseline",
    "default_network",
    "random_search",
    "random_ensemble",
)
_COVERAGE = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and sample standard deviation over `n` seeds; `sd` is None for a single seed."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Chosen finalist minus other, in the objective's units, on the test split.

    Attributes:
        mean: Mean difference.
        low, high: 95 % t interval; None where fewer than two values make it impossible.
        n: Pairs, or the smaller sample where unpaired.
        paired: Whether values of equal seeds were subtracted. Otherwise Welch's interval is given.
        standing: How the finalist stands against the other.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    paired: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One line of the final comparison.

    Attributes:
        kind, name: As in `FinalRow`.
        chosen: Whether it is the exported finalist, from which differences are taken.
        digest: Of the architecture, empty for baselines.
        trial: Its number in its study, −1 if none.
        n: Seeds that ended well; `failed`: those that did not.
        validation, test: Metrics over seeds.
        costs: Means of the costs over seeds.
        difference: Chosen finalist minus this row on the objective; None for the chosen row or without values.
        seconds, cpu_seconds: Summed over seeds.
        reasons: Distinct reasons of the failures.
    """

    kind: RowKind
    name: str
    chosen: bool
    digest: str
    trial: int
    n: int
    failed: int
    validation: Mapping[str, Spread] = field(default_factory=dict)
    test: Mapping[str, Spread] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    difference: Difference | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reasons: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, with where it comes from where the name does not say it."""
        return f"{self.name} (random search)" if self.kind == "random_ensemble" else self.name


def objective_of(results: RunResults) -> Objective:
    """The objective a results record speaks of."""
    direction: Direction = "maximize" if results.direction == "maximize" else "minimize"
    return Objective(results.objective, direction)


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of at least one value."""
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def chosen_name(results: RunResults) -> str:
    """The finalist that stands for the search: the exported one, or the best on validation so far; empty if none."""
    groups = _groups(results.finals)
    names = [name for kind, name in groups if kind == "finalist"]
    if results.chosen in names:
        return results.chosen
    return best_on_validation(results, "finalist")


def best_on_validation(results: RunResults, kind: RowKind) -> str:
    """Name of the best group of a kind by mean validation objective; empty if none ended well."""
    objective = objective_of(results)
    best: tuple[float, str] | None = None
    for (group_kind, name), rows in _groups(results.finals).items():
        values = [row.validation[objective.name] for row in _good(rows, objective) if objective.name in row.validation]
        if group_kind != kind or not values:
            continue
        mean = fmean(values)
        if best is None or objective.better(mean, best[0]):
            best = mean, name
    return best[1] if best else ""


def comparison_table(results: RunResults) -> list[ComparisonRow]:
    """The final comparison: one row per contender, the chosen finalist first.

    Args:
        results: A finished run's results, or a partial record of an interrupted one.

    Returns:
        Rows ordered by kind (finalists, ensembles, baselines, default network, random search), each with mean and
        standard deviation over retraining seeds, and the difference `chosen finalist − row` paired by seed.
    """
    objective = objective_of(results)
    groups = _groups(results.finals)
    chosen = chosen_name(results)
    reference = groups.get(("finalist", chosen), [])
    rows = [_row(key, members, objective, chosen, reference) for key, members in groups.items()]
    return sorted(rows, key=lambda row: (_ORDER.index(row.kind), not row.chosen))


def difference(ours: Mapping[int, float], theirs: Mapping[int, float], objective: Objective) -> Difference | None:
    """Difference `ours − theirs` of values by seed, with a 95 % t interval.

    Values of shared seeds are paired. Without a shared seed the samples are independent and Welch's interval is given.

    Returns:
        None where either side has no value.
    """
    if not ours or not theirs:
        return None
    shared = sorted(ours.keys() & theirs.keys())
    if shared:
        gaps = [ours[seed] - theirs[seed] for seed in shared]
        mean, n = fmean(gaps), len(gaps)
        error = stdev(gaps) / math.sqrt(n) if n > 1 else None
        freedom = float(n - 1)
    else:
        mean, n = fmean(ours.values()) - fmean(theirs.values()), min(len(ours), len(theirs))
        error, freedom = _welch(list(ours.values()), list(theirs.values()))
    low, high = _interval(mean, error, freedom)
    return Difference(mean, low, high, n, bool(shared), _standing(mean, low, high, objective))


def _welch(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float | None, float]:
    """Standard error and Welch–Satterthwaite degrees of freedom."""
    if len(ours) < 2 or len(theirs) < 2:
        return None, 0.0
    a, b = stdev(ours) ** 2 / len(ours), stdev(theirs) ** 2 / len(theirs)
    if a + b == 0.0:
        return 0.0, float(len(ours) + len(theirs) - 2)
    return math.sqrt(a + b), (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))


def _interval(mean: float, error: float | None, freedom: float) -> tuple[float | None, float | None]:
    if error is None:
        return None, None
    from scipy.stats import t

    half = float(t.ppf(0.5 + _COVERAGE / 2, freedom)) * error
    return mean - half, mean + half


def _standing(mean: float, low: float | None, high: float | None, objective: Objective) -> Standing:
    if not objective.better(mean, 0.0):
        return "behind"
    if low is None or high is None:
        return "ahead"
    return "beats" if objective.better(low, 0.0) and objective.better(high, 0.0) else "ahead"


def _groups(rows: Sequence[FinalRow]) -> dict[tuple[RowKind, str], list[FinalRow]]:
    groups: dict[tuple[RowKind, str], list[FinalRow]] = {}
    for row in rows:
        groups.setdefault((row.kind, row.name), []).append(row)
    return groups


def _good(rows: Sequence[FinalRow], objective: Objective) -> list[FinalRow]:
    return [row for row in rows if not row.reason and math.isfinite(row.test.get(objective.name, math.nan))]


def _by_seed(rows: Sequence[FinalRow], objective: Objective) -> dict[int, float]:
    return {row.seed: row.test[objective.name] for row in _good(rows, objective)}


def _row(
    key: tuple[RowKind, str],
    rows: Sequence[FinalRow],
    objective: Objective,
    chosen: str,
    reference: Sequence[FinalRow],
) -> ComparisonRow:
    kind, name = key
    good = _good(rows, objective)
    is_chosen = kind == "finalist" and name == chosen
    gap = None if is_chosen else difference(_by_seed(reference, objective), _by_seed(good, objective), objective)
    if gap is not None and rows[0].digest and rows[0].digest == reference[0].digest:
        gap = replace(gap, standing="same")
    return ComparisonRow(
        kind=kind,
        name=name,
        chosen=is_chosen,
        digest=rows[0].digest,
        trial=rows[0].trial,
        n=len(good),
        failed=len(rows) - len(good),
        validation=_spreads([row.validation for row in good]),
        test=_spreads([row.test for row in good]),
        costs={name: value.mean for name, value in _spreads([row.costs for row in good]).items()},
        difference=gap,
        seconds=sum(row.seconds for row in rows),
        cpu_seconds=sum(row.cpu_seconds for row in rows),
        reasons=tuple(dict.fromkeys(row.reason or f"no finite {objective.name}" for row in rows if row not in good)),
    )


def _spreads(records: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    names = dict.fromkeys(name for record in records for name in record)
    values = {name: [r[name] for r in records if math.isfinite(r.get(name, math.nan))] for name in names}
    return {name: spread(found) for name, found in values.items() if found}
