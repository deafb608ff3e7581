"""Whole numbers read from tensors: graphs counted by `int(batch.max()) + 1`, as graph networks do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model, verify
from gnas.autospace.whole_numbers import Whole, symbolic
from gnas.errors import SpaceError


class Pooled(nn.Module):
    """Residual layers on nodes, then a sum for each graph."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor, batch: Tensor) -> Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = x + torch.relu(layer(x))
        n = int(batch.max()) + 1
        pooled = x.new_zeros(n, x.shape[1]).index_add(0, batch, x)
        out: Tensor = self.head(pooled)
        return out


def graphs(n: int) -> tuple[Tensor, Tensor]:
    batch = torch.arange(n).repeat_interleave(3)
    return torch.randn(3 * n, 5), batch


def test_the_number_of_graphs_may_vary() -> None:
    space = space_from_model(Pooled(), graphs(4))
    assert space.structure.traced.training is not None
    assert space.count() > 4
    rng = np.random.default_rng(0)
    for n in (1, 2, 7):
        architecture = space.sample(rng)
        network = space.build(architecture)
        assert network.eval()(*graphs(n)).shape == (n, 3)
        network.train()(*graphs(n)).sum().backward()
        assert verify(space, architecture) < 1e-5


def test_int_is_itself_again_afterwards() -> None:
    space_from_model(Pooled(), graphs(4))
    assert "int" not in globals()


def test_int_still_does_what_it_did() -> None:
    scope: dict[str, Any] = {}
    with symbolic([scope]):
        kind: Any = scope["int"]
        assert scope["int"] is Whole
        assert (kind("7"), kind(2.5), kind("ff", 16), kind()) == (7, 2, 255, 0)
        assert kind(torch.tensor(3)) == 3
        assert isinstance(4, kind)
        assert not isinstance("4", (kind, float))
        assert issubclass(bool, kind)
    assert scope == {}


def test_a_branch_on_such_a_number_names_the_line() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(5, 5)

        def forward(self, x: Tensor, batch: Tensor) -> Tensor:
            n = int(batch.max())
            out: Tensor = self.a(x) if n > 2 else x
            return out

    with pytest.raises(SpaceError, match=r"test_whole_numbers\.py:\d+ in forward"):
        space_from_model(Branching(), graphs(4))
