"""The GCN regressor.

Source: Wen et al., "Neural Predictor for Neural Architecture Search", ECCV 2020, arXiv:1912.00848, section 3.2: three
layers that average a convolution along the edges and one against them, width 144, mean over nodes, one hidden layer of
128. Deviations: learning rate 0.002 with cosine decay, batches of 32, 1,000 steps (theirs: 0.0001, batches of 10, 300
epochs), linear output on standardised values instead of a logistic one on accuracies.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnas.space.protocol import Codes, Space
from peers.cells import cells, padded

Vector = NDArray[np.float64]
_STEPS = 1000


class _Gcn(nn.Module):
    def __init__(self, n_ops: int, width: int = 144) -> None:
        super().__init__()
        widths = [n_ops, width, width, width]
        self.n_ops = n_ops
        self.along = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.against = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 1))

    def forward(self, ops: Tensor, edges: Tensor) -> Tensor:
        real = (ops < self.n_ops).float()[:, :, None]
        h = nn.functional.one_hot(ops, self.n_ops + 1)[:, :, :-1].float()
        loops = torch.eye(ops.shape[1])
        forward = _normalised(edges.transpose(1, 2) + loops)
        backward = _normalised(edges + loops)
        for along, against in zip(self.along, self.against, strict=True):
            h = (torch.relu(forward @ along(h)) + torch.relu(backward @ against(h))) / 2 * real
        # A cell that is pruned away has no node: its mean is zero.
        pooled = h.sum(1) / real.sum(1).clamp(min=1)
        out: Tensor = self.head(pooled)[:, 0]
        return out


def _normalised(adjacency: Tensor) -> Tensor:
    return adjacency / adjacency.sum(2, keepdim=True)


def gcn_regressor(space: Space, codes: Codes, values: Vector, asked: Codes, seed: int) -> Vector:
    """Predictions of one network."""
    torch.manual_seed(seed)
    train, at = cells(space, codes), cells(space, asked)
    vocabulary = {op: i for i, op in enumerate(sorted({op for cell in [*train, *at] for op in cell.ops}))}
    n_nodes = max(len(cell.ops) for cell in [*train, *at])
    ops, edges = (torch.from_numpy(part) for part in padded(train, vocabulary, n_nodes))
    y = torch.tensor((values - values.mean()) / max(float(values.std()), 1e-12), dtype=torch.float32)
    model = _Gcn(len(vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        batch = torch.randperm(len(y))[:32]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(ops[batch], edges[batch]), y[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    model.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(at), 4096):
            ops, edges = (torch.from_numpy(p) for p in padded(at[start : start + 4096], vocabulary, n_nodes))
            parts.append(model(ops, edges).numpy().astype(np.float64))
    return np.concatenate(parts)
