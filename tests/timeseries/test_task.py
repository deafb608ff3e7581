from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_timeseries.predict import Predictor, UnusableError, probabilities
from gnas_timeseries.task import SeriesTask

from gnas.domain import Task, TurningTask
from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from gnas.testing.domain import DomainTestCase
from tests.timeseries.samples import subjects, task_of, waves

PARTS = np.array(["train"] * 36 + ["validation"] * 12 + ["test"] * 12)


def split_task(folder: Path, changed: bool = False, **data: object) -> SeriesTask:
    x, y = waves()
    if changed:
        x[48:] += 1
        y[48:54] = 0
    arrays = {"part": PARTS, **({"who": subjects(60)} if "group" in data else {})}
    return task_of(folder, x, y, arrays=arrays, split={"column": "part", "leaks": "warn"}, **data)


class TestClassification(DomainTestCase):
    def make_task(self, folder: Path) -> Task:
        return split_task(folder)

    def make_task_with_other_test_rows(self, folder: Path) -> Task:
        return split_task(folder, changed=True)


class TestRegression(DomainTestCase):
    def make_task(self, folder: Path) -> Task:
        return split_task(folder, task="regression", cap=1.5, unequal="pad")

    def make_task_with_other_test_rows(self, folder: Path) -> Task:
        return split_task(folder, changed=True, task="regression", cap=1.5, unequal="pad")


