"""Random sub-networks just within limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import AutoSpace, space_from_model
from gnas.autospace.reductions import random_reduction
from gnas.autospace.shrink import every_width
from gnas.errors import SpaceError


class Net(nn.Module):
    """Two residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 4)) for width in (30, 40)
        )
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def space() -> AutoSpace:
    return every_width(space_from_model(Net().eval(), (torch.randn(4, 4),)))


def test_they_come_close_to_the_limit_and_differ(space: AutoSpace) -> None:
    limit = 0.5 * space.costs({})["n_params"]
    rows = np.stack([random_reduction(space, {"n_params": limit}, np.random.default_rng(k)) for k in range(12)])
    found = space.costs_of(rows)["n_params"]
    assert ((found <= limit) & (found >= 0.95 * limit)).all()
    assert space.contains_codes(rows).all()
    assert len(np.unique(rows, axis=0)) > 6


def test_the_tightest_of_several_limits_holds(space: AutoSpace) -> None:
    whole = space.costs({})
    limits = {"n_params": 0.9 * whole["n_params"], "macs": 0.4 * whole["macs"]}
    costs = space.costs_of(random_reduction(space, limits, np.random.default_rng(0))[None])
    assert costs["n_params"][0] <= limits["n_params"]
    assert 0.95 * limits["macs"] <= costs["macs"][0] <= limits["macs"]


def test_where_nothing_is_close_the_closest_is_taken() -> None:
    coarse = space_from_model(Net().eval(), (torch.randn(4, 4),))
    limit = coarse.costs({})["n_params"] - 1
    rows = [random_reduction(coarse, {"n_params": limit}, np.random.default_rng(k), slack=1e-9) for k in range(3)]
    found = coarse.costs_of(np.stack(rows))["n_params"]
    every = np.concatenate([coarse.costs_of(codes)["n_params"] for codes in coarse.iterate_codes()])
    assert (found == every[every <= limit].max()).all()


def test_limits_below_the_smallest_are_refused(space: AutoSpace) -> None:
    with pytest.raises(SpaceError, match="no sub-network keeps the limits"):
        random_reduction(space, {"n_params": 3.0}, np.random.default_rng(0))
