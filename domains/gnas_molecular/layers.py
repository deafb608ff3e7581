"""Message passing on molecules. Copied as source into exported models, so it imports torch and torch-geometric only.

Shapes: `x` (atom, channels), `bonds` (bond, bond_channels) and `edge_index` (2, bond) with every bond in both
directions, rows 2k and 2k + 1; `batch` (atom,) the molecule of each atom, non-decreasing; `molecules` any tensor
with one row a molecule, read for its number of rows only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv, GINEConv
from torch_geometric.nn.resolver import activation_resolver
from torch_geometric.utils import scatter


class GIN(nn.Module):
    """Graph isomorphism layer with a two-layer perceptron. Source: Xu et al. 2019, eq. 4.1, arXiv:1810.00826."""

    def __init__(self, channels: int, width: int, activation: str) -> None:
        super().__init__()
        inner = nn.Sequential(nn.Linear(channels, width), activation_resolver(activation), nn.Linear(width, width))
        self.convolution = GINConv(inner, train_eps=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, width)`."""
        result: Tensor = self.convolution(x, edge_index)
        return result


class GINE(nn.Module):
    """Graph isomorphism layer that adds bond features to the messages. Source: Hu et al. 2020, arXiv:1905.12265."""

    def __init__(self, channels: int, bond_channels: int, width: int, activation: str) -> None:
        super().__init__()
        inner = nn.Sequential(nn.Linear(channels, width), activation_resolver(activation), nn.Linear(width, width))
        self.convolution = GINEConv(inner, train_eps=True, edge_dim=bond_channels)

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, width)`."""
        result: Tensor = self.convolution(x, edge_index, bonds)
        return result


class PNA(nn.Module):
    """Principal neighbourhood aggregation: mean, maximum, minimum and standard deviation, scaled by degree.

    Source: Corso et al. 2020, eq. 5-8, arXiv:2004.05718; `towers` as there. torch-geometric's `PNAConv` has the same
    maths; it is not used because its extrema do not pass the TorchScript ONNX exporter (`scatter_reduce` without the
    initial value), and because messages computed atom by atom before they meet the bonds take a fraction of its time.

    Args:
        channels: Features of an atom.
        bond_channels: Features of a bond.
        width: Features of the result; divisible by `towers`.
        towers: Independent groups of features.
        mean_log_degree: Mean of log(degree + 1) over the atoms of the training set.
    """

    def __init__(self, channels: int, bond_channels: int, width: int, towers: int, mean_log_degree: float) -> None:
        super().__init__()
        self.towers = towers
        self.mean_log_degree = mean_log_degree
        self.target = nn.Linear(channels, width)
        self.source = nn.Linear(channels, width, bias=False)
        self.bond = nn.Linear(bond_channels, width, bias=False)
        size = width // towers
        bound = (13 * size) ** -0.5
        # Per tower: the four aggregates to the three scalings (identity, amplification, attenuation) of one output.
        self.mix = nn.Parameter(torch.empty(towers, 4 * size, 3 * size).uniform_(-bound, bound))
        self.own = nn.Linear(channels, width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, width)`."""
        source, target = edge_index[0], edge_index[1]
        n_atoms = x.shape[0]
        message = self.target(x)[target] + self.source(x)[source] + self.bond(bonds)
        degree = scatter(torch.ones_like(message[:, :1]), target, 0, n_atoms, "sum")
        mean = scatter(message, target, 0, n_atoms, "sum") / degree.clamp(min=1.0)
        # NOTE: not mean(m²) - mean(m)², whose cancellation alone costs more than the tolerance between runtimes.
        variance = scatter((message - mean[target]).square(), target, 0, n_atoms, "sum") / degree.clamp(min=1.0)
        deviation = torch.where(variance > 1e-5, variance.clamp(min=1e-5).sqrt(), torch.zeros_like(variance))
        both = torch.cat([message, -message], 1)
        index = target.unsqueeze(1).expand_as(both)
        # NOTE: the initial value must take part (`include_self`): without it the ONNX exporters differ from torch.
        extreme = torch.full_like(x[:, :1], -1e30).repeat(1, both.shape[1]).scatter_reduce(0, index, both, "amax")
        largest, negated = torch.where(degree > 0, extreme, torch.zeros_like(extreme)).chunk(2, 1)
        grouped = [part.unflatten(1, (self.towers, -1)) for part in (mean, largest, -negated, deviation)]
        mixed = torch.bmm(torch.cat(grouped, 2).transpose(0, 1), self.mix).transpose(0, 1)
        plain, amplified, attenuated = mixed.chunk(3, 2)
        amplification = ((degree + 1.0).log() / self.mean_log_degree).unsqueeze(2)
        attenuation = self.mean_log_degree / (degree.clamp(min=1.0) + 1.0).log().unsqueeze(2)
        scaled = plain + amplification * amplified + attenuation * attenuated
        result: Tensor = self.output(self.own(x) + scaled.flatten(1))
        return result


class DMPNN(nn.Module):
    """Messages on directed bonds, none of which returns where it came from; atoms gather them at the end.

    Source: Yang et al. 2019, eq. 1-5 (the network of chemprop), doi:10.1021/acs.jcim.9b00237; one weight for all steps.

    Args:
        channels: Features of an atom.
        bond_channels: Features of a bond.
        width: Features of a message and of the result.
        steps: Rounds of messages between bonds; zero gathers the initial ones.
        activation: Name of the activation.
        dropout: Probability.
    """

    def __init__(
        self, channels: int, bond_channels: int, width: int, steps: int, activation: str, dropout: float
    ) -> None:
        super().__init__()
        self.steps = steps
        self.atom = nn.Linear(channels, width)
        self.bond = nn.Linear(bond_channels, width, bias=False)
        self.update = nn.Linear(width, width)
        self.output = nn.Linear(channels + width, width)
        self.activation = activation_resolver(activation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, width)`."""
        source, target = edge_index[0], edge_index[1]
        first = self.atom(x)[source] + self.bond(bonds)
        message = self.activation(first)
        for _ in range(self.steps):
            arriving = scatter(message, target, 0, x.shape[0], "sum")[source]
            pairs = message.reshape(message.shape[0] // 2, 2, message.shape[1])
            reverse = torch.stack([pairs[:, 1], pairs[:, 0]], 1).flatten(0, 1)
            message = self.dropout(self.activation(first + self.update(arriving - reverse)))
        gathered = scatter(message, target, 0, x.shape[0], "sum")
        result: Tensor = self.dropout(self.activation(self.output(torch.cat([x, gathered], 1))))
        return result


class FeedForward(nn.Module):
    """Two-layer perceptron around which the values pass, then layer normalisation. Any shape `(…, channels)`."""

    def __init__(self, channels: int, expansion: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(channels, expansion * channels),
            activation_resolver(activation),
            nn.Dropout(dropout),
            nn.Linear(expansion * channels, channels),
            nn.Dropout(dropout),
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.norm(x + self.inner(x))
        return result


class BondUpdate(nn.Module):
    """New bond features from the bond and its two atoms. Source: Battaglia et al. 2018, eq. 1, arXiv:1806.01261.

    The first layer is computed atom by atom and bond by bond and added, which equals one layer on the three joined.
    """

    def __init__(self, channels: int, bond_channels: int, width: int, activation: str) -> None:
        super().__init__()
        self.ends = nn.Linear(channels, 2 * width)
        self.bond = nn.Linear(bond_channels, width, bias=False)
        self.inner = nn.Sequential(activation_resolver(activation), nn.Linear(width, width))

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Bonds `(bond, width)`."""
        source, target = self.ends(x).chunk(2, 1)
        result: Tensor = self.inner(source[edge_index[0]] + target[edge_index[1]] + self.bond(bonds))
        return result
