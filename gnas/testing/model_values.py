"""Values of random models, and the smallest parts that take each kind of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

Kind = Literal["map", "sequence", "vector", "nodes"]


@dataclass(frozen=True, slots=True)
class Value:
    """What a step of a random model returns.

    Attributes:
        kind: `map` `(n, channel, size, size)`, `sequence` `(n, size, channel)`, `vector` `(n, channel)` or `nodes`
            `(node, channel)` of a batch of graphs.
        channels: How many.
        size: Side of a map, length of a sequence, 0 otherwise.
    """

    kind: Kind
    channels: int
    size: int = 0

    @property
    def axis(self) -> int:
        """The dimension of channels."""
        return 1 if self.kind == "map" else -1


@dataclass(frozen=True, slots=True)
class Spec:
    """What a layer is made from.

    Attributes:
        value: Its first input.
        width: A number of channels that it may use for its output or inside.
        variant: Chooses among forms of the layer.
    """

    value: Value
    width: int
    variant: int


def mix(value: Value, width: int, variant: int = 0) -> nn.Module:
    """A trainable map from the channels of a value to `width` channels, other dimensions kept."""
    into = value.channels
    if value.kind == "map":
        kernel = (1, 3)[variant % 2]
        groups = 1
        if variant % 3 == 2:
            groups = into if into == width else 2 if into % 2 == 0 and width % 2 == 0 else 1
        return nn.Conv2d(into, width, kernel, padding=kernel // 2, groups=groups, bias=variant % 5 > 1)
    if value.kind == "sequence" and variant % 3 == 1:
        return OverTime(nn.Conv1d(into, width, 3, padding=1))
    return nn.Linear(into, width, bias=variant % 5 > 0)


def norm(value: Value, variant: int = 0) -> nn.Module:
    """Batch, layer or group normalisation."""
    channels = value.channels
    if value.kind == "map":
        groups = 2 if channels % 2 == 0 else 1
        return nn.GroupNorm(groups, channels) if variant % 3 == 1 else nn.BatchNorm2d(channels)
    if value.kind == "sequence" or variant % 2:
        return nn.LayerNorm(channels)
    return nn.BatchNorm1d(channels)


def activation(variant: int = 0) -> nn.Module:
    """One of six."""
    return (nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.PReLU())[variant % 6]


def block(value: Value, width: int, variant: int, out: int | None = None) -> nn.Sequential:
    """Normalise, mix to `width`, activate, mix back (to `out`)."""
    out = value.channels if out is None else out
    inner = Value(value.kind, width, value.size)
    return nn.Sequential(
        norm(value, variant), mix(value, width, variant), activation(variant), mix(inner, out, variant + 1)
    )


class OverTime(nn.Module):
    """A layer of `(n, channel, time)` for sequences `(n, time, channel)`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.transpose(1, 2))
        return out.transpose(1, 2)
