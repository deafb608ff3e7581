from __future__ import annotations

import torch
from torch import nn

from gnas.autospace import space_from_model
from gnas.autospace.groups import levels


def test_levels_are_eighths() -> None:
    assert levels(64) == (8, 16, 24, 32, 40, 48, 56, 64)
    assert levels(3) == (1, 2, 3)
    assert levels(2) == (1, 2)


def test_the_largest_channels_are_kept() -> None:
    first, last = nn.Linear(3, 4), nn.Linear(4, 2)
    model = nn.Sequential(first, nn.ReLU(), last)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([0.1, 3.0, 0.2, 2.0])[:, None].expand(4, 3))
        last.weight.fill_(1.0)
    space = space_from_model(model, (torch.ones(2, 3),))
    (group,) = space.groups
    assert (group.name, group.size) == ("width of 0", 4)
    assert set(group.places) == {("0.weight", 0), ("0.bias", 0), ("2.weight", 1)}
    module = space.build(space.decode(space.encode({group.name: 2})))
    assert module.get_parameter("0.weight")[:, 0].tolist() == [3.0, 2.0]


def test_inputs_and_outputs_are_no_choice() -> None:
    assert not space_from_model(nn.Sequential(nn.Linear(3, 4)), (torch.ones(2, 3),)).groups
