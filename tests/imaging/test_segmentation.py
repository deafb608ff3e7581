"""Masks: the task, its metrics, its space."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gnas_imaging.known_segmentation import RESIDUAL_ENCODER, STARTING_POINTS, UNET
from gnas_imaging.ops_segmentation import segmentation_ops
from gnas_imaging.overlap import cases, dice, hd95
from gnas_imaging.predict import Predictor, main
from gnas_imaging.segmentation import SegmentationTask
from gnas_imaging.testing import masked_arrays, task_of
from PIL import Image

from gnas.errors import DataError, DivergedError, InvalidShapeError, SpecError
from gnas.evaluate.final import FinalJob, FinalWork
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Objective
from gnas.ops import TensorType
from gnas.report.portrait import drawable
from gnas.results import FinalRow
from gnas.space import YamlSpace, load_space
from gnas.testing.domain import DomainTestCase
from gnas.testing.spaces import SpaceTestCase

# Augmentation moves masks with their images, and the suite compares targets with and without shuffling.
STILL = {"flip": "none", "shift": 0, "rotate": 0, "scale": 0, "brightness": 0}


class TestSegmentationsKeepThePromises(DomainTestCase):
    def make_task(self, folder: Path) -> SegmentationTask:
        return masked(folder, masked_arrays(), augment=STILL)

    def make_task_with_other_test_rows(self, folder: Path) -> SegmentationTask:
        content = masked_arrays()
        content["test_masks"][:] = 0
        content["test_images"] = content["test_images"] // 2
        return masked(folder, content, augment=STILL)


def masked(folder: Path, content: dict[str, Any], **options: Any) -> SegmentationTask:
    task = task_of(folder, content, **options)
    assert isinstance(task, SegmentationTask)
    return task


def outputs_of(masks: np.ndarray) -> torch.Tensor:
    one_hot = np.stack([masks == 0, masks == 1], axis=1)
    return torch.from_numpy(8.0 * one_hot - 4.0).float()


def test_dice_and_distance() -> None:
    first = np.zeros((10, 10), dtype=bool)
    first[2:6, 2:6] = True
    moved = np.roll(first, 2, axis=1)
    assert dice(first, first) == 1.0 and hd95(first, first) == 0.0
    assert dice(first, moved) == pytest.approx(0.5) and hd95(first, moved) == 2.0
    nothing = np.zeros_like(first)
    assert np.isnan(dice(nothing, nothing)) and np.isnan(hd95(nothing, nothing))
    assert dice(first, nothing) == 0.0 and hd95(first, nothing) == pytest.approx(np.hypot(10, 10))
    overlaps, distances = cases(np.stack([first, nothing, first]) * 1, np.stack([moved, nothing, nothing]) * 1, 2)
    assert overlaps[0] == pytest.approx(0.5) and np.isnan(overlaps[1]) and overlaps[2] == 0.0
    assert distances[0] == 2.0 and np.isnan(distances[1])


def test_right_masks_are_scored_as_such(tmp_path: Path) -> None:
    task = masked(tmp_path, masked_arrays())
    assert [metric.name for metric in task.metrics] == ["dice", "hd95", "log_loss"]
    found = task.score("test", outputs_of(task.targets("test")))
    assert found["dice"] == 1.0 and found["hd95"] == 0.0 and found["log_loss"] < 0.01
    with pytest.raises(DataError, match="accepted"):
        task.score("test", torch.zeros(10, 2))
    with pytest.raises(DivergedError):
        task.score("test", torch.full((10, 2, 12, 12), torch.nan))


def test_masks_move_with_their_images(tmp_path: Path) -> None:
    task = masked(tmp_path, masked_arrays(), augment={"flip": "both", "rotate": 45, "brightness": 0})
    (batch,) = task.batches("train", 100, generator=torch.Generator().manual_seed(0))
    inside = batch.targets[:, 1:] > 0.5
    image = batch.inputs["image"]
    assert float(image[inside].mean() - image[~inside].mean()) > 1.0
    assert set(batch.targets.flatten().tolist()) == {0.0, 1.0} and float(batch.targets.sum(1).min()) == 1.0


def test_losses(tmp_path: Path) -> None:
    task = masked(tmp_path, masked_arrays())
    (batch,) = task.batches("test", 100)
    right, wrong = outputs_of(task.targets("test")), -outputs_of(task.targets("test"))
    for recipe in (Recipe(), Recipe(loss="cross_entropy"), Recipe(class_weights="balanced")):
        assert float(task.loss(right, batch, recipe)) < 0.1 < 1.0 < float(task.loss(wrong, batch, recipe))
    with pytest.raises(SpecError, match=r"recipe\.loss"):
        task.loss(right, batch, Recipe(loss="mse"))


def test_values_of_masks_are_classes_in_order(tmp_path: Path) -> None:
    content = masked_arrays()
    content = {key: value * 255 if key.endswith("masks") else value for key, value in content.items()}
    task = masked(tmp_path, content, size=10)
    assert task.names == ("0", "255") and set(np.unique(task.targets("train"))) == {0.0, 1.0}
    assert task.output.shape == ("example", 2, 10, 10)


def test_masks_as_files(tmp_path: Path) -> None:
    content = masked_arrays()
    lines = ["path,outline"]
    for i, (image, mask) in enumerate(zip(content["train_images"], content["train_masks"], strict=True)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        Image.fromarray(mask * 255).save(tmp_path / f"{i}_mask.png")
        lines.append(f"{i}.png,{i}_mask.png")
    (tmp_path / "images.csv").write_text("\n".join(lines), encoding="utf-8")
    found = task_of(tmp_path, file="images.csv", mask="outline")
    assert isinstance(found, SegmentationTask) and found.names == ("0", "255")
    Image.fromarray(content["train_masks"][0][:5]).save(tmp_path / "3_mask.png")
    with pytest.raises(DataError, match=r"images\.csv line 5 .*another size than its image; got '5×12'"):
        task_of(tmp_path, file="images.csv", mask="outline")


def test_masks_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    content = masked_arrays()
    content["val_masks"][:] = 0
    with pytest.raises(DataError, match="no mask of the validation part holds the class '1'"):
        task_of(tmp_path, content)
    content = {key: value * 0 if key.endswith("masks") else value for key, value in masked_arrays().items()}
    with pytest.raises(DataError, match="one class only"):
        task_of(tmp_path, content)


def test_synthetic_lesions_have_masks(tmp_path: Path) -> None:
    found = task_of(tmp_path, dataset="synthetic-lesions", task="segmentation", synthetic={"patients": 24, "size": 16})
    assert isinstance(found, SegmentationTask) and found.names == ("background", "lesion")
    for figure in found.figures("test", outputs_of(found.targets("test"))):
        assert drawable(figure.svg, "f", figure.title, pictures=True)


def test_a_baseline_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = masked(tmp_path, masked_arrays(size=8))
    narrow = {**UNET, "width": 8, "levels": 3, "more0": 0, "more1": 0, "more2": 0}
    del narrow["more3"]
    monkeypatch.setattr("gnas_imaging.known_segmentation.UNET", narrow)
    work = FinalWork({}, task, Objective("dice", "maximize"))
    found = work.run(FinalJob(FinalRow("baseline", "U-Net", 0), Recipe(epochs=1))).row
    assert found.reason == "" and 0 <= found.validation["dice"] <= 1 and set(found.test) == set(found.validation)
    assert tuple(task.baselines) == ("U-Net",)


def test_predicted_masks_have_the_size_of_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = masked(tmp_path, masked_arrays())
    (tmp_path / "preprocess.json").write_text(json.dumps(task.preprocessing), encoding="utf-8")
    monkeypatch.setattr(
        "gnas_imaging.predict._torch_network", lambda folder: lambda images: np.concatenate([images * 0, images], 1)
    )
    monkeypatch.setattr("gnas_imaging.predict.FOLDER", tmp_path)
    monkeypatch.setattr(Predictor.__init__, "__defaults__", (tmp_path,))
    Image.fromarray(np.pad(np.full((9, 12), 255, dtype=np.uint8), ((0, 9), (0, 0)))).save(tmp_path / "a.png")
    assert Predictor(tmp_path).columns == ("share of 0", "share of 1")
    assert main([str(tmp_path / "a.png"), "--masks", str(tmp_path / "masks"), "--out", str(tmp_path / "out.csv")]) == 0
    with Image.open(tmp_path / "masks" / "a.png") as mask:
        assert mask.size == (12, 18) and set(np.unique(np.asarray(mask))) == {0, 1}
    header, row = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert header == "image,share of 0,share of 1" and row.endswith(",0.5,0.5")


@cache
def bound(*shape: int) -> YamlSpace:
    image = TensorType("image", ("example", *shape))
    ops = segmentation_ops(3, shape[1:])
    masks = TensorType("masks", ("example", 3, *shape[1:]))
    return load_space("imaging/segmentation").bind(ops, {"image": image}, masks)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 5, 7), (1, 3, 8, 9)], ids=["square", "odd", "volume"])
@pytest.mark.parametrize("n", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_every_architecture_builds_and_runs(shape: tuple[int, ...], n: int) -> None:
    space = bound(*shape)
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    for code in space.sample_codes(np.random.default_rng(2), n):
        network = space.build(space.decode(code))
        result = network(images)
        assert result.shape == (2, 3, *shape[1:])
        torch.autograd.backward(result.square().sum())
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_starting_points_are_members() -> None:
    space = bound(1, 16, 16)
    assert space.count() == 19_699_200 and STARTING_POINTS[0] is RESIDUAL_ENCODER
    for point in STARTING_POINTS:
        assert dict(space.decode(space.encode(point)).assignment) == dict(point)


def test_what_does_not_fit_is_refused() -> None:
    ops = segmentation_ops(2, (8, 8))
    small, large = (TensorType("image", ("example", 4, n, n)) for n in (4, 8))
    assert ops["up_join"].infer((small, large), {}).shape == ("example", 8, 8, 8)
    for op, inputs in (("up_join", (large, small)), ("mask_head", (TensorType("image", ("example", 4, 2, 8, 8)),))):
        with pytest.raises(InvalidShapeError):
            ops[op].infer(inputs, {})


class TestSpace(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> YamlSpace:
        return load_space("imaging/segmentation")
