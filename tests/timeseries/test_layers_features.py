"""Statistics and random kernels beside a network, against plain formulas, and in exported models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_timeseries.known import KERNELS, STATISTICS
from gnas_timeseries.layers_features import RandomKernels, RunningStandardisation, Statistics
from gnas_timeseries.ops import series_ops
from torch import nn

from gnas.architecture import Value
from gnas.errors import InvalidShapeError
from gnas.export.model import export_model
from gnas.hardware.counter import CostCounter
from gnas.ops import TensorType
from gnas.space import load_space
from tests.timeseries.samples import task_of

EPSILON = nn.BatchNorm1d(1).eps


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def bare(layer: Statistics | RandomKernels) -> Statistics | RandomKernels:
    """The layer without the standardisation of its result."""
    layer.norm = nn.Identity()  # type: ignore[assignment]
    return layer


def test_statistics_are_those_of_numpy() -> None:
    x = torch.randn(3, 2, 11)
    values = x.numpy().astype(np.float64)
    time = np.linspace(-1, 1, 11)
    expected = [
        values.mean(2),
        values.std(2),
        values.min(2),
        values.max(2),
        values[:, :, -1],
        (values * time).mean(2),
        np.abs(np.diff(values, axis=2)).mean(2),
        values[:, :, :3].mean(2),
        values[:, :, 3:7].mean(2),
        values[:, :, 7:].mean(2),
    ]
    found = bare(Statistics(2, 3))(x)
    np.testing.assert_allclose(found.numpy(), np.concatenate(expected, axis=1), atol=1e-5)


def test_a_series_of_one_step_has_statistics() -> None:
    assert bool(torch.isfinite(bare(Statistics(2, 1))(torch.randn(3, 2, 1))).all())


def test_features_are_standardised_and_nothing_is_trained() -> None:
    for layer in (Statistics(2, 4), RandomKernels(2, 2, 3)):
        found = layer(5 + 3 * torch.randn(200, 2, 40))
        assert not list(layer.parameters())
        assert float(found.mean(0).abs().max()) < 1e-4
        assert float(found.std(0).max()) < 1.01


def test_batches_are_standardised_by_all_that_was_met() -> None:
    x = torch.randn(50, 3) * torch.tensor([0.1, 1.0, 40.0]) + torch.tensor([0.0, -3.0, 500.0])
    layer = RunningStandardisation(3)
    for batch in torch.split(x, 8):
        last = layer(batch)
    torch.testing.assert_close(layer.mean, x.mean(0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.variance, x.var(0, unbiased=False), rtol=1e-4, atol=1e-6)
    scaled = layer.eval()(x)
    torch.testing.assert_close(last, scaled[48:])
    torch.testing.assert_close(layer(x[:1]), scaled[:1])
    assert float(layer.seen) == 50


def test_one_example_alone_can_be_standardised() -> None:
    layer = RunningStandardisation(2)
    assert layer(torch.tensor([[5.0, -7.0]])).tolist() == [[0.0, 0.0]]


def test_kernels_are_those_of_minirocket() -> None:
    layer = RandomKernels(1, 3, 2)
    weights = layer.weight[0, :, 0]
    assert weights.shape == (84, 9) and len({tuple(row) for row in weights.tolist()}) == 84
    assert {tuple(sorted(row)) for row in weights.tolist()} == {(-1.0,) * 6 + (2.0,) * 3}


def test_kernels_read_some_channels_at_most_nine() -> None:
    read = RandomKernels(20, 2, 1).weight.abs().sum(3) > 0
    counts = read.sum(2)
    assert int(counts.min()) == 1 and 5 <= int(counts.max()) <= 9
    assert bool(read.any(1).all()), "every channel is read at every dilation"
    again = RandomKernels(20, 2, 1).weight
    torch.testing.assert_close(again, RandomKernels(20, 2, 1).weight)


def test_features_are_shares_and_means_above_thresholds() -> None:
    layer = bare(RandomKernels(1, 2, 3)).eval()
    assert isinstance(layer, RandomKernels)
    torch.testing.assert_close(layer.thresholds, torch.tensor([-0.9674, 0.0, 0.9674]), atol=1e-4, rtol=0)
    x = torch.randn(2, 1, 30)
    found = layer(x).reshape(2, 2, 3, 2, 84)
    padded = np.pad(x.numpy()[:, 0], ((0, 0), (8, 8)))
    for kernel in (0, 41, 83):
        weight = layer.weight[1, kernel, 0].numpy()
        scale = (1 + EPSILON) ** 0.5
        passed = np.stack([(padded[:, t : t + 17 : 2] * weight).sum(1) for t in range(30)], axis=1) / scale
        for place, threshold in enumerate(layer.thresholds.tolist()):
            above = passed - threshold
            np.testing.assert_allclose(found[:, 1, place, 0, kernel].numpy(), (above > 0).mean(1), atol=1e-5)
            np.testing.assert_allclose(found[:, 1, place, 1, kernel].numpy(), above.clip(0).mean(1), atol=1e-4)


def test_random_kernels_tell_frequencies_apart() -> None:
    time = torch.arange(60.0)
    phase = torch.rand(80, 1, 1) * 6.3
    slow, fast = torch.sin(time / 8 + phase), torch.sin(time / 3 + phase)
    x = torch.cat([slow[:40], fast[:40]])
    label = torch.arange(80) >= 40
    found = RandomKernels(1, 3, 2)(x + 0.3 * torch.randn_like(x))
    best = (found[label].mean(0) - found[~label].mean(0)).abs() / (found[label].std(0) + found[~label].std(0))
    assert float(best.max()) > 3


@pytest.mark.parametrize(("op", "params"), [("statistics", {"pieces": 0}), ("random_kernels", {"thresholds": 0})])
def test_parameters_are_checked(op: str, params: dict[str, int]) -> None:
    with pytest.raises(InvalidShapeError, match="1 or more"):
        series_ops(3)[op].infer((TensorType("series", ("example", 2, 20)),), params)


@pytest.mark.parametrize(("assignment", "most"), [(STATISTICS, 1e-4), (KERNELS, 1e-2)], ids=["statistics", "kernels"])
def test_exported_models_compute_the_same(assignment: Mapping[str, Value], most: float, tmp_path: Path) -> None:
    """Runtimes round convolutions differently, and a step that then passes a threshold counts whole: one of 24."""
    task = task_of(tmp_path)
    space = load_space("timeseries/default").bind(task.ops, task.inputs, task.output)
    architecture = space.decode(space.encode(assignment))
    network = space.build(architecture)
    network(next(iter(task.batches("train", 16))).inputs["series"])
    report = export_model(network.eval(), architecture, task, tmp_path / "best")
    assert {"model.py", "model.onnx", "model.pt2"} <= set(report.differences)
    assert report.differences["model.py"] == 0
    assert max(report.differences.values()) < most


def test_fixed_convolutions_are_counted(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    space = load_space("timeseries/default").bind(task.ops, task.inputs, task.output)
    costs = CostCounter(task)(space.build(space.decode(space.encode(KERNELS))))
    kernels = 84 * 9 * 2 * 24 * 2
    assert kernels <= costs["macs"] <= 1.5 * kernels
