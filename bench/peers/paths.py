"""The path-encoding ensemble of BANANAS.

Source: White, Neiswanger and Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
Search", AAAI 2021, arXiv:1910.11858, sections 3 and 4. Deviations: ReLU networks of three layers, 64 wide, trained on
squared error of standardised values (theirs: ten layers of 20, mean absolute percentage error).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gnas.space.protocol import Codes, Space
from peers.cells import Cell, cells

Vector = NDArray[np.float64]
_MEMBERS = 5
_STEPS = 400
_MOST_PATHS = 200


def path_encoding_ensemble(space: Space, codes: Codes, values: Vector, asked: Codes, seed: int) -> Vector:
    """Mean of five networks on which op paths from input to output occur; columns are the paths of the labelled."""
    known = [_paths(cell) for cell in cells(space, codes)]
    column = {path: i for i, path in enumerate(sorted(set().union(*known)))}
    x, at = _encode(known, column), _encode([_paths(cell) for cell in cells(space, asked)], column)
    y = torch.tensor((values - values.mean()) / max(float(values.std()), 1e-12), dtype=torch.float32)
    out: Vector = np.mean([_trained(x, y, at, seed * _MEMBERS + i) for i in range(_MEMBERS)], axis=0)
    return out


_seen: dict[Cell, frozenset[tuple[str, ...]]] = {}


def _paths(cell: Cell) -> frozenset[tuple[str, ...]]:
    """Sequences of ops from a source to an output; at most `_MOST_PATHS` end in one node."""
    if cell not in _seen:
        to: list[set[tuple[str, ...]]] = []
        for op, inputs in zip(cell.ops, cell.inputs, strict=True):
            before = set().union(*(to[i] for i in inputs)) if inputs else {()}
            to.append({(*path, op) for path in sorted(before)[:_MOST_PATHS]})
        _seen[cell] = frozenset(set().union(*(to[i] for i in cell.outputs)))
    return _seen[cell]


def _encode(paths: list[frozenset[tuple[str, ...]]], column: dict[tuple[str, ...], int]) -> torch.Tensor:
    out = np.zeros((len(paths), len(column)), dtype=np.float32)
    for row, some in enumerate(paths):
        out[row, [column[path] for path in some if path in column]] = 1.0
    return torch.from_numpy(out)


def _trained(x: torch.Tensor, y: torch.Tensor, at: torch.Tensor, seed: int) -> Vector:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-4)
    for _ in range(_STEPS):
        batch = torch.randperm(len(x))[:64]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[batch])[:, 0], y[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        out: Vector = model(at)[:, 0].numpy().astype(np.float64)
    return out
