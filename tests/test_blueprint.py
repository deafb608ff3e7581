from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gnas import blueprint as blueprints
from gnas.blueprint import build_layer
from gnas.evaluate.train import deterministic
from gnas.fills import LateFills
from gnas.layers import Perceptron, ResidualPerceptron
from gnas.ops import Layer


class Tied(nn.Module):
    """A parameter and a module under two names, a method, a buffer, and lists that point at the module's own parts."""

    offset: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = nn.Linear(width, width)
        self.two = nn.Linear(width, width)
        self.two.weight = self.one.weight
        self.again = self.one
        self.order: list[Any] = [self.two, {"first": self.one}]
        self.act = self.shift
        self.register_buffer("offset", torch.arange(width).float())

    def shift(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        second: torch.Tensor = self.order[0](self.act(self.again(x)))
        return second


class Masked(nn.Module):
    """Randomness that a fill does not tell: it has to be built anew each time."""

    mask: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mask", (torch.rand(width) < 0.5).float())
        self.weight = nn.Parameter(torch.randn(width) * 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.mask * self.weight


class Closed(nn.Module):
    """Holds a function that remembers this very module, which a copy must not share."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.call: Callable[[torch.Tensor], torch.Tensor] = lambda x: self.linear(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.call(x)
        return result


LAYERS = (
    Layer(
        Perceptron,
        {"channels": 6, "width": 5, "depth": 2, "activation": "ReLU", "dropout": 0, "out": 3, "norm": True},
    ),
    Layer(ResidualPerceptron, {"channels": 6, "width": 12, "activation": "GELU", "dropout": 0.0}),
    Layer(nn.LSTM, {"input_size": 6, "hidden_size": 4, "num_layers": 2}),
    Layer(nn.MultiheadAttention, {"embed_dim": 6, "num_heads": 2}),
    Layer(nn.BatchNorm1d, {"num_features": 6}),
    Layer(Tied, {"width": 6}),
    Layer(Masked, {"width": 6}),
    Layer(Closed, {"width": 6}),
)
IDS = [layer.factory.__name__ for layer in LAYERS]


def build(layer: Layer, seed: int = 0) -> nn.Module:
    with deterministic(seed):
        fills = LateFills(seed)
        module = build_layer(layer, fills)
        fills.draw()
    return module


def outputs(module: nn.Module) -> torch.Tensor:
    x = torch.linspace(-1, 1, 24).reshape(4, 6)
    module.eval()
    result = module(x, x, x) if isinstance(module, nn.MultiheadAttention) else module(x)
    output: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return output


@pytest.mark.parametrize("layer", LAYERS, ids=IDS)
def test_a_copy_is_what_the_constructor_builds(layer: Layer) -> None:
    build(layer)
    made, fresh = build(layer), layer.build()
    assert repr(made) == repr(fresh)
    assert list(made.state_dict()) == list(fresh.state_dict())
    assert [(k, type(m), sorted(vars(m))) for k, m in made.named_modules()] == [
        (k, type(m), sorted(vars(m))) for k, m in fresh.named_modules()
    ]
    assert [(k, p.requires_grad) for k, p in made.named_parameters()] == [
        (k, p.requires_grad) for k, p in fresh.named_parameters()
    ]
    fresh.load_state_dict(made.state_dict())
    assert torch.equal(outputs(made), outputs(fresh))
    assert torch.equal(outputs(copy.deepcopy(made)), outputs(fresh))


@pytest.mark.parametrize("layer", LAYERS, ids=IDS)
def test_numbers_depend_on_the_seed_alone(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on whether the process has built the layer before."""
    monkeypatch.setattr(blueprints, "_BLUEPRINTS", {})
    first = [value.clone() for value in build(layer, 3).state_dict().values()]
    other, again = build(layer, 4), build(layer, 3)
    assert all(map(torch.equal, first, again.state_dict().values()))
    if layer.factory is not nn.BatchNorm1d:
        assert not all(map(torch.equal, first, other.state_dict().values()))


@pytest.mark.parametrize("layer", LAYERS, ids=IDS)
def test_copies_share_nothing_that_changes(layer: Layer) -> None:
    one, other = build(layer), build(layer)
    before = [value.clone() for value in other.state_dict().values()]
    output = outputs(other).detach().clone()
    with torch.no_grad():
        for tensor in (*one.parameters(), *one.buffers()):
            tensor.fill_(9)
    one.register_forward_hook(lambda *_: torch.zeros(1))
    assert all(map(torch.equal, before, other.state_dict().values()))
    assert torch.equal(outputs(other), output)
    ours, theirs = ({t.data_ptr() for t in (*m.parameters(), *m.buffers())} for m in (one, other))
    assert not ours & theirs
    assert not {id(m) for m in one.modules()} & {id(m) for m in other.modules()}


def test_ties_survive() -> None:
    build(LAYERS[5])
    tied = build(LAYERS[5])
    assert isinstance(tied, Tied)
    assert tied.one.weight is tied.two.weight
    assert tied.again is tied.one
    assert tied.order[0] is tied.two
    assert tied.act.__self__ is tied  # type: ignore[attr-defined]


def test_training_a_copy_reaches_the_weights_of_a_recurrent_layer() -> None:
    lstm = build(LAYERS[2])
    outputs(lstm).sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in lstm.parameters())
