from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gnas.autospace import space_from_model, verify
from gnas.autospace.cut import Mask
from gnas.autospace.records import DROP
from gnas.autospace.structure import Structure
from gnas.autospace.verify import masked_original
from tests.autospace.networks import Residual, randomized


def test_the_masked_original_is_the_model_with_zeros() -> None:
    """By hand: a dropped block reads as zeros."""
    model = randomized(Residual())
    x = torch.randn(2, 3, 6, 6)
    space = space_from_model(model, (x,))
    name = next(u.name for u in space.units if u.module.startswith("block"))
    removal = space.removal({name: DROP})
    (got,) = masked_original(space.structure, removal, x)
    with torch.no_grad():
        torch.testing.assert_close(got, model.head(model.stem(x).mean((2, 3))))


def test_removed_channels_read_as_zeros() -> None:
    """By hand: the inner channels of the block that are removed, and those only."""
    model = randomized(Residual()).eval()
    x = torch.randn(2, 3, 6, 6)
    space = space_from_model(model, (x,))
    group = next(g for g in space.groups if "block.0" in g.name)
    removal = space.removal({group.name: group.kept[0]})
    kept = removal.classes[space.structure.classes.label[space.structure.dimensions.tensors["block.0.weight"][0]]]
    assert int(kept.sum()) == group.kept[0]
    (got,) = masked_original(space.structure, removal, x)
    with torch.no_grad():
        y = model.stem(x)
        inner = model.block[:3](y)
        inner[:, torch.from_numpy(~kept)] = 0
        torch.testing.assert_close(got, model.head((y + model.block[3:](inner)).mean((2, 3))))


def test_a_wrong_network_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof sees a sub-network whose weights are not the inherited ones."""
    space = space_from_model(randomized(Residual()), (torch.randn(2, 3, 6, 6),))
    architecture = space.sample(np.random.default_rng(0))
    assert verify(space, architecture) < 1e-5
    right = Structure.inherited

    def wrong(self: Structure, name: str, classes: Mask) -> torch.Tensor:
        tensor = right(self, name, classes)
        return nn.Parameter(tensor + 0.1) if name == "head.weight" else tensor

    monkeypatch.setattr(Structure, "inherited", wrong)
    assert verify(space, architecture) > 1e-3
