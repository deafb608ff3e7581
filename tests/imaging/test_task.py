from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_imaging.testing import arrays, task_of

from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from gnas.report.portrait import drawable


def outputs_of(labels: np.ndarray, sharp: float = 4.0) -> torch.Tensor:
    return torch.from_numpy(sharp * (2 * labels - 1)).float()


def test_images_are_standardised_by_the_training_part(tmp_path: Path) -> None:
    content = arrays(channels=3)
    content["train_images"][..., 1] = 7
    content["test_images"][:] = 255
    task = task_of(tmp_path, content)
    (batch,) = task.batches("train", 100)
    image = batch.inputs["image"]
    assert abs(float(image[:, 0].mean())) < 1e-5 and abs(float(image[:, 0].std()) - 1) < 1e-3
    assert float(image[:, 1].abs().max()) < 1e-6
    assert task.stores["train"].images.dtype == torch.uint8


def test_training_images_change_and_others_do_not(tmp_path: Path) -> None:
    task = task_of(tmp_path, arrays(), augment={"flip": "both"})

    def images(part: str, seed: int | None) -> torch.Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        batches = list(task.batches(part, 100, generator=generator))  # type: ignore[arg-type]
        return torch.cat([batch.inputs["image"] for batch in batches])

    assert images("train", 1).equal(images("train", 1))
    assert not images("train", 1).equal(images("train", 2))
    plain = images("train", None)
    assert not any(any(image.equal(other) for other in plain) for image in images("train", 1))
    moved, still = images("validation", 3), images("validation", None)
    assert all(any(image.equal(other) for other in still) for image in moved)


@pytest.mark.parametrize("classes", [2, 3])
def test_right_outputs_are_scored_as_such(tmp_path: Path, classes: int) -> None:
    task = task_of(tmp_path, arrays(classes=classes))
    found = task.score("test", outputs_of(task.targets("test")))
    for name in ("auroc", "auprc", "accuracy", "balanced_accuracy", "sensitivity_at_90"):
        assert found[name] == 1.0
    assert found["log_loss"] < 0.1 and found["ece"] < 0.1
    with pytest.raises(DataError, match="accepted"):
        task.score("test", torch.zeros(3, 1))
    with pytest.raises(DivergedError):
        task.score("test", torch.full(task.targets("test").shape, torch.nan))


def test_losses(tmp_path: Path) -> None:
    task = task_of(tmp_path, arrays(classes=3))
    (batch,) = task.batches("train", 100)
    expected = torch.nn.functional.cross_entropy(torch.zeros(24, 3), batch.targets.argmax(1))
    assert torch.allclose(task.loss(torch.zeros(24, 3), batch, Recipe()), expected)
    with pytest.raises(SpecError, match=r"recipe\.loss"):
        task.loss(torch.zeros(24, 3), batch, Recipe(loss="mse"))


def test_balanced_weights_count_classes_alike(tmp_path: Path) -> None:
    content = arrays()
    content["train_labels"][:] = 0
    content["train_labels"][:6] = 1
    task = task_of(tmp_path, content)
    (batch,) = task.batches("train", 100)
    logits = torch.zeros(24, 1, requires_grad=True)
    task.loss(logits, batch, Recipe(class_weights="balanced")).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert abs(float(logits.grad.sum())) < 1e-6


def test_regression_is_in_data_units(tmp_path: Path) -> None:
    task = task_of(tmp_path, arrays(classes=8), task="regression", unit="mm")
    assert [(metric.name, metric.unit) for metric in task.metrics] == [("rmse", "mm"), ("mae", "mm"), ("r2", "")]
    scaled = torch.from_numpy(task.target_scaler.scale(task.targets("test")))
    assert task.score("test", scaled)["rmse"] < 1e-6
    for name in ("mse", "mae", "huber"):
        (batch,) = task.batches("test", 100)
        assert float(task.loss(scaled.float(), batch, Recipe(loss=name))) < 1e-6


def test_missing_labels_do_not_count(tmp_path: Path) -> None:
    content = arrays()
    for part in ("train", "val", "test"):
        first = content[f"{part}_labels"].astype(float)
        second = (np.arange(len(first))[:, None] % 3 == 0).astype(float)
        second[1] = np.nan
        content[f"{part}_labels"] = np.concatenate([first, second], axis=1)
    task = task_of(tmp_path, content)
    assert task.kind == "multilabel"
    (batch,) = task.batches("train", 100)
    assert int((~batch.mask).sum()) == 1
    outputs = torch.zeros(24, 2)
    wild = outputs.clone()
    wild[1, 1] = 100.0
    assert task.loss(outputs, batch, Recipe()).equal(task.loss(wild, batch, Recipe()))


def test_turns_keep_patients_together(tmp_path: Path) -> None:
    content = arrays()
    n = 44
    whole = {
        "images": np.concatenate([content[f"{part}_images"] for part in ("train", "val", "test")]),
        "labels": np.concatenate([content[f"{part}_labels"] for part in ("train", "val", "test")]),
        "groups": np.arange(n) // 2,
    }
    task = task_of(tmp_path, whole)
    assert task.turns > 2
    seen: set[str] = set(task.places["validation"])
    for turn in range(1, task.turns):
        other = task.turned(turn)
        assert not seen & set(other.places["validation"])
        seen |= set(other.places["validation"])
        assert not set(other.groups["train"]) & set(other.groups["validation"])
        assert other.places["test"] == task.places["test"]
    assert task.turned(task.turns) is task


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_figures_may_stand_in_a_page(tmp_path: Path, kind: str) -> None:
    content = arrays(classes=2 if kind in ("binary", "multilabel") else 5, channels=3 if kind == "binary" else 0)
    task = task_of(tmp_path, content, task=kind)
    found = task.figures("test", outputs_of(task.targets("test")))
    titles = [figure.title for figure in found]
    assert titles[0] == "Examples of test"
    expected = {
        "binary": "Confusion",
        "multiclass": "Confusion",
        "multilabel": "Calibration",
        "regression": "Predicted",
    }
    assert titles[1].startswith(expected[kind])
    for i, figure in enumerate(found):
        assert drawable(figure.svg, f"f{i}", figure.title, pictures=True)


def test_preprocessing_is_json(tmp_path: Path) -> None:
    task = task_of(tmp_path, arrays(), window=[0, 200])
    assert json.loads(json.dumps(task.preprocessing))["window"] == [0, 200]
    assert {"predict.py", "reading.py", "preprocess.json", "requirements.txt", "README.md"} == set(task.takeaway())
