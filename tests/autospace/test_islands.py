from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model, verify
from gnas.autospace.trace import trace
from tests.autospace.networks import Branching


class Deep(nn.Module):
    """The branch is two modules down, beside what can be traced; the outer module returns two tensors."""

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.inner = nn.Linear(8, 8), Branching.Inner()

        def forward(self, x: Tensor, scale: float) -> Any:
            y = self.inner(self.before(x))
            return y * scale, x

    def __init__(self) -> None:
        super().__init__()
        self.first, self.outer, self.last = nn.Linear(4, 8), self.Outer(), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        a, b = self.outer(self.first(x), 2.0)
        return self.last(torch.relu(a) + b)


class Optional(nn.Module):
    """A module that cannot be traced, with an argument and a result that are None."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, mask: Tensor | None, x: Tensor, *, factor: float = 1.0) -> Any:
            y = self.linear(x) if float(x.sum()) > 0 else x
            return (y if mask is None else y * mask) * factor, mask

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(4, 8), self.Inner(), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        y, mask = self.inner(None, self.first(x), factor=2.0)
        assert mask is None
        return self.last(y)


def test_the_smallest_part_is_opaque() -> None:
    traced = trace(Deep(), (torch.randn(2, 4),))
    assert list(traced.islands) == ["outer.inner"]


def test_what_an_island_reads_and_returns_stays_whole() -> None:
    space = space_from_model(Deep(), (torch.randn(2, 4),))
    names = {group.name for group in space.groups}
    assert "width of outer.inner.linear" not in names
    smallest = space.smallest()
    assert verify(space, smallest) < 1e-5
    module = space.build(smallest)
    for rows in (2, 5):
        assert module(torch.randn(rows, 4)).shape == (rows, 2)


def test_an_island_can_be_dropped_with_its_branch() -> None:
    space = space_from_model(Deep(), (torch.randn(2, 4),))
    rng = np.random.default_rng(0)
    dropped = [a for a in (space.sample(rng) for _ in range(12)) if not any("island" in n.op for n in a.nodes)]
    assert dropped
    assert not any("inner" in n for n, _ in space.build(dropped[0]).named_parameters())


def test_arguments_and_results_that_are_none() -> None:
    model = Optional()
    space = space_from_model(model, (torch.randn(2, 4),))
    module = space.build(space.full()).eval()
    x = torch.randn(3, 4)
    torch.testing.assert_close(module(x), model(x))
    assert verify(space, space.smallest()) < 1e-5
