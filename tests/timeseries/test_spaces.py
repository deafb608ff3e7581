"""The spaces of series: all of them builds and runs, on short series too, and known networks are members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import pytest
import torch
from gnas_timeseries.known import STARTING_POINTS
from gnas_timeseries.ops import series_ops

from gnas.architecture import Value
from gnas.build import Network
from gnas.errors import SpaceError
from gnas.ops import TensorType
from gnas.space import Space, YamlSpace, load_space
from gnas.testing.spaces import SpaceTestCase

NAMES = ("timeseries/small", "timeseries/default", "timeseries/mcu", "timeseries/streaming")
COUNTS = {
    "timeseries/small": 432,
    "timeseries/default": 893_244_438_720,
    "timeseries/mcu": 460_800,
    "timeseries/streaming": 59_292,
}
OUTPUT = TensorType("features", ("example", 3))


class TestSmall(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("timeseries/small")


class TestDefault(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> Space:
        return load_space("timeseries/default")


@cache
def bound(name: str, channels: int = 2, steps: int = 24, width: int | None = None) -> YamlSpace:
    restrict = {"width": [width]} if width else {}
    inputs = {"series": TensorType("series", ("example", channels, steps))}
    return load_space(name, restrict=restrict).bind(series_ops(3), inputs, OUTPUT)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network_of(space: YamlSpace, assignment: Mapping[str, Value]) -> Network:
    network = space.build(space.decode(space.encode(assignment)))
    assert isinstance(network, Network)
    return network


def values_of(network: Network, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The value of every layer by name."""
    values = {"series": x}
    for name, arguments, _ in network.steps:
        values[name] = network.get_submodule(name)(*[values[argument] for argument in arguments])
    return values


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_assignments(name: str) -> None:
    assert load_space(name).count() == COUNTS[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "steps"), [(3, 50), (1, 7), (7, 2)])
def test_every_architecture_builds_runs_and_has_the_declared_types(name: str, channels: int, steps: int) -> None:
    space = bound(name, channels, steps, 16)
    x = torch.randn(4, channels, steps)
    for code in space.sample_codes(np.random.default_rng(steps), 6):
        network = space.build(space.decode(code))
        assert isinstance(network, Network)
        values = values_of(network.train(), x)
        for layer in network.layers:
            assert tuple(values[layer.name].shape) == (4, *network.types[layer.node].shape[1:]), layer
        result = values[network.output_name]
        torch.autograd.backward(result.square().sum())
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{parameter_name} of {network.architecture.assignment} takes no part"
            assert bool(torch.isfinite(parameter.grad).all())


def test_a_series_of_fewer_steps_has_as_many_pieces_as_steps() -> None:
    op = series_ops(3)["global_pool"]
    short = (TensorType("series", ("example", 5, 3)),)
    assert op.infer(short, {"mode": "pieces", "pieces": 8}).shape == ("example", 15)
    assert op.layer(short, {"mode": "pieces", "pieces": 8}).build()(torch.randn(2, 5, 3)).shape == (2, 15)
    assert op.infer(short, {"mode": "mean_max", "pieces": 8}).shape == ("example", 10)


def test_streaming_networks_read_no_later_step() -> None:
    space = bound("timeseries/streaming", 2, 32, 16)
    x = torch.randn(2, 2, 32)
    later = x.clone()
    later[:, :, 20:] += 1
    for code in space.sample_codes(np.random.default_rng(0), 8):
        network = space.build(space.decode(code)).eval()
        assert isinstance(network, Network)
        with torch.no_grad():
            ours, theirs = values_of(network, x), values_of(network, later)
        for name in set(ours) - {"series", "pool", "head"}:
            seen = 20 * ours[name].shape[2] // 32
            torch.testing.assert_close(ours[name][:, :, :seen], theirs[name][:, :, :seen], atol=1e-5, rtol=1e-4)
            assert not ours[name].allclose(theirs[name])


def test_microcontroller_networks_use_what_small_cores_compute() -> None:
    space = bound("timeseries/mcu")
    ops = {node.op for code in space.sample_codes(np.random.default_rng(0), 100) for node in space.decode(code).nodes}
    assert ops == {"input", "conv", "separable_conv", "residual", "pool", "global_pool", "head"}


@pytest.mark.parametrize("assignment", STARTING_POINTS, ids=range(len(STARTING_POINTS)))
def test_starting_points_are_members(assignment: Mapping[str, Value]) -> None:
    space = bound("timeseries/default")
    architecture = space.decode(space.encode(assignment))
    assert dict(architecture.assignment) == dict(assignment)
    assert network_of(space, assignment).eval()(torch.randn(2, 2, 24)).shape == (2, 3)


def test_a_space_without_a_pool_is_refused() -> None:
    with pytest.raises(SpaceError):
        load_space("timeseries/small").bind(series_ops(3), {"series": TensorType("features", ("example", 5))}, OUTPUT)
