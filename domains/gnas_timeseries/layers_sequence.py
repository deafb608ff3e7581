"""Recurrent layers, attention and poolings on series `(series, channel, step)`.

Copied as source into exported models, so it imports torch only.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Recurrent(nn.Module):
    """A recurrent layer.

    Args:
        channels: Of the input.
        width: Of the result, of both directions together.
        cell: `GRU` or `LSTM`.
        bidirectional: Whether half of the result comes from a pass from the end to the beginning.
    """

    def __init__(self, channels: int, width: int, cell: str, bidirectional: bool) -> None:
        super().__init__()
        hidden = width // 2 if bidirectional else width
        self.layer = getattr(nn, cell)(channels, hidden, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, steps)`."""
        result: Tensor = self.layer(x.transpose(1, 2))[0].transpose(1, 2)
        return result


class AttentionBlock(nn.Module):
    """Self-attention and a perceptron, each with a residual connection and normalised before.

    Source: Vaswani et al. 2017, arXiv:1706.03762, in the order of Xiong et al. 2020, section 3.2, arXiv:2002.04745.

    Args:
        channels: Of the series; a multiple of `heads`.
        heads: Of the attention.
        dropout: Probability, after both parts.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        self.second_norm = nn.LayerNorm(channels)
        self.perceptron = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        x = x.transpose(1, 2)
        n, steps, channels = x.shape
        parts = self.project(self.first_norm(x)).reshape(n, steps, 3, self.heads, channels // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.dropout(self.output(found.transpose(1, 2).reshape(n, steps, channels)))
        x = x + self.dropout(self.perceptron(self.second_norm(x)))
        return x.transpose(1, 2)


class PatchEmbedding(nn.Module):
    """Patches of consecutive steps, each as one step with a learnt mark of its place.

    Source: Nie et al. 2023, PatchTST, section 3.1, arXiv:2211.14730. Deviation: channels are mixed in the embedding.

    Args:
        channels, width: Of input and output.
        size: Steps in a patch; zeros fill the last one up.
        patches: Number of patches.
    """

    def __init__(self, channels: int, width: int, size: int, patches: int) -> None:
        super().__init__()
        self.size = size
        self.embed = nn.Conv1d(channels, width, size, stride=size)
        self.place = nn.Parameter(torch.empty(width, patches).normal_(0, 0.02))

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, patch)`."""
        missing = -x.shape[2] % self.size
        x = functional.pad(x, (0, missing)) if missing else x
        result: Tensor = self.embed(x) + self.place
        return result


class StridedPool(nn.Module):
    """The mean or the maximum of consecutive steps; the last stretch may be shorter.

    Args:
        kind: `max` or `mean`.
        size: Steps in a stretch.
    """

    def __init__(self, kind: str, size: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool1d(size, ceil_mode=True) if kind == "max" else nn.AvgPool1d(size, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, channel, ceil(steps / size))`."""
        result: Tensor = self.pool(x)
        return result


class GlobalPool(nn.Module):
    """One vector a series: means, maxima or last values of the channels, side by side.

    Args:
        modes: Some of `mean`, `max` and `last`.
    """

    def __init__(self, modes: list[str]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, modes * channel)`."""
        found = []
        for mode in self.modes:
            found.append(x.mean(2) if mode == "mean" else x.amax(2) if mode == "max" else x[:, :, -1])
        return torch.cat(found, 1) if len(found) > 1 else found[0]


class PiecesPool(nn.Module):
    """The means of consecutive pieces of a series, side by side: unlike one mean, they tell where something happened.

    Args:
        pieces: How many, nearly equally long; at most as many as steps.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, pieces * channel)`, piece after piece."""
        bounds = [piece * x.shape[2] // self.pieces for piece in range(self.pieces + 1)]
        return torch.cat([x[:, :, first:last].mean(2) for first, last in pairwise(bounds)], 1)


class AttentionPool(nn.Module):
    """The mean over time, each step weighed by a score learnt from its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, channel)`."""
        return (x * torch.softmax(self.score(x), 2)).sum(2)
