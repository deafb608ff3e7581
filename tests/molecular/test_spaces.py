"""The molecular spaces: what they contain, that all of it builds and runs, and that it respects graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import pytest
import torch
from gnas_molecular.known import DEFAULT_NETWORK, STARTING_POINTS
from gnas_molecular.ops import molecular_ops
from gnas_molecular.testing import DEGREE_HISTOGRAM, INPUTS, permuted, random_batch
from torch import Tensor

from gnas.architecture import Architecture, Value
from gnas.build import Network
from gnas.errors import SpaceError
from gnas.ops import TensorType
from gnas.space import YamlSpace, load_space

OUTPUT = TensorType("molecules", ("molecule", 2))
OPS = molecular_ops(DEGREE_HISTOGRAM, 2)
NAMES = ("molecular/small", "molecular/default", "molecular/cells")
COUNTS = {"molecular/small": 288, "molecular/default": 19_919_088_000, "molecular/cells": 255_722_987_520}
SIZES = (6, 1, 9, 2, 14)

PLAIN: Mapping[str, Value] = {
    "hidden": 128,
    "positions": False,
    "depth": 3,
    "norm": "batch",
    "residual": True,
    "virtual_node": False,
    "jump": "last",
    "activation": "relu",
    "dropout": 0.1,
    "readout": "mean",
    "descriptors": 0,
    "raw_descriptors": False,
    "head": "head",
    "fingerprints": 0,
    "head_depth": 1,
    "head_width": 128,
}
BARE: Mapping[str, Value] = {**PLAIN, "norm": "none", "residual": False, "dropout": 0.0}
KNOWN: Mapping[str, tuple[Mapping[str, Value], tuple[str, ...]]] = {
    "GCN": ({**BARE, "conv": "gcn"}, ("gcn", "update") * 3),
    "GIN, all layers read out (Xu et al. 2019)": (
        {**BARE, "conv": "gin", "norm": "batch", "readout": "sum", "jump": "concat"},
        (*("gin", "update") * 3, "concat"),
    ),
    "GINE with descriptors": (
        {**PLAIN, "conv": "gine", "bond_update": False, "descriptors": 128},
        ("gine", "update") * 3,
    ),
    "GATv2": ({**BARE, "conv": "gatv2", "bond_update": False}, ("gatv2", "update") * 3),
    "PNA": ({**PLAIN, "conv": "pna", "bond_update": False}, ("pna", "update") * 3),
    "D-MPNN (chemprop's default depth)": (
        {**{k: v for k, v in BARE.items() if k != "jump"}, "hidden": 256, "depth": 1, "conv": "dmpnn", "steps": 2},
        ("dmpnn", "update"),
    ),
    "AttentiveFP": (
        {**BARE, "conv": "attentive_fp", "bond_update": False, "readout": "attentive"},
        ("attentive_fp", "update") * 3,
    ),
    "GPS with positional encodings": (
        {**BARE, "conv": "gps", "bond_update": False, "positions": True},
        ("gps", "update") * 3,
    ),
}


@pytest.fixture(scope="module", params=NAMES)
def space(request: pytest.FixtureRequest) -> YamlSpace:
    return bound(request.param)


@cache
def bound(name: str) -> YamlSpace:
    return load_space(name).bind(OPS, INPUTS, OUTPUT)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network_of(space: YamlSpace, architecture: Architecture) -> Network:
    network = space.build(architecture)
    assert isinstance(network, Network)
    return network


def values_of(network: Network, batch: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """The real value of every computing node."""
    seen: dict[int, Tensor] = {}
    hooks = [
        network.get_submodule(layer.name).register_forward_hook(
            lambda module, inputs, output, node=layer.node: seen.__setitem__(node, output)
        )
        for layer in network.layers
    ]
    network.call(batch)
    for hook in hooks:
        hook.remove()
    return seen


def test_the_number_of_assignments(space: YamlSpace) -> None:
    assert space.count() == COUNTS[space.name]


@pytest.mark.parametrize("n", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_every_architecture_builds_runs_and_has_the_declared_types(space: YamlSpace, n: int) -> None:
    batch = random_batch(SIZES)
    rows = {"atom": sum(SIZES), "bond": batch["edge_index"].shape[1], "molecule": len(SIZES)}
    rng = np.random.default_rng(1)
    for code in space.sample_codes(rng, n):
        network = network_of(space, space.decode(code))
        # A head of several members returns them all while it trains: types are declared of what is returned in use.
        seen = values_of(network.eval(), batch)
        for node, value in seen.items():
            declared = network.types[node].shape
            assert tuple(value.shape) == tuple(rows[d] if isinstance(d, str) else d for d in declared)
        result = network.train().call(batch)
        assert (result.shape[0], result.shape[-1]) == (len(SIZES), 2)
        torch.autograd.backward(result.square().sum())
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{name} of {network.architecture.assignment} takes no part"
            assert bool(torch.isfinite(parameter.grad).all())


def test_outputs_do_not_depend_on_the_order_of_atoms_nor_on_the_batch(space: YamlSpace) -> None:
    batch = random_batch(SIZES)
    other, _ = permuted(batch)
    alone = random_batch((1,))
    alone["descriptors"], alone["fingerprints"] = batch["descriptors"][1:2], batch["fingerprints"][1:2]
    atom = batch["batch"] == 1
    alone["atoms"], alone["positional"] = batch["atoms"][atom], batch["positional"][atom]
    for code in space.sample_codes(np.random.default_rng(2), 15):
        network = network_of(space, space.decode(code)).eval()
        expected = network.call(batch)
        scale = max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(network.call(other) / scale, expected / scale, atol=1e-5, rtol=0)
        torch.testing.assert_close(network.call(alone) / scale, expected[1:2] / scale, atol=1e-5, rtol=0)


def test_one_atom_can_be_trained_on(space: YamlSpace) -> None:
    batch = random_batch((1,))
    for code in space.sample_codes(np.random.default_rng(3), 15):
        network = network_of(space, space.decode(code)).train()
        result = network.call(batch)
        torch.autograd.backward(result.sum())
        assert bool(torch.isfinite(result).all())


@pytest.mark.parametrize("name", KNOWN)
def test_the_known_good_networks_are_members(name: str) -> None:
    space = bound("molecular/default")
    assignment, expected = KNOWN[name]
    architecture = space.decode(space.encode(assignment))
    assert space.contains(architecture)
    ops = [node.op for node in architecture.nodes if node.name.startswith(("layers.", "jump"))]
    assert tuple(ops) == expected
    branches = {node.op for node in architecture.nodes} & {"mlp"}
    assert bool(branches) == bool(assignment["descriptors"])
    assert network_of(space, architecture).call(random_batch(SIZES)).shape == (len(SIZES), 2)


def test_the_default_network_is_gine_with_descriptors() -> None:
    space = bound("molecular/default")
    architecture = space.decode(space.encode(DEFAULT_NETWORK))
    ops = [node.op for node in architecture.nodes]
    assert ops.count("gine") == 4
    assert "mlp" in ops
    assert dict(architecture.assignment) == dict(DEFAULT_NETWORK)


def test_a_space_with_a_slip_in_it_is_refused_before_anything_runs() -> None:
    with pytest.raises(SpaceError):
        load_space("molecular/default").bind(OPS, INPUTS, TensorType("molecules", ("molecule", 3)))


def test_same_seed_same_weights_and_output() -> None:
    space = bound("molecular/small")
    outputs = []
    for _ in range(2):
        torch.manual_seed(5)
        architecture = space.sample(np.random.default_rng(0))
        outputs.append(space.build(architecture).eval()(*random_batch(SIZES).values()))
    assert torch.equal(outputs[0], outputs[1])


@pytest.mark.parametrize("assignment", STARTING_POINTS, ids=range(len(STARTING_POINTS)))
def test_starting_points_are_members(assignment: Mapping[str, Value]) -> None:
    space = bound("molecular/default")
    architecture = space.decode(space.encode(assignment))
    assert dict(architecture.assignment) == dict(assignment)
    assert network_of(space, architecture).eval().call(random_batch(SIZES)).shape == (len(SIZES), 2)
