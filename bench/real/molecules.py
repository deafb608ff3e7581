"""Which molecules pass the blood–brain barrier, scaffolds apart, and a graph isomorphism network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gnas_molecular.data import load_molecules
from gnas_molecular.featurise import ATOM_FEATURES, molecule_graph, parse
from gnas_molecular.options import MolecularData
from gnas_molecular.standardise import scaffold
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GINConv, global_add_pool

from gnas.data.parts import balanced_split
from real.task import Batch, Task

SEARCH_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Graphs:
    """Molecules of one part.

    Attributes:
        atoms: One `(atom, ATOM_FEATURES)` for each.
        edges: One `(2, 2 · bond)` for each.
        targets: `(molecule,)`.
    """

    atoms: tuple[Tensor, ...]
    edges: tuple[Tensor, ...]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, rows: Tensor) -> Batch:
        """Atoms, edges, the molecule of each atom, and where each molecule's atoms begin with the end of the last."""
        chosen = rows.tolist()
        sizes = torch.tensor([len(self.atoms[i]) for i in chosen])
        starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
        edges = torch.cat([self.edges[i] + starts[k] for k, i in enumerate(chosen)], 1)
        owner = torch.repeat_interleave(torch.arange(len(chosen)), sizes)
        return Batch((torch.cat([self.atoms[i] for i in chosen]), edges, owner, starts), self.targets[rows])


def load(folder: Path) -> Task:
    """The task of `molecules/bbbp.csv` in `folder`: balanced scaffold split of seed 0, its test part unread."""
    data = load_molecules(MolecularData(file="bbbp.csv", targets=("p_np",)), folder / "molecules")
    train, validation = data.parts.train, data.parts.validation
    keys = [scaffold(data.smiles[i]) for i in train]
    inner = balanced_split(keys, (1 - 2 * SEARCH_SHARE, SEARCH_SHARE, SEARCH_SHARE), np.random.default_rng(0))
    rest = np.concatenate([inner.train, inner.test])
    labels = data.labels[:, 0].astype(np.float32)
    return Task(
        name="BBBP, GIN",
        network=GIN,
        parts={
            "train": _graphs(data.smiles, labels, train[rest]),
            "search": _graphs(data.smiles, labels, train[inner.validation]),
            "validation": _graphs(data.smiles, labels, validation),
        },
        loss=functional.binary_cross_entropy_with_logits,
        scores=_scores,
        epochs=20,
        batch_size=64,
        learning_rate=1e-3,
        note="balanced scaffold split 80/10/10, seed 0; scaffolds of the training part set aside for the search",
    )


class GIN(nn.Module):
    """Isomorphism convolutions with residual connections, a sum over atoms, a perceptron.

    Source: Xu et al., How Powerful are Graph Neural Networks? (arXiv:1810.00826), eq. 4.1.
    """

    def __init__(self, features: int = ATOM_FEATURES, width: int = 64, layers: int = 5) -> None:
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.convolutions = nn.ModuleList(
            GINConv(
                nn.Sequential(
                    nn.Linear(width, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Linear(2 * width, width)
                ),
                train_eps=True,
            )
            for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(layers))
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 1))

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor, starts: Tensor) -> Tensor:
        """Logits `(graph,)` of atoms `(atom, feature)`, edges `(2, edge)`, owners `(atom,)`, starts `(graph + 1,)`."""
        x = self.embed(x)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = x + functional.relu(norm(convolution(x, edge_index)))
        pooled = global_add_pool(x, batch, size=starts.shape[0] - 1) / 16
        return self.head(pooled).squeeze(-1)  # type: ignore[no-any-return]


def _graphs(smiles: Sequence[str], labels: NDArray[np.float32], rows: NDArray[np.int64]) -> Graphs:
    graphs = [molecule_graph(parse(smiles[i])) for i in rows]
    atoms = tuple(torch.from_numpy(graph.atoms) for graph in graphs)
    edges = tuple(torch.from_numpy(graph.edge_index) for graph in graphs)
    return Graphs(atoms, edges, torch.from_numpy(labels[rows]))


def _scores(outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
    known, given = targets.numpy(), outputs.numpy()
    return {"AUROC": float(roc_auc_score(known, given)), "AUPRC": float(average_precision_score(known, given))}
