"""Layers of the generic ops. Their source is copied into exported models, so this module imports torch only."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Add(nn.Module):
    """Sum of values of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Same shape as each value."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total


class Average(Add):
    """Mean of values of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Same shape as each value."""
        return super().forward(*values) / len(values)


class Multiply(nn.Module):
    """Product of values of one shape, element by element."""

    def forward(self, *values: Tensor) -> Tensor:
        """Same shape as each value."""
        product = values[0]
        for value in values[1:]:
            product = product * value
        return product


class Maximum(nn.Module):
    """Largest of values of one shape, element by element."""

    def forward(self, *values: Tensor) -> Tensor:
        """Same shape as each value."""
        largest = values[0]
        for value in values[1:]:
            largest = torch.maximum(largest, value)
        return largest


class Concat(nn.Module):
    """Values side by side along the last dimension."""

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(…, sum of the last dimensions)`."""
        return torch.cat(values, -1) if len(values) > 1 else values[0]


class Perceptron(nn.Module):
    """Hidden layers of one width with activation and dropout, then, if `out` is given, a linear layer.

    Args:
        channels: Features of the input, or of the inputs side by side.
        width: Features of a hidden layer.
        depth: Number of hidden layers.
        activation: A class of `torch.nn` by name.
        dropout: Probability, after every hidden layer.
        out: Features of the result; None ends after the last hidden layer.
        norm: Whether the input passes a layer normalisation first.
    """

    def __init__(
        self, channels: int, width: int, depth: int, activation: str, dropout: float, out: int | None, norm: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LayerNorm(channels)] if norm else []
        for _ in range(depth):
            layers += [nn.Linear(channels, width), getattr(nn, activation)(), nn.Dropout(dropout)]
            channels = width
        if out is not None:
            layers.append(nn.Linear(channels, out))
        self.layers = nn.Sequential(*layers)

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(…, out or width)`."""
        result: Tensor = self.layers(torch.cat(values, -1) if len(values) > 1 else values[0])
        return result


class ResidualPerceptron(nn.Module):
    """`x + perceptron(norm(x))` with one hidden layer. Any shape `(…, channels)`.

    Source: the feed-forward block of Xiong et al. 2020, section 3.2 (pre-normalisation), arXiv:2002.04745.
    """

    def __init__(self, channels: int, width: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.inner = Perceptron(channels, width, 1, activation, dropout, channels, False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = x + self.inner(self.norm(x))
        return result
