from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gnas_molecular.baselines import BASELINES, GRADIENT_BOOSTING, RANDOM_FOREST, TreeBaseline

from gnas.data.trees import BoostingLearner, RandomForestLearner
from gnas.errors import DataError
from tests.molecular.samples import columns_of, task_of

QUICK = {
    "forest": replace(
        RANDOM_FOREST, learner=RandomForestLearner(20, 8, 1), steps=(("features", ("descriptors", "both")),)
    ),
    "boosting": replace(
        GRADIENT_BOOSTING,
        start={**GRADIENT_BOOSTING.start, "features": "descriptors"},
        learner=BoostingLearner(most=30, draft_most=10, chunk=10, patience=20),
        steps=(("min_samples_leaf", (5, 20)),),
    ),
}
SPLIT = {"kind": "random", "fractions": [0.6, 0.2, 0.2]}


@pytest.fixture(params=sorted(QUICK))
def baseline(request: pytest.FixtureRequest) -> TreeBaseline:
    return QUICK[request.param]


def _columns() -> dict[str, list[Any]]:
    """Targets that follow from the molecule, so that a baseline can learn them."""
    columns = columns_of(90)
    sizes = [len(smiles) for smiles in columns["smiles"]]
    columns["y"] = [float(size) for size in sizes]
    columns["active"] = [int("O" in smiles) for smiles in columns["smiles"]]
    columns["other"] = ["" if i % 5 == 0 else int("N" in s or "c" in s) for i, s in enumerate(columns["smiles"])]
    return columns


def test_a_regression_is_learnt_and_seeds_repeat(tmp_path: Path, baseline: TreeBaseline) -> None:
    task = task_of(tmp_path, _columns(), split=SPLIT)
    scores = baseline.evaluate(task, 0)
    assert set(scores) == {"validation", "test"}
    assert scores["test"]["r2"] > 0.5
    assert list(scores["test"]) == [metric.name for metric in task.metrics]
    assert baseline.evaluate(task, 0) == scores


def test_several_targets_with_missing_labels(tmp_path: Path, baseline: TreeBaseline) -> None:
    task = task_of(tmp_path, _columns(), split=SPLIT, targets=["active", "other"])
    assert baseline.evaluate(task, 0)["test"]["auroc"] > 0.8


def test_a_sealed_task_gives_validation_only(tmp_path: Path, baseline: TreeBaseline) -> None:
    task = task_of(tmp_path, _columns(), split=SPLIT)
    sealed = baseline.evaluate(task.sealed(), 0)
    assert set(sealed) == {"validation"}
    assert sealed["validation"] == baseline.evaluate(task, 0)["validation"]


def test_refitting_changes_the_test_metrics_only(tmp_path: Path, baseline: TreeBaseline) -> None:
    task = task_of(tmp_path, _columns(), split=SPLIT)
    plain, refitted = baseline.evaluate(task, 0), baseline.evaluate(task, 0, refit=True)
    assert refitted["validation"] == plain["validation"]
    assert refitted["test"] != plain["test"]


def test_the_choice_is_the_best_on_validation(tmp_path: Path) -> None:
    task = task_of(tmp_path, _columns(), split=SPLIT)
    values = ("descriptors", "morgan", "both")
    baseline = replace(QUICK["forest"], steps=(("features", values),))
    chosen = baseline.choose(task, 0)["features"]
    found = {}
    for value in values:
        fixed = replace(
            baseline, start={**baseline.start, "features": value}, steps=(), learner=RandomForestLearner(8, 8, 1)
        )
        found[value] = fixed.evaluate(task.sealed(), 0)["validation"]["rmse"]
    assert chosen == min(found, key=lambda value: found[value])


def test_boosting_stops_where_validation_is_best() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    y = x[:, 0] + rng.normal(size=200) * 2
    learner = BoostingLearner(most=100, chunk=10, patience=30)
    config = {"learning_rate": 0.3, "min_samples_leaf": 5, "l2_regularization": 0.0}
    fitted = learner.fit(x[:120], y[:120], (x[120:], y[120:]), kind="regression", config=config, seed=0, draft=False)
    assert fitted.config["iterations"] < 60
    longer = learner.fit(
        x[:120], y[:120], None, kind="regression", config={**config, "iterations": 100}, seed=0, draft=False
    )
    errors = [np.mean((model.predict(x[120:]) - y[120:]) ** 2) for model in (fitted, longer)]
    assert errors[0] < errors[1]


def test_both_names_are_offered() -> None:
    assert {name: baseline.name for name, baseline in BASELINES.items()} == {
        "random forest": "random forest",
        "gradient boosting": "gradient boosting",
    }


def test_a_task_of_another_domain_is_refused() -> None:
    with pytest.raises(DataError, match=r"reads molecules only"):
        RANDOM_FOREST.evaluate(object(), 0)  # type: ignore[arg-type]
