"""Small models for the tests of any model's space."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Model = TypeVar("Model", bound=nn.Module)


class Chain(nn.Module):
    """A perceptron without joins."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        return self.third(F.relu(self.second(F.relu(self.first(x)))))


class Residual(nn.Module):
    """One residual block with batch normalisation, kernels of one."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.block = nn.Sequential(
            nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, channels, 1)
        )
        self.head = nn.Linear(channels, 2)

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        x = x + self.block(x)
        return self.head(x.mean((2, 3)))


class Branches(nn.Module):
    """Two branches side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = nn.Linear(4, 6), nn.Linear(4, 3), nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Any:
        return self.head(torch.cat([F.relu(self.left(x)), torch.tanh(self.right(x))], 1))


class Attention(nn.Module):
    """Self-attention of two heads of four by reshaping, then a layer normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out, self.norm, self.head = nn.Linear(6, 24), nn.Linear(8, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Any:
        q, k, v = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape[0], x.shape[1], 8)
        return self.head(self.norm(x + self.out(y)))


class Recurrent(nn.Module):
    """Two layers of an LSTM in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True), nn.Linear(10, 2)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


class Branching(nn.Module):
    """A Python branch on a value, in a submodule or in the model itself."""

    class Inner(nn.Module):
        """The branch."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Any:
            return self.linear(x) if float(x.sum()) > 0 else x

    def __init__(self, *, inside: bool) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(4, 8), self.Inner(), nn.Linear(8, 2)
        self.inside = inside

    def forward(self, x: Tensor) -> Any:
        x = self.first(x)
        if self.inside:
            return self.last(self.inner(x))
        return self.last(x) if float(x.sum()) > 0 else self.last(-x)


def randomized(model: Model) -> Model:
    """The model with random statistics and factors of its normalisation layers."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            for name in ("weight", "bias", "running_mean", "running_var"):
                tensor = getattr(module, name, None)
                if "Norm" in type(module).__name__ and isinstance(tensor, Tensor):
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model
