from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model
from gnas.autospace.functional import op_name
from gnas.autospace.trace import trace


class Writing(nn.Module):
    """A linear layer, and something that writes in place."""

    def __init__(self, write: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.write = nn.Linear(4, 4), write

    def forward(self, x: Tensor) -> Any:
        return self.write(self.linear(x))


def into_a_view(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, 1] = x[:, 0] * 2
    return x


def twice(x: Tensor) -> Tensor:
    return x.relu_().mul_(2).add_(x)


def through_a_view(x: Tensor) -> Tensor:
    rows = x.view(-1)
    x.mul_(3)
    return rows.view(x.shape) + x


def power(x: Tensor) -> Tensor:
    return (x.abs() + 1).pow_(-0.5)


def masked(x: Tensor) -> Tensor:
    return x.masked_fill_(x < 0, 0.5)


WRITES = {f.__name__: f for f in (into_a_view, twice, through_a_view, power, masked)}


@pytest.mark.parametrize("name", WRITES)
def test_writes_become_values(name: str) -> None:
    model = Writing(WRITES[name])
    x = torch.randn(3, 4)
    traced = trace(model, (x,))
    assert not any(op_name(n).endswith("_") for p in traced.programs for n in p.graph.nodes)
    space = space_from_model(model, (x,))
    module = space.build(space.full())
    other = torch.randn(5, 4)
    torch.testing.assert_close(module(other), model(other))
    module(other).sum().backward()
    assert module.get_parameter("linear.weight").grad is not None


def test_complex_writes_have_gradients() -> None:
    class Spectral(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3, 2))

        def forward(self, x: Tensor) -> Any:
            spectrum = torch.fft.rfft(x, dim=1)
            out = torch.zeros_like(spectrum)
            out[:, :2] = spectrum[:, :2] * torch.view_as_complex(self.weight)[:2, :1].T
            return torch.fft.irfft(out, n=x.shape[1], dim=1)

    model = Spectral()
    space = space_from_model(model, (torch.randn(2, 8),))
    module = space.build(space.full()).train()
    x = torch.randn(3, 8)
    torch.testing.assert_close(module(x), model(x))
    module(x).square().sum().backward()


def nested(x: Tensor) -> Tensor:
    x = x * 1
    x[1:, 2:][:, 0] = x[:-1, 0]
    x[0].mul_(3)
    x[:, 1:3].copy_(torch.ones(1))
    return x


def shared_view(x: Tensor) -> Tensor:
    x = x * 1
    row = x[0]
    x[:, 1] = 5.0
    return x + row


@pytest.mark.parametrize("write", [nested, shared_view])
def test_writes_to_parts(write: Callable[[Tensor], Tensor]) -> None:
    model = Writing(write)
    x = torch.randn(3, 4)
    space = space_from_model(model, (x,))
    module = space.build(space.full())
    torch.testing.assert_close(module(x), model(x))
    module(x).square().sum().backward()
    model(x).square().sum().backward()
    torch.testing.assert_close(module.get_parameter("linear.weight").grad, model.linear.weight.grad)
