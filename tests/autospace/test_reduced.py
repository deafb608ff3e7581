from __future__ import annotations

import torch

from gnas.autospace import space_from_model
from gnas.autospace.records import DROP
from tests.autospace.networks import Branches, Residual


def test_segments_of_a_residual_network() -> None:
    space = space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    ops = [node.op for node in space.full().nodes]
    assert ops == ["input", "conv2d", "conv2d+batch_norm+relu+conv2d", "add+mean+linear"]


def test_widths_are_parameters_of_segments() -> None:
    space = space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    sizes = dict(space.smallest().nodes[-1].params)["head.weight"]
    assert sizes == (2, 1)


def test_a_dropped_operand_leaves_no_segment() -> None:
    space = space_from_model(Branches(), (torch.randn(2, 4),))
    name = next(u.name for u in space.units if u.module == "left")
    left = space.decode(space.encode({**dict(space.full().assignment), name: DROP}))
    assert [n.op for n in left.nodes] == ["input", "linear+tanh+cat+linear"]
    assert left.digest != space.full().digest
