from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from gnas_timeseries.baselines import (
    GRADIENT_BOOSTING,
    MINI_ROCKET,
    MULTI_ROCKET_HYDRA,
    SeriesBaseline,
    baselines_of,
)
from gnas_timeseries.statistics import statistics

from gnas.errors import DataError, MissingExtraError
from gnas.testing.toy import ToyTask
from tests.timeseries.samples import task_of, waves

NO_AEON = pytest.mark.skipif(find_spec("aeon") is None, reason="aeon is not installed: pip install 'gnas[timeseries]'")


def test_trees_learn_classes(tmp_path: Path) -> None:
    task = task_of(tmp_path, *waves(80, channels=1, steps=16))
    scores = GRADIENT_BOOSTING.evaluate(task, 0)
    assert scores["test"]["macro_f1"] > 0.8
    assert list(scores["validation"]) == [metric.name for metric in task.metrics]


def test_trees_learn_two_classes_values_and_labels(tmp_path: Path) -> None:
    x, y = waves(60, channels=1, steps=16)
    two = GRADIENT_BOOSTING.evaluate(task_of(tmp_path, x, y > 0), 0, refit=True)
    assert two["test"]["auroc"] > 0.7
    values = GRADIENT_BOOSTING.evaluate(task_of(tmp_path, x, y * 10.0, task="regression").sealed(), 0)
    assert set(values) == {"validation"}
    assert values["validation"]["r2"] > 0.3
    labels = GRADIENT_BOOSTING.evaluate(task_of(tmp_path, x, np.stack([y == 0, y == 1], 1).astype(int)), 0)
    assert labels["test"]["auroc"] > 0.7


def test_features_are_finite_on_any_series() -> None:
    x = np.zeros((3, 10, 2), dtype=np.float32)
    x[1] = np.random.default_rng(0).normal(size=(10, 2))
    found = statistics(x, np.array([2, 2, 1]))
    assert np.isfinite(found).all()
    assert (found[1] != found[0]).any()


def test_random_kernels_are_offered_where_they_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas_timeseries.baselines.find_spec", lambda name: object())
    assert list(baselines_of("classification")) == ["gradient boosting", "MiniRocket", "MultiRocket-Hydra"]
    assert list(baselines_of("multilabel", 3)) == ["gradient boosting"]
    monkeypatch.setattr("gnas_timeseries.baselines.find_spec", lambda name: None)
    assert list(baselines_of("classification")) == ["gradient boosting"]


def test_an_absent_package_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas_timeseries.baselines.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'aeon'.*gnas\[timeseries\]"):
        MINI_ROCKET.evaluate(task_of(tmp_path), 0)


def test_a_task_of_another_domain_is_refused() -> None:
    with pytest.raises(DataError, match="reads time series only"):
        GRADIENT_BOOSTING.evaluate(ToyTask.make(0), 0)


@NO_AEON
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("baseline", [MINI_ROCKET, MULTI_ROCKET_HYDRA], ids=lambda item: item.name)
def test_random_kernels_learn_classes_and_values(tmp_path: Path, baseline: SeriesBaseline) -> None:
    x, y = waves(90)
    found = baseline.evaluate(task_of(tmp_path, x, y), 0)["test"]
    assert found["macro_f1"] > 0.8
    assert found["auroc"] > 0.9
    values = baseline.evaluate(task_of(tmp_path, x, y * 10.0, task="regression"), 0)
    assert values["test"]["r2"] > 0.5


@NO_AEON
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["BasicMotions", "JapaneseVowels"])
def test_data_sets_inside_aeon_keep_their_parts(tmp_path: Path, name: str) -> None:
    from gnas_timeseries.data import load_series
    from gnas_timeseries.options import SeriesData

    series = load_series(SeriesData.model_validate({"dataset": name, "unequal": "pad"}), tmp_path)
    n_test = {"BasicMotions": 40, "JapaneseVowels": 370}[name]
    assert len(series.parts.test) == n_test
    assert series.split == "given"
