from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model, verify
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


class Windows(nn.Module):
    """Heads share channels in a product, and some of them go through a depthwise convolution of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Linear(5, 24)
        self.narrow, self.wide = nn.Conv1d(12, 12, 1, groups=12), nn.Conv1d(12, 12, 3, padding=1, groups=12)
        self.head = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Any:
        v = self.values(x).reshape(x.shape[0], x.shape[1], 4, 6)
        v = (v * torch.softmax(v, 1)).reshape(x.shape[0], x.shape[1], 24).transpose(1, 2)
        left, right = v.split([12, 12], 1)
        return self.head(torch.cat([self.narrow(left), self.wide(right)], 1).transpose(1, 2))


def test_heads_of_different_parts_are_different_groups() -> None:
    """Else all heads of one part could go, and a convolution without channels would be left."""
    space = space_from_model(Windows(), (torch.randn(2, 7, 5),))
    assert sorted(group.size for group in space.groups) == [2, 2, 6]
    assert verify(space, space.smallest()) < 1e-5
    assert space.build(space.smallest())(torch.randn(2, 7, 5)).shape == (2, 7, 2)
