import math

import numpy as np
import pytest

from gnas.evaluation import Evaluation, Objective, Status
from gnas.report.progress import best_so_far, failures, fronts, incumbent, spent

RMSE = Objective("rmse", "minimize")


def evaluation(
    number: int, value: float | None = None, *, status: Status = "ok", reason: str = "", **values: float
) -> Evaluation:
    held = {**values, **({} if value is None else {"rmse": value})}
    return Evaluation(number, f"{number:032x}", (), status, held, reason, seconds=2.0, cpu_seconds=1.0)


def test_best_so_far_improves_only_and_counts_failed_evaluations_in() -> None:
    history = [
        evaluation(0, status="failed"),
        evaluation(1, 0.9),
        evaluation(2, math.nan),
        evaluation(3, 1.2),
        evaluation(4, 0.5),
    ]
    steps = best_so_far(history, RMSE)
    assert [s.trial for s in steps] == [1, 2, 3, 4, 5]
    assert [s.seconds for s in steps] == [2.0, 4.0, 6.0, 8.0, 10.0]
    np.testing.assert_array_equal([s.best for s in steps], [math.nan, 0.9, 0.9, 0.9, 0.5])
    best = incumbent(history, RMSE)
    assert best is not None
    assert best.number == 4
    assert incumbent(history[:1], RMSE) is None


def test_higher_is_better() -> None:
    steps = best_so_far([evaluation(0, 0.9), evaluation(1, 0.5)], Objective("rmse", "maximize"))
    assert [s.best for s in steps] == [0.9, 0.9]


def test_fronts_only_of_costs_that_were_measured() -> None:
    history = [evaluation(0, 0.9, n_params=10.0), evaluation(1, 0.5, n_params=20.0), evaluation(2, 0.95, n_params=30.0)]
    (front,) = fronts([*history, evaluation(3, 0.1, macs=1.0)], RMSE)
    assert front.cost == "n_params"
    assert front.on_front == (True, True, False)


def test_failures_are_grouped_by_reason_numbers_aside() -> None:
    history = [
        evaluation(0, status="failed", reason="loss became NaN in epoch 3"),
        evaluation(1, status="failed", reason="loss became NaN in epoch 12\n  a traceback"),
        evaluation(2, status="infeasible", reason="n_params 812,000 > 500,000"),
        evaluation(3, 0.4),
        evaluation(4, status="pruned"),
    ]
    groups = failures({"search": history, "random search": history[:1]})
    assert [(g.status, g.count) for g in groups] == [("failed", 3), ("infeasible", 1), ("pruned", 1)]
    assert groups[0].reason == "loss became NaN in epoch #"
    assert groups[0].trials == ("search 0", "search 1", "random search 0")
    assert groups[1].reason == "n_params 812,000 > 500,000"
    assert groups[2].reason == "no reason was recorded"


def test_spent_counts_every_status() -> None:
    found = spent([evaluation(0, 1.0), evaluation(1, status="failed"), evaluation(2, status="pruned")])
    assert (found.ok, found.failed, found.infeasible, found.pruned, found.total) == (1, 1, 0, 1, 3)
    assert (found.seconds, found.cpu_seconds) == pytest.approx((6.0, 3.0))
