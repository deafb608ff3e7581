"""Costs added up layer by layer are those of the whole network, whether layers were met before or not."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.architecture import Architecture
from gnas.build import Network, NetworkLayer
from gnas.hardware.costs import count_costs
from gnas.hardware.counter import COST_EXAMPLES, CostCounter
from gnas.hardware.layerwise import LayerwiseCounter
from gnas.ops import Layer
from gnas.testing.toy import ToySpace, ToyTask

EXAMPLE = {"x": torch.randn(6, 8), "row": torch.tensor([0, 1, 0, 2, 1, 0])}


class Same(nn.Module):
    """Returns what it reads."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Transposed(nn.Module):
    """A view."""

    def forward(self, x: Tensor) -> Tensor:
        return x.t()


class FirstColumns(nn.Module):
    """A view of a tensor of its own, whose whole storage stays alive."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x, x], -1)[:, :2]


class Keeps(nn.Module):
    """Holds on to a tensor after it has returned."""

    def forward(self, x: Tensor) -> Tensor:
        self.held = x * 2
        return x + self.held


class Bias(nn.Module):
    """A parameter as a value, expanded without a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), 4)


class Gathered(nn.Module):
    """Reads a model input of integers beside its value."""

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        return x.new_zeros(int(row.max()) + 1, x.shape[1]).index_add(0, row, x)


class Rounded(nn.Module):
    """Integers, whose values later layers may depend on."""

    def forward(self, x: Tensor) -> Tensor:
        return x.argmax(-1)


class Taken(nn.Module):
    """As many rows as its second input says."""

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        return x[index[index < 4]]


def network(*layers: tuple[Layer, tuple[str, ...]]) -> Network:
    """A network of layers named a, b, c, … and what each reads."""
    named = [NetworkLayer(i, "abcdefgh"[i], layer, tuple(read), ()) for i, (layer, read) in enumerate(layers)]
    return Network(Architecture((), (), ()), (), tuple(named), ("x", "row"), named[-1].name)


def linear(inputs: int, outputs: int) -> Layer:
    return Layer(nn.Linear, {"in_features": inputs, "out_features": outputs})


NETWORKS = {
    "chain": lambda: network((linear(8, 16), ("x",)), (Layer(nn.Tanh), ("a",)), (linear(16, 2), ("b",))),
    "repeated": lambda: network(*[(linear(8, 8), (name,)) for name in ("x", "a", "b", "c")]),
    "long-lived": lambda: network(
        (linear(8, 32), ("x",)), (linear(32, 8), ("a",)), (linear(8, 32), ("b",)), (nn_bilinear(), ("a", "c"))
    ),
    "aliases": lambda: network(
        (linear(8, 8), ("x",)), (Layer(Same), ("a",)), (Layer(Transposed), ("b",)), (linear(6, 3), ("c",))
    ),
    "same input twice": lambda: network((nn_bilinear(8), ("x", "x")), (nn_bilinear(32, 8), ("a", "x"))),
    "part of a storage": lambda: network((Layer(FirstColumns), ("x",)), (linear(2, 9), ("a",))),
    "kept": lambda: network((Layer(Keeps), ("x",)), (linear(8, 3), ("a",)), (Layer(Keeps), ("a",))),
    "parameter": lambda: network((Layer(Bias), ("x",)), (linear(4, 5), ("a",))),
    "context": lambda: network((linear(8, 4), ("x",)), (Layer(Gathered), ("a", "row")), (linear(4, 4), ("b",))),
    "integers": lambda: network((Layer(Rounded), ("x",)), (Layer(Taken), ("x", "a")), (linear(8, 4), ("b",))),
}


def nn_bilinear(left: int = 32, right: int = 0) -> Layer:
    return Layer(nn.Bilinear, {"in1_features": left, "in2_features": right or left, "out_features": 32})


@pytest.mark.parametrize("name", NETWORKS)
def test_costs_are_those_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    counter = LayerwiseCounter(EXAMPLE, 6)
    whole = count_costs(NETWORKS[name](), EXAMPLE, examples=6)
    assert counter(NETWORKS[name]()) == whole
    assert counter(NETWORKS[name]()) == whole, "the second time from memory"


def test_layers_are_shared_between_networks_of_any_order() -> None:
    counter = LayerwiseCounter(EXAMPLE, 6)
    for name in [*NETWORKS, *reversed(NETWORKS)]:
        assert counter(NETWORKS[name]()) == count_costs(NETWORKS[name](), EXAMPLE, examples=6)


def test_a_layer_met_before_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = LayerwiseCounter(EXAMPLE, 6)
    counter(NETWORKS["chain"]())
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: pytest.fail("it was run"))
    counter(NETWORKS["chain"]())


def test_the_counter_of_a_task_travels_and_counts_the_same() -> None:
    space, task = ToySpace(), ToyTask.make().sealed()
    counter = CostCounter(task)
    for row in space.sample_codes(np.random.default_rng(0), 12):
        built = space.build(space.decode(row))
        whole = count_costs(built, task.example(COST_EXAMPLES), examples=COST_EXAMPLES).as_values()
        assert counter(built) == whole
        assert pickle.loads(pickle.dumps(counter))(built) == whole
    assert counter(nn.Linear(6, 2))["n_params"] == 14, "any other module is counted whole"
