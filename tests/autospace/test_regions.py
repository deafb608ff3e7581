from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model, verify
from gnas.errors import SpaceError


class Positions(nn.Module):
    """As language models do: angles of positions without gradients, in full precision."""

    def __init__(self, device: str = "cuda") -> None:
        super().__init__()
        self.linear, self.head = nn.Linear(4, 6), nn.Linear(6, 2)
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.rand(6))
        self.device = device

    def forward(self, x: Tensor) -> Any:
        y = self.linear(x)
        with torch.no_grad():
            scale = y.abs().mean(-1, keepdim=True)
            with torch.autocast(device_type=self.device, enabled=self.device == "cpu"):
                angles = torch.arange(x.shape[1])[:, None] * self.frequencies
                cosine, sine = angles.cos(), angles.sin()
        return self.head(y * cosine / (scale + 1) + sine)


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_regions_without_gradients() -> None:
    model = Positions()
    space = space_from_model(model, (torch.randn(2, 5, 4),))
    assert verify(space, space.smallest()) < 1e-5
    module = space.build(space.full())
    x = torch.randn(3, 5, 4)
    torch.testing.assert_close(module(x), model(x))
    module(x).square().sum().backward()
    model(x).square().sum().backward()
    torch.testing.assert_close(module.get_parameter("linear.weight").grad, model.linear.weight.grad)


def test_lower_precision_inside_is_refused() -> None:
    with pytest.raises(SpaceError, match="lower precision inside its forward"):
        space_from_model(Positions("cpu"), (torch.randn(2, 5, 4),))