def test_it_is_a_task_that_turns(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    assert isinstance(task, Task)
    assert isinstance(task, TurningTask)


def test_channels_are_scaled_by_the_training_part(tmp_path: Path) -> None:
    x, y = waves()
    x[:, 1] = 5 + 3 * x[:, 1]
    task = task_of(tmp_path, x, y, arrays={"part": PARTS}, split={"column": "part"})
    train = x[:36].astype(np.float64)
    assert task.signal_scaler.mean == pytest.approx(train.mean(axis=(0, 2)), abs=1e-5)
    assert task.signal_scaler.std == pytest.approx(train.std(axis=(0, 2)), rel=1e-4)
    scaled = torch.cat([batch.inputs["series"] for batch in task.batches("test", 64)]).numpy()
    expected = (x[48:] - task.signal_scaler.mean[:, None]) / task.signal_scaler.std[:, None]
    np.testing.assert_allclose(scaled, expected, atol=1e-4)
    merged = task.merged()
    assert merged.signal_scaler.mean == pytest.approx(x[:48].astype(np.float64).mean(axis=(0, 2)), abs=1e-5)


def test_each_series_is_scaled_by_itself(tmp_path: Path) -> None:
    x, y = waves()
    x *= np.linspace(0.5, 20, 60)[:, None, None].astype(np.float32)
    x[:, 1] = 4.0
    task = task_of(tmp_path, x, y, normalise="series")
    series = task.example(60)["series"]
    torch.testing.assert_close(series[:, 0].std(1, correction=0), torch.ones(60)[: len(series)], atol=1e-3, rtol=0)
    assert not series[:, 1].any()


def test_padding_is_told_by_a_channel_of_its_own(tmp_path: Path) -> None:
    x, y = waves()
    x[::2, :, 15:] = np.nan
    task = task_of(tmp_path, x, y, unequal="pad")
    series = next(iter(task.batches("train", 100))).inputs["series"]
    assert series.shape[1:] == (3, 24)
    short = series[:, 2, 15:].sum(1) == 0
    assert 0 < int(short.sum()) < len(series)
    assert not series[short][:, :2, 15:].any()
    assert bool((series[:, 2, :15] == 1).all())
    there = torch.where(series[:, 2:].bool(), series[:, :2], torch.nan)
    assert float(there.nanmean()) == pytest.approx(0, abs=1e-5)


def test_scores_of_perfect_outputs(tmp_path: Path) -> None:
    task = split_task(tmp_path, group="who")
    targets = torch.cat([batch.targets for batch in task.batches("test", 5)])
    scores = task.score("test", 20 * targets)
    assert scores["macro_f1"] == scores["auroc"] == scores["worst_group_accuracy"] == 1
    assert scores["log_loss"] < 1e-6
    with pytest.raises(DivergedError):
        task.score("test", targets * torch.nan)
    with pytest.raises(DataError, match="outputs for the test part"):
        task.score("test", targets[:, :2])


def test_regression_scores_are_in_data_units(tmp_path: Path) -> None:
    x, y = waves()
    task = task_of(tmp_path, x, 100.0 * y, task="regression", cap=150, unit="cycles")
    assert [m.name for m in task.metrics] == ["rmse", "mae", "r2", "phm_score"]
    assert task.metrics[0].unit == "cycles"
    targets = torch.cat([batch.targets for batch in task.batches("test", 5)])
    assert task.store("test").labels.max() == 150
    off = task.score("test", targets - 13 / float(task.target_scaler.std[0]))
    assert off["rmse"] == pytest.approx(13, abs=1e-3)
    assert off["phm_score"] == pytest.approx(len(targets) * (np.e - 1), rel=1e-3)


def test_no_prediction_is_above_the_cap(tmp_path: Path) -> None:
    x, y = waves()
    task = task_of(tmp_path, x, 100.0 * y, task="regression", cap=150, unit="cycles")
    high = torch.full((task.size("test"), 1), 1e3)
    assert set(task.predictions(high).ravel().tolist()) == {150.0}
    truth = task.store("test").labels.numpy()
    expected = float(np.sqrt(np.mean((150 - truth) ** 2)))
    assert task.score("test", high)["rmse"] == pytest.approx(expected)
    assert task.score_predictions("test", np.full_like(truth, 1e3))["rmse"] == pytest.approx(expected)
    rows = np.arange(4)
    some = float(np.sqrt(np.mean((150 - truth[rows]) ** 2)))
    assert task.scorer("test", high)(rows)["rmse"] == pytest.approx(some)
    for name, content in task.takeaway().items():
        (tmp_path / name).write_text(content)
    (tmp_path / "model.py").write_text("import torch\ndef load(path):\n    return lambda x: x[:, :1, 0] * 0 + 1e3\n")
    assert set(Predictor(tmp_path)(x).ravel().tolist()) == {150.0}


def test_a_task_divided_anew_keeps_what_it_was_told(tmp_path: Path) -> None:
    window = {"length": 20, "least": 8, "stride": 6}
    x, y = waves()
    task = task_of(tmp_path, x, 1.0 * y, task="regression", cap=1.5, window=window, streaming=True)
    assert isinstance(task, TurningTask)
    joined = task.merged()
    assert (joined.cap, joined.least, joined.streaming) == (1.5, 8, True)
    assert joined.preprocessing["least"] == 8 and joined.default_space == "timeseries/streaming"


def test_missing_labels_of_a_multi_label_task_do_not_count(tmp_path: Path) -> None:
    x, y = waves()
    labels = np.stack([y == 1, y == 2], axis=1).astype(float)
    labels[::5, 0] = np.nan
    task = task_of(tmp_path, x, labels)
    assert task.kind == "multilabel"
    batch = next(iter(task.batches("train", 100)))
    assert 0 < int((~batch.mask).sum()) < len(batch.mask)
    zeros = torch.zeros_like(batch.targets)
    assert task.loss(zeros, batch, Recipe()).item() == pytest.approx(np.log(2))
    wild = torch.where(batch.mask, zeros, 1e3)
    assert task.loss(wild, batch, Recipe()).item() == pytest.approx(np.log(2))


def test_balanced_classes_weigh_alike(tmp_path: Path) -> None:
    x, y = waves()
    y[y == 2] = 1
    task = task_of(tmp_path, x, y)
    batch = next(iter(task.batches("train", 100)))
    wrong = torch.zeros_like(batch.targets)
    wrong[:, 1] = 2.0
    plain = torch.nn.functional.cross_entropy(wrong, batch.targets.argmax(1))
    assert task.loss(wrong, batch, Recipe()).item() == pytest.approx(plain.item(), rel=1e-5)
    each = -(batch.targets * wrong.log_softmax(1)).sum(0) / batch.targets.sum(0)
    balanced = task.loss(wrong, batch, Recipe(class_weights="balanced"))
    assert balanced.item() == pytest.approx(each.mean().item(), rel=1e-5)


def test_a_loss_of_another_task_is_refused(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    batch = next(iter(task.batches("train", 100)))
    with pytest.raises(SpecError, match=r"recipe.loss.*auto, cross_entropy"):
        task.loss(batch.targets, batch, Recipe(loss="mse"))


def test_turns_keep_groups_and_the_test_part(tmp_path: Path) -> None:
    x, y = waves()
    task = task_of(tmp_path, x, y, arrays={"who": subjects(60, 20)}, group="who")
    assert task.summary.facts["split"] == "group, seed 0"
    assert task.turns > 1
    seen = set(task.store("validation").groups)
    for turn in range(1, task.turns):
        turned = task.turned(turn)
        validating = set(turned.store("validation").groups)
        assert not validating & (seen | set(turned.store("train").groups))
        seen |= validating
        assert turned.store("test").values.equal(task.store("test").values)
        assert turned.size("train") + turned.size("validation") == task.size("train") + task.size("validation")
    assert task.turned(task.turns) is task


def test_one_subject_is_left_out_and_each_other_validates_in_turn(tmp_path: Path) -> None:
    x, y = waves()
    split = {"kind": "leave_one_out", "test_group": "s4"}
    task = task_of(tmp_path, x, y, arrays={"who": subjects(60)}, group="who", split=split)
    assert set(task.store("test").groups) == {"s4"}
    validating = [set(task.turned(turn).store("validation").groups) for turn in range(task.turns)]
    assert all(len(names) == 1 for names in validating)
    assert set.union(*validating) == {f"s{i}" for i in range(10)} - {"s4"}


def test_a_given_split_leaves_no_choice(tmp_path: Path) -> None:
    assert split_task(tmp_path).turns == 1


@pytest.mark.parametrize("n", [60, 1200])
def test_few_data_see_more_epochs_in_smaller_batches(tmp_path: Path, n: int) -> None:
    recipe = task_of(tmp_path, *waves(n, steps=8)).recipe
    assert (recipe.batch_size, recipe.epochs) == ((16, 300) if n == 60 else (32, 56))


def test_the_shipped_code_scales_as_the_task_does(tmp_path: Path) -> None:
    x, y = waves()
    x[::2, :, 15:] = np.nan
    x[3, 0, 4:6] = np.nan
    task = task_of(tmp_path, x, y, unequal="pad", arrays={"part": PARTS}, split={"column": "part"})
    files = task.takeaway()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "model.py").write_text("import torch\ndef load(path):\n    return lambda x: x.sum(2)\n")
    predictor = Predictor(tmp_path)
    assert predictor.columns == ("P(0)", "P(1)", "P(2)")
    series = torch.cat([batch.inputs["series"] for batch in task.batches("test", 64)]).numpy()
    expected = probabilities(series.sum(2).astype(np.float64), "classification")
    np.testing.assert_allclose(predictor(x[48:]), expected, rtol=1e-4, atol=1e-6)


def test_the_shipped_code_lengthens_short_series_as_windows_are(tmp_path: Path) -> None:
    x, y = waves()
    x[::2, :, 15:] = np.nan
    window = {"length": 24, "least": 10, "stride": 24}
    given = {"split": {"column": "part"}, "window": window}
    task = task_of(tmp_path, x, y, arrays={"part": PARTS}, **given)
    for name, content in task.takeaway().items():
        (tmp_path / name).write_text(content)
    assert "10 steps must be there" in (tmp_path / "README.md").read_text()
    (tmp_path / "model.py").write_text("import torch\ndef load(path):\n    return lambda x: x[:, :, :3].sum(2)\n")
    predictor = Predictor(tmp_path)
    series = torch.cat([batch.inputs["series"] for batch in task.batches("test", 64)]).numpy()
    expected = probabilities(series[:, :, :3].sum(2).astype(np.float64), "classification")
    np.testing.assert_allclose(predictor(x[48:]), expected, rtol=1e-4, atol=1e-6)
    x[50, :, 9:] = np.nan
    with pytest.raises(UnusableError, match="fewer than the 10 steps"):
        predictor(x[48:])
