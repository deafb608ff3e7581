"""Architectures as padded lists of nodes, for peers that look at graphs; remembered, because draws ask again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.space.protocol import Codes, Space


@dataclass(frozen=True, slots=True)
class Cell:
    """Ops of the nodes in topological order, predecessors of each, and outputs."""

    ops: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]


_memo: dict[tuple[str, bytes], Cell] = {}


def cells(space: Space, codes: Codes) -> list[Cell]:
    """The cell of each row."""
    out = []
    for row in codes:
        key = space.fingerprint, row.tobytes()
        if key not in _memo:
            architecture = space.decode(row)
            ops = tuple(node.op for node in architecture.nodes)
            _memo[key] = Cell(ops, tuple(node.inputs for node in architecture.nodes), architecture.outputs)
        out.append(_memo[key])
    return out


def padded(
    some: Sequence[Cell], vocabulary: dict[str, int], n_nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Op of each node, `(cell, node)`, the vocabulary's size for padding; adjacency, `(cell, from, to)`."""
    ops = np.full((len(some), n_nodes), len(vocabulary), dtype=np.int64)
    edges = np.zeros((len(some), n_nodes, n_nodes), dtype=np.float32)
    for i, cell in enumerate(some):
        ops[i, : len(cell.ops)] = [vocabulary[op] for op in cell.ops]
        for node, inputs in enumerate(cell.inputs):
            edges[i, list(inputs), node] = 1.0
    return ops, edges
