"""Attention between atoms: over bonds, over whole molecules. Copied as source into exported models, so it imports torch
and torch-geometric only. Shapes as in `layers.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.utils import scatter

from gnas_molecular.layers import GINE, FeedForward


def attend(scores: Tensor, values: Tensor, index: Tensor, size: int) -> Tensor:
    """Sums of `values` weighted by the softmax of `scores` over the rows with the same `index`.

    torch-geometric's `softmax` is not used: its ONNX export subtracts something other than the largest score, which
    overflows silently for large scores (measured: outputs wrong by 0.6 to 1.0 of their scale).

    Args:
        scores: `(row, head)`.
        values: `(row, head, channels)`.
        index: `(row,)` in 0 … size - 1.
        size: Number of sums.

    Returns:
        `(size, head · channels)`; zero where no row belongs.
    """
    rows = index.unsqueeze(1).expand_as(scores)
    floor = scores.new_full((size, scores.shape[1]), -1e30)
    largest = floor.scatter_reduce(0, rows, scores.detach(), "amax")
    weights = (scores - largest[index]).exp()
    weighted = torch.cat([(values * weights.unsqueeze(2)).flatten(1), weights], 1)
    total = scatter(weighted, index, 0, size, "sum")
    width = values.shape[1] * values.shape[2]
    numerator = total[:, :width].reshape(size, values.shape[1], values.shape[2])
    result: Tensor = (numerator / total[:, width:].clamp(min=1e-16).unsqueeze(2)).flatten(1)
    return result


class GATv2(nn.Module):
    """Attention over neighbours that sees bond features. Source: Brody et al. 2022, eq. 7, arXiv:2105.14491.

    Same maths as torch-geometric's `GATv2Conv(edge_dim=…, residual=True)`, see `attend` for why it is not that one.
    Deviation: an atom's own features come back through a learned projection instead of self-loops, which have no bond.
    """

    def __init__(self, channels: int, bond_channels: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.source = nn.Linear(channels, width)
        self.target = nn.Linear(channels, width)
        self.bond = nn.Linear(bond_channels, width, bias=False)
        self.own = nn.Linear(channels, width)
        bound = (6.0 / (width // heads + 1)) ** 0.5
        self.query = nn.Parameter(torch.empty(heads, width // heads).uniform_(-bound, bound))

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, width)`."""
        value = self.source(x)[edge_index[0]]
        joined = value + self.target(x)[edge_index[1]] + self.bond(bonds)
        # NOTE: `unflatten` fails in ONNX Runtime on a molecule without bonds; `reshape` to given sizes does not.
        shape = (value.shape[0], self.heads, value.shape[1] // self.heads)
        scores = (F.leaky_relu(joined, 0.2).reshape(shape) * self.query).sum(2)
        result: Tensor = self.own(x) + attend(scores, value.reshape(shape), edge_index[1], x.shape[0])
        return result


class AttentiveFP(nn.Module):
    """Attention over bonds, then a gated recurrent update of the atom. Source: Xiong et al. 2020,
    doi:10.1021/acs.jmedchem.9b00959. Deviation: bonds are read in every layer, not in the first only.
    """

    def __init__(self, channels: int, bond_channels: int, dropout: float) -> None:
        super().__init__()
        self.neighbour = nn.Linear(channels, channels)
        self.bond = nn.Linear(bond_channels, channels, bias=False)
        self.score_neighbour = nn.Linear(channels, 1)
        self.score_own = nn.Linear(channels, 1, bias=False)
        self.context = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.update = GatedUpdate(channels)

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor) -> Tensor:
        """Atoms `(atom, channels)`."""
        neighbour = F.leaky_relu(self.neighbour(x)[edge_index[0]] + self.bond(bonds))
        scores = F.leaky_relu(self.score_neighbour(neighbour) + self.score_own(x)[edge_index[1]])
        gathered = attend(scores, neighbour.unsqueeze(1), edge_index[1], x.shape[0])
        return F.relu(self.update(self.dropout(F.elu(self.context(gathered))), x))


class GatedUpdate(nn.Module):
    """Gated recurrent unit for one step. Source: Cho et al. 2014, eq. 5-8, arXiv:1406.1078.

    The maths of `torch.nn.GRUCell`, which the TorchScript ONNX exporter refuses for a number of rows that varies.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.message = nn.Linear(channels, 3 * channels)
        self.state = nn.Linear(channels, 3 * channels)

    def forward(self, message: Tensor, state: Tensor) -> Tensor:
        """The new state `(row, channels)`."""
        heard, held, n = self.message(message), self.state(state), self.channels
        reset = torch.sigmoid(heard[:, :n] + held[:, :n])
        keep = torch.sigmoid(heard[:, n : 2 * n] + held[:, n : 2 * n])
        proposal = torch.tanh(heard[:, 2 * n :] + reset * held[:, 2 * n :])
        result: Tensor = proposal + keep * (state - proposal)
        return result


class MoleculeAttention(nn.Module):
    """Full attention between the atoms of a molecule. Source: Vaswani et al. 2017, section 3.2, arXiv:1706.03762.

    The atoms of each molecule are laid out in a row as long as the largest molecule's. All sizes are tensors and none
    a Python number, unlike in `torch_geometric.utils.to_dense_batch`, whose length becomes a constant in ONNX.
    """

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.projection = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Atoms `(atom, channels)`."""
        counts = scatter(torch.ones_like(batch), batch, 0, molecules.shape[0], "sum")
        starts = counts.cumsum(0) - counts
        places = torch.arange(counts.max(), device=x.device)
        present = places.unsqueeze(0) < counts.unsqueeze(1)
        rows = (starts.unsqueeze(1) + places.unsqueeze(0)).clamp(max=x.shape[0] - 1)
        laid_out = self.projection(x)[rows].unflatten(2, (3, self.heads, -1))
        query, key, value = laid_out.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        scores = scores.masked_fill(~present.unsqueeze(1).unsqueeze(2), -1e9).softmax(3)
        mixed = (F.dropout(scores, self.dropout, self.training) @ value).transpose(1, 2).flatten(2)
        own = torch.arange(x.shape[0], device=x.device) - starts[batch]
        result: Tensor = self.output(mixed[batch, own])
        return result


class GPS(nn.Module):
    """Local messages (GINE) and attention over the whole molecule side by side, then a feed-forward block.

    Source: Rampasek et al. 2022, eq. 2-5, arXiv:2205.12454. Deviation: layer normalisation, which does not depend on
    the batch, in place of batch normalisation.
    """

    def __init__(self, channels: int, bond_channels: int, heads: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.local = GINE(channels, bond_channels, channels, activation)
        self.attention = MoleculeAttention(channels, heads, dropout)
        self.norm_local = nn.LayerNorm(channels)
        self.norm_attention = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels, 2, activation, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bonds: Tensor, edge_index: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Atoms `(atom, channels)`."""
        local = self.norm_local(x + self.dropout(self.local(x, bonds, edge_index)))
        attended = self.norm_attention(x + self.dropout(self.attention(x, batch, molecules)))
        result: Tensor = self.feed_forward(local + attended)
        return result
