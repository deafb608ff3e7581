import math
from statistics import fmean, stdev
from typing import Any

import pytest
from scipy import stats

from gnas.evaluation import Objective
from gnas.report.compare import chosen_name, comparison_table, difference
from gnas.results import FinalRow, RowKind, RunResults

RMSE = Objective("rmse", "minimize")
AUROC = Objective("auroc", "maximize")


def results(*rows: FinalRow, chosen: str = "finalist 1", objective: Objective = RMSE) -> RunResults:
    return RunResults(objective.name, objective.direction, rows, chosen)


def row(
    kind: RowKind,
    name: str,
    seed: int,
    value: float | None,
    *,
    validation: float | None = None,
    reason: str = "",
    metric: str = "rmse",
    **rest: Any,
) -> FinalRow:
    test = {} if value is None else {metric: value}
    held = value if validation is None else validation
    return FinalRow(
        kind, name, seed, validation={} if held is None else {metric: held}, test=test, reason=reason, **rest
    )


def test_paired_difference_is_the_t_interval_of_the_differences() -> None:
    ours, theirs = {0: 0.60, 1: 0.70, 2: 0.65}, {2: 0.75, 0: 0.72, 1: 0.77}
    found = difference(ours, theirs, RMSE)
    assert found is not None
    gaps = [0.60 - 0.72, 0.70 - 0.77, 0.65 - 0.75]
    low, high = stats.t.interval(0.95, 2, loc=fmean(gaps), scale=stdev(gaps) / math.sqrt(3))
    assert found.paired
    assert found.n == 3
    assert (found.mean, found.low, found.high) == pytest.approx((fmean(gaps), low, high))
    assert found.standing == "beats"


def test_without_shared_seeds_the_interval_is_welchs() -> None:
    ours, theirs = {0: 0.60, 1: 0.70, 2: 0.65}, {10: 0.75, 11: 0.90}
    found = difference(ours, theirs, RMSE)
    assert found is not None
    expected = stats.ttest_ind(list(ours.values()), list(theirs.values()), equal_var=False).confidence_interval(0.95)
    assert not found.paired
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("objective", "ours", "theirs", "standing"),
    [
        (RMSE, {0: 0.5, 1: 0.51}, {0: 0.9, 1: 0.91}, "beats"),
        (RMSE, {0: 0.5, 1: 0.9}, {0: 0.9, 1: 0.6}, "ahead"),
        (RMSE, {0: 0.5}, {0: 0.9}, "ahead"),
        (RMSE, {0: 0.9}, {0: 0.5}, "behind"),
        (RMSE, {0: 0.5}, {0: 0.5}, "behind"),
        (AUROC, {0: 0.9, 1: 0.91}, {0: 0.8, 1: 0.81}, "beats"),
        (AUROC, {0: 0.8, 1: 0.81}, {0: 0.9, 1: 0.91}, "behind"),
    ],
)
def test_standing_follows_direction_and_interval(
    objective: Objective, ours: dict[int, float], theirs: dict[int, float], standing: str
) -> None:
    found = difference(ours, theirs, objective)
    assert found is not None
    assert found.standing == standing


def test_no_difference_without_values() -> None:
    assert difference({}, {0: 1.0}, RMSE) is None


def test_table_counts_seeds_and_failures_and_keeps_reasons() -> None:
    table = comparison_table(
        results(
            row("baseline", "forest", 0, 0.9),
            row("finalist", "finalist 1", 0, 0.5, costs={"n_params": 100.0}, cpu_seconds=2.0),
            row("finalist", "finalist 1", 1, 0.7, costs={"n_params": 100.0}, cpu_seconds=3.0),
            row("finalist", "finalist 1", 2, None, reason="DivergedError: NaN"),
            row("finalist", "finalist 2", 0, math.nan),
        )
    )
    assert [r.name for r in table] == ["finalist 1", "finalist 2", "forest"]
    first, second, forest = table
    assert (first.n, first.failed, first.reasons) == (2, 1, ("DivergedError: NaN",))
    assert first.test["rmse"].mean == pytest.approx(0.6)
    assert first.test["rmse"].sd == pytest.approx(stdev([0.5, 0.7]))
    assert first.chosen
    assert first.difference is None
    assert first.costs == {"n_params": 100.0}
    assert first.cpu_seconds == 5.0
    assert (second.n, second.failed, second.reasons) == (0, 1, ("no finite rmse",))
    assert second.difference is None
    assert forest.difference is not None
    assert forest.difference.mean == pytest.approx(0.5 - 0.9)
    assert forest.difference.low is None


def test_without_a_chosen_name_validation_decides_and_test_has_no_say() -> None:
    held = results(
        row("finalist", "finalist 1", 0, 0.1, validation=0.9),
        row("finalist", "finalist 2", 0, 0.9, validation=0.1),
        chosen="",
    )
    assert chosen_name(held) == "finalist 2"


def test_empty_results_have_an_empty_table() -> None:
    assert comparison_table(results()) == []
    assert chosen_name(results()) == ""


def test_the_same_architecture_is_neither_better_nor_worse() -> None:
    table = comparison_table(
        results(
            row("finalist", "finalist 1", 0, 0.5, digest="d"),
            row("random_search", "random search 1", 0, 0.5, digest="d"),
            row("default_network", "default network", 0, 0.5, digest="e"),
        )
    )
    assert [r.difference and r.difference.standing for r in table[1:]] == ["behind", "same"]
