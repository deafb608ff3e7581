"""Which channels each op ties, by what is left of a model when one width is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnas.autospace import space_from_model, verify
from gnas.autospace.from_model import AutoSpace
from tests.autospace.networks import Attention, Recurrent, randomized


class Between(nn.Module):
    """A linear layer or convolution, something, and another."""

    def __init__(self, first: nn.Module, between: Callable[[Tensor], Tensor], last: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.last = first, between, last

    def forward(self, x: Tensor) -> Any:
        return self.last(self.between(self.first(x)))


def widths(space: AutoSpace) -> dict[str, int]:
    return {group.name.removeprefix("width of "): group.size for group in space.groups}


def halved(space: AutoSpace, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights when one group has half its channels; proves the sub-network on the way."""
    group = next(g for g in space.groups if g.name == f"width of {name}")
    chosen = {**dict(space.full().assignment), group.name: group.size // 2}
    architecture = space.decode(space.encode(chosen))
    assert verify(space, architecture) < 1e-5
    return {n: tuple(p.shape) for n, p in space.build(architecture).named_parameters()}


LINEAR = (nn.Linear, (torch.ones(3, 4),))
OPS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "relu": (F.relu, 8),
    "glu": (F.glu, 4),
    "chunk": (lambda x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1], 4),
    "transpose and flip back": (lambda x: x.t().contiguous().t(), 8),
    "reshaped like another": (lambda x: x.reshape_as(x * 2), 8),
    "centred": (lambda x: x - x.mean(1, keepdim=True), 8),
    "standardised": (lambda x: x / (x.std(1, keepdim=True, unbiased=False) + 1e-3), 8),
    "normalised": (lambda x: F.normalize(x, dim=1), 8),
    "variance of all": (lambda x: x / x.var(), 8),
    "gated by its mean": (lambda x: x * torch.sigmoid(x.mean(1, keepdim=True)), 8),
}


@pytest.mark.parametrize("name", OPS)
def test_ops_between_linear_layers(name: str) -> None:
    between, features = OPS[name]
    model = Between(nn.Linear(4, 8), between, nn.Linear(features, 2))
    space = space_from_model(model, (torch.randn(3, 4),))
    assert sum(widths(space).values()) == features
    shapes = halved(space, next(iter(widths(space))))
    assert shapes["first.weight"] == (4, 4) and shapes["last.weight"] == (2, features // 2)


WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: torch.softmax(x, 1),
    "maximum": lambda x: x / x.amax(1, keepdim=True),
    "sorted": lambda x: x.sort(1)[0],
    "unknown op": lambda x: torch.special.i0(x),
    "picked": lambda x: x[:, [0, 3, 2, 1, 4, 5, 6, 7]],
}


@pytest.mark.parametrize("name", WHOLE)
def test_ops_that_mix_channels_keep_them_whole(name: str) -> None:
    space = space_from_model(Between(nn.Linear(4, 8), WHOLE[name], nn.Linear(8, 2)), (torch.randn(3, 4),))
    assert not widths(space)


def test_an_op_without_a_rule_is_told() -> None:
    space = space_from_model(Between(nn.Linear(4, 8), torch.special.i0, nn.Linear(8, 2)), (torch.randn(3, 4),))
    assert [str(n.target) for n in space.structure.dimensions.unknown] == ["aten.special_i0.default"] * 2


IMAGES: dict[str, tuple[nn.Module, dict[str, tuple[int, ...]]]] = {
    "batch norm": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)),
        {"0.weight": (4, 3, 3, 3), "1.weight": (4,), "2.weight": (2, 4, 1, 1)},
    ),
    "depthwise": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 2, 1)),
        {"0.weight": (4, 3, 3, 3), "1.weight": (4, 1, 3, 3), "2.weight": (2, 4, 1, 1)},
    ),
    "transposed": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 2, 2, 2)),
        {"0.weight": (4, 3, 3, 3), "1.weight": (4, 2, 2, 2)},
    ),
    "pixel shuffle": (
        nn.Sequential(nn.Conv2d(3, 32, 3), nn.PixelShuffle(2), nn.Conv2d(8, 2, 1)),
        {"0.weight": (16, 3, 3, 3), "2.weight": (2, 4, 1, 1)},
    ),
    "flattened": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 2)),
        {"0.weight": (4, 3, 3, 3), "3.weight": (2, 16)},
    ),
    "layer norm": (
        nn.Sequential(nn.Flatten(2), nn.Linear(36, 8), nn.LayerNorm(8), nn.Linear(8, 2)),
        {"1.weight": (4, 36), "2.weight": (4,), "3.weight": (2, 4)},
    ),
    "PReLU": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Conv2d(8, 2, 1)),
        {"0.weight": (4, 3, 3, 3), "1.weight": (4,), "2.weight": (2, 4, 1, 1)},
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_layers_of_images(name: str) -> None:
    model, shapes = IMAGES[name]
    space = space_from_model(randomized(model), (torch.randn(2, 3, 6, 6),))
    (group,) = widths(space)
    found = halved(space, group)
    assert {n: found[n] for n in shapes} == shapes


