from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gnas.evaluation import Evaluation, Objective
from gnas.report import importance
from gnas.report.importance import importances

RMSE = Objective("rmse", "minimize")


def history(n: int, value: Callable[[dict[str, Any]], float], seed: int = 0) -> list[Evaluation]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n):
        deep = bool(rng.integers(2))
        choices: dict[str, Any] = {
            "deep": deep,
            "width": int(rng.choice([8, 16, 32])),
            "kernel": (3, int(rng.integers(2))),
        }
        if deep:
            choices["extra"] = str(rng.choice(["a", "b"]))
        values = {"rmse": value(choices)}
        found.append(Evaluation(number, f"{number:032x}", tuple(choices.items()), "ok", values))
    return found


def test_the_choice_that_decides_is_the_most_important() -> None:
    found = importances(history(60, lambda c: 1.0 / c["width"] + 0.001 * c["deep"]), RMSE)
    assert found.contributions[0].name == "width"
    assert found.contributions[0].importance > 0.8
    assert sum(c.importance for c in found.contributions) == pytest.approx(1.0)
    assert [option for option, _ in found.contributions[0].options] == ["32", "16", "8"]
    assert found.n == 60


def test_conditional_choices_count_their_absence() -> None:
    found = importances(history(60, lambda c: {"a": 0.0, "b": 5.0}.get(c.get("extra", ""), 0.0)), RMSE)
    extra = found.contributions[0]
    assert extra.name == "extra"
    assert {option for option, _ in extra.options} == {"a", "b", "(inactive)"}


def test_it_is_the_same_twice() -> None:
    trials = history(30, lambda c: 1.0 / c["width"])
    assert importances(trials, RMSE) == importances(trials, RMSE)


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "there are 0"),
        (history(9, lambda c: float(c["width"])), "there are 9"),
        (history(20, lambda c: 1.0), "nothing varied"),
    ],
)
def test_too_little_to_tell_is_a_message(trials: list[Evaluation], message: str) -> None:
    found = importances(trials, RMSE)
    assert found.contributions == ()
    assert message in found.message


def test_a_forest_without_variance_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_variance(*_: object) -> None:
        raise RuntimeError("zero total variance in all trees")

    monkeypatch.setattr(importance, "_fanova", without_variance)
    found = importances(history(12, lambda c: 1.0 / c["width"]), RMSE)
    assert found.contributions == ()
    assert found.message == "Importance is undefined: zero total variance in all trees"
