from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_imaging.baselines import BASELINES, BoostingBaseline, KnownNetwork, resnet
from gnas_imaging.features import simple_features
from gnas_imaging.resnet import ResNet18
from gnas_imaging.testing import arrays, task_of

from gnas.data.trees import BoostingLearner
from gnas.errors import DataError
from gnas.evaluate.final import FinalJob, FinalWork
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Objective
from gnas.results import FinalRow
from gnas.testing.toy import ToyTask

QUICK = BoostingBaseline(learner=BoostingLearner(most=5, draft_most=5, chunk=5, bins=15))


def test_resnet_has_the_published_size(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ResNet18(3, (224, 224), 1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512
    assert network.stem(torch.zeros(1, 3, 224, 224)).shape == (1, 64, 56, 56)
    monkeypatch.setattr("gnas_imaging.resnet._WIDTHS", (4, 4, 8, 8))
    assert ResNet18(1, (28, 28), 2).stem(torch.zeros(1, 1, 28, 28)).shape == (1, 4, 14, 14)
    assert ResNet18(1, (4, 8, 8), 2)(torch.zeros(2, 1, 4, 8, 8)).shape == (2, 2)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_boosting_fits_every_kind_of_task(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas_imaging.baselines._LEAVES", (10,))
    monkeypatch.setattr("gnas_imaging.baselines._LEARNING_RATES", ())
    content = arrays(classes=2 if kind in ("binary", "multilabel") else 3)
    if kind == "multilabel":
        for part in ("train", "val", "test"):
            content[f"{part}_labels"] = np.concatenate([content[f"{part}_labels"]] * 2, axis=1)
    task = task_of(tmp_path, content, task=kind)
    found = QUICK.evaluate(task, 0, refit=kind == "binary")
    assert list(found["test"]) == [metric.name for metric in task.metrics]
    assert found["test"]["r2" if kind == "regression" else "auroc"] > (0.1 if kind == "regression" else 0.7)
    if kind == "regression":
        assert "test" not in QUICK.evaluate(task.sealed(), 0)


@pytest.mark.parametrize("refit", [False, True])
def test_resnet_is_trained_by_the_recipe_of_the_run(
    tmp_path: Path, refit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnas_imaging.resnet._WIDTHS", (4, 4, 8, 8))
    task = task_of(tmp_path, arrays(size=8))
    task = replace(task, stores={part: store.take(torch.arange(8)) for part, store in task.stores.items()})
    # NOTE: what is measured to be fastest may differ from one training to the next.
    plain = Recipe(epochs=3, keep="last", precision="fp32", memory_format="contiguous")
    work = FinalWork({}, task, Objective("auroc", "maximize"), refit=refit)
    first, again, longer = (
        work.run(FinalJob(FinalRow("baseline", "ResNet-18", 1), recipe))
        for recipe in (plain, plain, plain.model_copy(update={"epochs": 6}))
    )
    assert (first.row.reason, first.weights) == ("", b"")
    assert first.row.validation == again.row.validation and first.row.test == again.row.test
    assert first.validation is not None and longer.validation is not None
    assert not np.array_equal(first.validation, longer.validation)


def test_baselines_read_images_only() -> None:
    assert tuple(BASELINES) == ("ResNet-18", "gradient boosting")
    with pytest.raises(DataError, match="images only"):
        KnownNetwork("ResNet-18", resnet).network(ToyTask.make())
    with pytest.raises(DataError, match="images only"):
        BoostingBaseline().evaluate(ToyTask.make(), 0)


def test_features_tell_direction_and_brightness() -> None:
    stripes = np.zeros((2, 1, 16, 16), dtype=np.uint8)
    stripes[0, 0, :, ::4] = stripes[1, 0, ::4, :] = 200
    found = simple_features(stripes)
    assert found.shape == (2, 16 + 5 + 2 + 64 + 144) and np.isfinite(found).all()
    assert (found[0, :23] == found[1, :23]).all()
    assert np.abs(found[0, -144:] - found[1, -144:]).max() > 0.5
    assert simple_features(np.zeros((2, 3, 4, 10, 12), dtype=np.uint8)).shape == (2, 69 + 3 * 208)