def test_grouped_convolution_loses_groups_and_places() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 12, 3, groups=4), nn.GroupNorm(4, 12), nn.Conv2d(12, 2, 1))
    space = space_from_model(randomized(model), (torch.randn(2, 3, 6, 6),))
    assert sorted(widths(space).values()) == [2, 3, 4]
    for name, size in widths(space).items():
        if size == 4:
            assert halved(space, name)["1.weight"] == (6, 2, 3, 3)
        elif size == 2:
            assert halved(space, name)["1.weight"] == (12, 1, 3, 3)


def test_attention_loses_heads_and_places_of_heads() -> None:
    space = space_from_model(randomized(Attention()), (torch.randn(2, 5, 6),))
    assert sorted(widths(space).values()) == [2, 4]
    # Heads are a factor of queries, keys and values alike, and so are their places: all three come of one product.
    assert [halved(space, name)["qkv.weight"] for name in widths(space)] == [(12, 6), (12, 6)]


def test_hidden_units_of_an_lstm() -> None:
    space = space_from_model(Recurrent(), (torch.randn(2, 7, 3),))
    assert widths(space) == {"lstm.weight_ih_l0": 5}
    shapes = halved(space, "lstm.weight_ih_l0")
    assert shapes["lstm.weight_hh_l1_reverse"] == (8, 2) and shapes["head.weight"] == (2, 4)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_hidden_units_of_a_cell(cell: type[nn.Module]) -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = cell(3, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Any:
            hidden = x.new_zeros(x.shape[0], 6)
            state = (hidden, hidden) if cell is nn.LSTMCell else hidden
            for t in range(3):
                state = self.cell(x[:, t], state)
            return self.head(state[0] if cell is nn.LSTMCell else state)

    space = space_from_model(Steps(), (torch.randn(2, 3, 3),))
    (group,) = widths(space)
    assert halved(space, group)["cell.weight_hh"][1] == 3


def test_standardised_weights_keep_what_their_statistics_are_of() -> None:
    """As in networks without normalisation layers: each row of a weight by its own mean and variance."""

    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Any:
            rows = self.second.weight[None]
            weight = F.batch_norm(rows, None, None, training=True)[0]
            return self.last(F.linear(F.relu(self.first(x)), weight, self.second.bias))

    space = space_from_model(Standardised(), (torch.randn(3, 4),))
    assert widths(space) == {"second": 6}
    halved(space, "second")


def test_unused_weights_are_no_choice() -> None:

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.spare = nn.Linear(4, 2), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Any:
            return self.inner(x)

    assert not space_from_model(Wrapped(), (torch.ones(2, 4),)).groups


class Bags(nn.Module):
    """Bags of words and numbers, joined by a bilinear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bags = nn.EmbeddingBag(11, 6, mode="mean")
        self.numbers = nn.Linear(3, 8)
        self.both = nn.Bilinear(6, 8, 10)
        self.last = nn.Linear(10, 2)

    def forward(self, words: Tensor, numbers: Tensor) -> Any:
        return self.last(torch.relu(self.both(self.bags(words), self.numbers(numbers))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bags", {"bags.weight": (11, 3), "both.weight": (10, 3, 8)}),
        ("numbers", {"numbers.weight": (4, 3), "numbers.bias": (4,), "both.weight": (10, 6, 4)}),
        ("both", {"both.weight": (5, 6, 8), "both.bias": (5,), "last.weight": (2, 5)}),
    ],
)
def test_bags_and_bilinear_layers(name: str, expected: dict[str, tuple[int, ...]]) -> None:
    space = space_from_model(Bags(), (torch.randint(0, 11, (4, 5)), torch.randn(4, 3)))
    assert widths(space) == {"bags": 6, "numbers": 8, "both": 10}
    shapes = halved(space, name)
    assert {key: shapes[key] for key in expected} == expected


def test_a_bilinear_layer_is_counted() -> None:
    space = space_from_model(Bags(), (torch.randint(0, 11, (1, 5)), torch.randn(1, 3)))
    assert space.costs({})["macs"] == 3 * 8 + 10 * 6 * 8 + 10 * 2
