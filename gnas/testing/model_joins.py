"""Layers of random models that read two values of one kind and size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from gnas.testing.model_values import Spec, Value, mix


class Add(nn.Module):
    """The sum of two values of one kind and size, the second one projected where its channels differ."""

    def __init__(self, spec: Spec, other: Value) -> None:
        super().__init__()
        same = other.channels == spec.value.channels
        self.project = nn.Identity() if same else mix(other, spec.value.channels, spec.variant)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + self.project(y)  # type: ignore[no-any-return]


class Join(nn.Module):
    """Two values of one kind and size side by side."""

    def __init__(self, spec: Spec, other: Value) -> None:
        super().__init__()
        self.axis = spec.value.axis

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([x, y], self.axis)


class Multiply(nn.Module):
    """One value gated by another of its kind and size."""

    def __init__(self, spec: Spec, other: Value) -> None:
        super().__init__()
        self.gate = mix(other, spec.value.channels, spec.variant)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate(y))


BINARY: Mapping[str, Callable[[Spec, Value], nn.Module]] = {"add": Add, "join": Join, "multiply": Multiply}
"""By name."""
