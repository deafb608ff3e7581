"""From atoms to molecules and back: embedding, update, read-outs, virtual node.

Copied as source into exported models, so it imports torch and torch-geometric only. Shapes as in `layers.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import BatchNorm, GraphNorm
from torch_geometric.nn.resolver import activation_resolver
from torch_geometric.utils import scatter

from gnas_molecular.layers_attention import GatedUpdate, attend


class Embedding(nn.Module):
    """Linear embedding of one or several feature tensors of the same rows, side by side."""

    def __init__(self, channels: int, width: int, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, width)
        self.activation = nn.Identity() if activation == "none" else activation_resolver(activation)

    def forward(self, *values: Tensor) -> Tensor:
        """Rows `(row, width)`."""
        result: Tensor = self.activation(self.linear(torch.cat(values, 1) if len(values) > 1 else values[0]))
        return result


class Update(nn.Module):
    """What follows a convolution: normalisation, activation, dropout, and the sum with the value before it.

    Args:
        channels: Features of an atom.
        norm: `none`, `batch`, `layer` (each atom), `graph` (each molecule; Cai et al. 2021, arXiv:2009.03294).
        activation: Name of the activation, or `none`.
        dropout: Probability.
    """

    def __init__(self, channels: int, norm: str, activation: str, dropout: float) -> None:
        super().__init__()
        self.by_molecule = norm == "graph"
        self.norm: nn.Module = nn.Identity()
        if norm == "batch":
            # A batch with one atom, which torch refuses to train on, is normalised by the running statistics.
            self.norm = BatchNorm(channels, allow_single_element=True)
        elif norm == "layer":
            self.norm = nn.LayerNorm(channels)
        elif norm == "graph":
            self.norm = GraphNorm(channels)
        self.activation = nn.Identity() if activation == "none" else activation_resolver(activation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, *values: Tensor) -> Tensor:
        """Atoms `(atom, channels)` from `x, batch, molecules` or `x, before, batch, molecules`."""
        x, (batch, molecules) = values[0], values[-2:]
        x = self.norm(x, batch, molecules.shape[0]) if self.by_molecule else self.norm(x)
        x = self.dropout(self.activation(x))
        result: Tensor = x + values[1] if len(values) == 4 else x
        return result


class RandomProjection(nn.Module):
    """Rows times a random matrix that is never trained: angles and distances nearly stay, and there is nothing to fit.

    Thousands of fingerprint bits and a few hundred molecules let a trained layer learn them by heart; this one cannot.
    Source: Johnson and Lindenstrauss 1984; Achlioptas 2003, doi:10.1016/S0022-0000(03)00025-4.

    Args:
        channels: Features of a row.
        width: Features of the result.
        scale: Standard deviation of a feature of the result for a row of length 1.
    """

    matrix: Tensor

    def __init__(self, channels: int, width: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.empty(channels, width).normal_(0, scale))

    def forward(self, x: Tensor) -> Tensor:
        """Rows `(row, width)`."""
        return x @ self.matrix


class VirtualNode(nn.Module):
    """A node joined to all atoms of its molecule: it gathers their sum and tells all of them. Source: Gilmer et al.
    2017, section 5.2, arXiv:1704.01212. Deviation: what it remembers between layers, it remembers in the atoms.
    """

    def __init__(self, channels: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(channels, channels),
            nn.LayerNorm(channels),
            activation_resolver(activation),
            nn.Dropout(dropout),
            nn.Linear(channels, channels),
        )

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Atoms `(atom, channels)`."""
        result: Tensor = x + self.inner(scatter(x, batch, 0, molecules.shape[0], "sum"))[batch]
        return result


class ReadOut(nn.Module):
    """Sum, mean or maximum over the atoms of each molecule, or several of these side by side.

    The maximum is taken here and not by torch-geometric's `MaxAggregation`, whose ONNX export is wrong (it drops the
    initial value).
    """

    def __init__(self, modes: list[str]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Molecules `(molecule, len(modes) · channels)`."""
        n_molecules = molecules.shape[0]
        values = []
        for mode in self.modes:
            if mode == "max":
                floor = torch.full_like(molecules[:, :1], -1e30).repeat(1, x.shape[1])
                values.append(floor.scatter_reduce(0, batch.unsqueeze(1).expand_as(x), x, "amax"))
            else:
                values.append(scatter(x, batch, 0, n_molecules, mode))
        return torch.cat(values, 1) if len(values) > 1 else values[0]


class AttentionReadOut(nn.Module):
    """Sum of the atoms weighted by a softmax over the molecule. Source: Li et al. 2016, eq. 7, arXiv:1511.05493.

    Same maths as torch-geometric's `AttentionalAggregation`, see `attend` for why it is not that one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Molecules `(molecule, channels)`."""
        return attend(self.score(x), x.unsqueeze(1), batch, molecules.shape[0])


class Set2SetReadOut(nn.Module):
    """Repeated attention steered by an LSTM. Source: Vinyals et al. 2016, section 4.2, arXiv:1511.06391.

    Same maths as torch-geometric's `Set2Set`, see `attend` for why it is not that one.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.memory = nn.LSTM(2 * channels, channels)

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Molecules `(molecule, 2 · channels)`."""
        zero = torch.zeros_like(molecules[:, :1]).repeat(1, x.shape[1])
        held, cell = zero.unsqueeze(0), zero.unsqueeze(0)
        state = torch.cat([zero, zero], 1)
        for _ in range(self.steps):
            query, (held, cell) = self.memory(state.unsqueeze(0), (held, cell))
            scores = (x * query[0][batch]).sum(1, keepdim=True)
            state = torch.cat([query[0], attend(scores, x.unsqueeze(1), batch, molecules.shape[0])], 1)
        return state


class AttentiveReadOut(nn.Module):
    """The molecule as a node that attends to its atoms and is updated by a gated recurrent unit.

    Source: Xiong et al. 2020, doi:10.1021/acs.jmedchem.9b00959.
    """

    def __init__(self, channels: int, steps: int, dropout: float) -> None:
        super().__init__()
        self.steps = steps
        self.score_atom = nn.Linear(channels, 1)
        self.score_molecule = nn.Linear(channels, 1, bias=False)
        self.context = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.update = GatedUpdate(channels)

    def forward(self, x: Tensor, batch: Tensor, molecules: Tensor) -> Tensor:
        """Molecules `(molecule, channels)`."""
        n_molecules = molecules.shape[0]
        state = F.relu(scatter(x, batch, 0, n_molecules, "sum"))
        from_atom = self.score_atom(x)
        for _ in range(self.steps):
            scores = F.leaky_relu(from_atom + self.score_molecule(state)[batch])
            gathered = attend(scores, x.unsqueeze(1), batch, n_molecules)
            state = F.relu(self.update(self.dropout(F.elu(self.context(gathered))), state))
        return state
