from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import gnas
from gnas.errors import SpaceError
from tests.autospace.networks import Branches, Residual


def test_a_space_like_any_other() -> None:
    space = gnas.space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    assert space.name == "Residual"
    assert space.count() > 10
    architecture = space.sample(np.random.default_rng(0))
    assert isinstance(space.build(architecture), nn.Module)
    assert space.sample(np.random.default_rng(0)).digest == architecture.digest


def test_smallest_and_full() -> None:
    space = gnas.space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    counts = [sum(p.numel() for p in space.build(a).parameters()) for a in (space.smallest(), space.full())]
    sampled = space.sample(np.random.default_rng(1))
    assert counts[0] < sum(p.numel() for p in space.build(sampled).parameters()) <= counts[1]
    assert counts[1] == sum(p.numel() for p in Residual().parameters())


def test_an_architecture_of_another_model_is_refused() -> None:
    one = gnas.space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    other = gnas.space_from_model(Branches(), (torch.randn(2, 4),))
    with pytest.raises(SpaceError):
        one.build(other.full())


def test_the_model_is_left_as_it_was() -> None:
    model = Residual().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.block.eval()
    gnas.space_from_model(model, (torch.randn(2, 3, 6, 6),))
    assert model.training and not model.block.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
