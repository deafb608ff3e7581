"""Ops and spaces: declared shapes are those of real networks, in two and three dimensions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from gnas_imaging.known import DEFAULT_NETWORK, STARTING_POINTS
from gnas_imaging.ops import imaging_ops

from gnas.build import Network
from gnas.errors import InvalidShapeError
from gnas.ops import TensorType
from gnas.space import YamlSpace, load_space
from gnas.testing.spaces import SpaceTestCase

OPS = imaging_ops(3)
OUTPUT = TensorType("examples", ("example", 3))
SHAPES = {"small": (1, 12, 12), "odd": (3, 5, 7), "tiny": (1, 4, 4), "volume": (1, 3, 9, 10)}
COUNTS = {"imaging/small": 384, "imaging/default": 2_638_241_855_424}


@cache
def bound(name: str, shape: str) -> YamlSpace:
    image = TensorType("image", ("example", *SHAPES[shape]))
    return load_space(name).bind(OPS, {"image": image}, OUTPUT)


@pytest.mark.parametrize("name", COUNTS)
def test_the_number_of_assignments(name: str) -> None:
    assert load_space(name).count() == COUNTS[name]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("n", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_every_architecture_builds_runs_and_has_the_declared_types(name: str, shape: str, n: int) -> None:
    space = bound(name, shape)
    images = torch.randn(2, *SHAPES[shape], generator=torch.Generator().manual_seed(0))
    for code in space.sample_codes(np.random.default_rng(1), n):
        network = space.build(space.decode(code))
        assert isinstance(network, Network)
        seen: dict[int, tuple[int, ...]] = {}
        for layer in network.layers:
            network.get_submodule(layer.name).register_forward_hook(
                lambda module, inputs, output, node=layer.node, seen=seen: seen.__setitem__(node, tuple(output.shape))
            )
        result = network.train()(images)
        for node, actual in seen.items():
            assert actual[1:] == network.types[node].shape[1:]
        torch.autograd.backward(result.square().sum())
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None and bool(torch.isfinite(parameter.grad).all()), key


def test_starting_points_are_members() -> None:
    assert DEFAULT_NETWORK in STARTING_POINTS
    space = bound("imaging/default", "small")
    kinds = set()
    for point in STARTING_POINTS:
        architecture = space.decode(space.encode(point))
        assert dict(architecture.assignment) == dict(point)
        assert space.build(architecture)(torch.zeros(2, 1, 12, 12)).shape == (2, 3)
        kinds |= {node.op for node in architecture.nodes}
    assert {"residual", "mbconv", "convnext", "separable_conv", "conv", "max_pool"} <= kinds


def image(*shape: int) -> TensorType:
    return TensorType("image", ("example", *shape))


def test_short_sides_keep_their_size() -> None:
    assert OPS["conv"].infer((image(1, 3, 9, 8),), {"width": 5, "stride": 2}).shape == ("example", 5, 3, 5, 4)
    assert OPS["max_pool"].infer((image(4, 2, 2),), {}).shape == ("example", 4, 2, 2)


@pytest.mark.parametrize(
    ("op", "inputs", "params"),
    [
        ("conv", (TensorType("rows", ("row", 3)),), {}),
        ("conv", (TensorType("image", ("example", 1, 8, 8), "uint8"),), {}),
        ("conv", (image(1, 8, 8),), {"kernel": 4}),
        ("conv", (image(1, 8, 8),), {"width": 0}),
        ("conv", (image(1, 1, 1),), {"norm": "instance"}),
        ("norm", (image(1, 1, 1),), {"kind": "instance"}),
        ("mbconv", (image(1, 8, 8),), {"expansion": 0}),
        ("join", (image(1, 8, 8), image(1, 4, 4)), {}),
        ("head", (image(1, 8, 8),), {"pool": "sum"}),
    ],
    ids=range(9),
)
def test_what_does_not_fit_is_refused(op: str, inputs: tuple[TensorType, ...], params: dict[str, int | str]) -> None:
    with pytest.raises(InvalidShapeError):
        OPS[op].infer(inputs, params)


def test_joins_norms_and_squeezes() -> None:
    joined = OPS["join"].infer((image(1, 8, 8), image(2, 8, 8)), {})
    assert joined.shape == ("example", 3, 8, 8)
    layer = OPS["join"].layer((image(1, 8, 8), image(2, 8, 8)), {}).build()
    assert layer(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 8, 8)).shape == (1, 3, 8, 8)
    for kind in ("batch", "instance"):
        norm = OPS["norm"].layer((image(4, 6, 6),), {"kind": kind}).build()
        assert abs(float(norm(torch.randn(8, 4, 6, 6) + 3).detach().mean())) < 1e-5
    for op in ("residual", "mbconv"):
        block = OPS[op].layer((image(4, 6, 6),), {"squeeze": True, "width": 4}).build()
        assert block(torch.randn(2, 4, 6, 6)).shape == (2, 4, 6, 6)


class TestSmall(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> YamlSpace:
        return load_space("imaging/small")


class TestDefault(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> YamlSpace:
        return load_space("imaging/default")
