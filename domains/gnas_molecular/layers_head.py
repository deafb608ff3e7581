"""Heads of several members: with shared weights, or each with its own.

Copied as source into exported models, so it imports torch only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SharedLinear(nn.Module):
    """Linear layers of several members: one weight matrix, scaled by each member's own vectors before and after it.

    Source: Wen, Tran and Ba 2020, BatchEnsemble, eq. 2 to 5, arXiv:2002.06715.

    Args:
        members: Number of members.
        channels, width: Features of input and output.
        first: Whether the input scales start as random signs, so that members differ from the start; ones otherwise
            (Gorishniy et al. 2025, TabM, section 3, arXiv:2410.24210).
    """

    def __init__(self, members: int, channels: int, width: int, first: bool) -> None:
        super().__init__()
        self.shared = nn.Linear(channels, width, bias=False)
        signs = torch.randint(0, 2, (members, channels)).float() * 2 - 1
        self.before = nn.Parameter(signs if first else torch.ones(members, channels))
        self.after = nn.Parameter(torch.ones(members, width))
        bound = channels**-0.5
        self.bias = nn.Parameter(torch.empty(members, width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(molecule, member, width)` from `(molecule, member or 1, channels)`."""
        result: Tensor = self.shared(x * self.before) * self.after + self.bias
        return result


class EnsembleHead(nn.Module):
    """A head of several members with shared weights; its result is the mean of theirs.

    While it trains it returns every member's output, `(molecule, member, out)`, so that each member has a loss of its
    own. Source: Gorishniy et al. 2025, TabM, section 3, arXiv:2410.24210.

    Args:
        channels: Features of the inputs side by side.
        width: Features of a hidden layer.
        depth: Number of hidden layers, at least 1.
        activation: A class of `torch.nn` by name.
        dropout: Probability, after every hidden layer.
        out: Features of the result.
        norm: Whether the input passes a layer normalisation first.
        members: Number of members.
    """

    def __init__(
        self, channels: int, width: int, depth: int, activation: str, dropout: float, out: int, norm: bool, members: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LayerNorm(channels)] if norm else []
        for number in range(depth):
            layers += [SharedLinear(members, channels, width, number == 0), getattr(nn, activation)()]
            layers += [nn.Dropout(dropout)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.weight = nn.Parameter(torch.empty(members, channels, out).normal_(0, channels**-0.5))
        self.bias = nn.Parameter(torch.zeros(members, out))

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(molecule, out)`; `(molecule, member, out)` while training."""
        x = torch.cat(values, -1) if len(values) > 1 else values[0]
        hidden = self.layers(x.unsqueeze(1))
        outputs: Tensor = torch.matmul(hidden.unsqueeze(2), self.weight).squeeze(2) + self.bias
        return outputs if self.training else outputs.mean(1)


class PackedHead(nn.Module):
    """A head of several members with weights of their own, each reading its own random part of the inputs.

    Its result is the mean of theirs; while it trains it returns every member's output, `(molecule, member, out)`. What
    forests do with trees: members that see different features err differently. Source: Ho 1998, the random subspace
    method, doi:10.1109/34.709601; members computed as one product: Laurent et al. 2023, arXiv:2210.09184. Deviation:
    all members see all molecules.

    Many sparse inputs may pass a random projection first, which is never trained and another one for each member: a
    single projection that all members shared would lose the same for all of them.

    Args:
        channels: Features of the inputs side by side, projected ones not counted.
        width: Features of a hidden layer of one member.
        depth: Number of hidden layers, at least 1.
        activation: A class of `torch.nn` by name.
        dropout: Probability, after every hidden layer.
        out: Features of the result.
        norm: Whether the input passes a layer normalisation first.
        members: Number of members.
        part: Fraction of the inputs a member reads, above 0 and at most 1.
        projected: Features of the last input, if that one is to be projected; 0 where none is.
        projection: Features that each member's projection makes of them, all of which it reads.
        scale: Standard deviation of such a feature for a row of length 1.
    """

    mask: Tensor
    matrix: Tensor

    def __init__(
        self,
        channels: int,
        width: int,
        depth: int,
        activation: str,
        dropout: float,
        out: int,
        norm: bool,
        members: int,
        part: float,
        projected: int = 0,
        projection: int = 0,
        scale: float = 0.2,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels) if norm else nn.Identity()
        self.activation = getattr(nn, activation)()
        self.dropout = nn.Dropout(dropout)
        read = math.ceil(part * channels)
        chosen = torch.rand(members, channels).argsort(1) < read
        # The mask scales what is read, so that a hidden unit starts with the spread it would have on all inputs.
        size = ((channels + projection) / (read + projection)) ** 0.5
        mask = torch.cat([chosen.float(), torch.ones(members, projection)], 1) * size
        self.register_buffer("mask", mask.unsqueeze(1))
        self.projection = projection
        if projection:
            self.register_buffer("matrix", torch.empty(projected, members * projection).normal_(0, scale))
        channels += projection
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for _ in range(depth):
            bound = channels**-0.5
            self.weights.append(nn.Parameter(torch.empty(members, channels, width).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, width).uniform_(-bound, bound)))
            channels = width
        self.last_weight = nn.Parameter(torch.empty(members, channels, out).normal_(0, channels**-0.5))
        self.last_bias = nn.Parameter(torch.zeros(members, 1, out))

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(molecule, out)`; `(molecule, member, out)` while training."""
        plain = values[:-1] if self.projection else values
        x = self.norm(torch.cat(plain, -1) if len(plain) > 1 else plain[0]).unsqueeze(0)
        if self.projection:
            own = (values[-1] @ self.matrix).reshape(x.shape[1], -1, self.projection).transpose(0, 1)
            x = torch.cat([x.expand(own.shape[0], -1, -1), own], -1)
        x = x * self.mask
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = self.dropout(self.activation(torch.matmul(x, weight) + bias))
        outputs: Tensor = torch.matmul(x, self.last_weight) + self.last_bias
        return outputs.transpose(0, 1) if self.training else outputs.mean(0)
