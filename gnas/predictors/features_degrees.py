"""Degrees by op, for many graphs at once.

Source: Kadlecová et al., "Surprisingly Strong Performance Prediction with Neural Graph Features" (GRAF), ICML 2024,
arXiv:2404.16551, section 3. Deviation: ops are nodes here, and degrees count the ops that a node reads and is read by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Floats, Singles, Source, read

Ops = NDArray[np.int16]


def degrees(ops: Ops, sources: list[tuple[Source, ...]], n_ops: int) -> tuple[Singles, Singles]:
    """How many nodes of each op every node reads, and how many of each read it.

    Args:
        ops: Op of each node, `(node, graph)`; `n_ops` is an op unknown, `n_ops + 1` no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        n_ops: Size of the vocabulary.

    Returns:
        In- and out-degrees, `(node, graph, op + 1)` each; the last counts ops unknown.
    """
    size, n = ops.shape
    incoming = np.zeros((size, n, n_ops + 2), dtype=np.float32)
    # One row and one op more take what stands for no node.
    outgoing = np.zeros((size + 1, n, n_ops + 2), dtype=np.float32)
    wide = np.concatenate([ops, np.full((1, n), n_ops + 1)]).astype(np.intp)[:, :, None]
    columns = np.arange(n)
    for i, slots in enumerate(sources):
        for slot in slots:
            at = slot * n + columns if isinstance(slot, int) else slot
            incoming[i].reshape(-1)[columns * (n_ops + 2) + read(wide, slot)[:, 0]] += 1.0
            outgoing.reshape(-1)[at * (n_ops + 2) + wide[i, :, 0]] += 1.0
    return incoming[..., :-1], outgoing[:-1, :, :-1]


def degree_features(
    ops: Ops, sources: list[tuple[Source, ...]], outputs: NDArray[np.bool_], routing: NDArray[np.bool_]
) -> Floats:
    """Degrees by op of neighbour: at inputs, at outputs, mean and maximum over nodes that route and over all nodes.

    Then in- and out-degree of the nodes of each op, mean and maximum. Shape `(graph, column)`.

    Args:
        ops, sources: As for `degrees`.
        outputs: Which nodes are outputs, `(node, graph)`.
        routing: Which ops only route, two entries more than there are ops.
    """
    n_ops, n = len(routing) - 2, ops.shape[1]
    real, hubs = ops <= n_ops, routing[ops]
    ends = np.zeros((n, 2, n_ops))
    sums, tops, hub_sums, hub_tops = (np.zeros((n, 2, n_ops), dtype=np.float32) for _ in range(4))
    own_sums, own_tops = (np.zeros((n * (n_ops + 2), 2), dtype=np.float32) for _ in range(2))
    base = np.arange(n) * (n_ops + 2)
    for i, both in enumerate(np.stack(degrees(ops, sources, n_ops), axis=2)):
        whole = both.sum(axis=2)
        both = both[:, :, :n_ops]
        sums += both
        np.maximum(tops, both, out=tops)
        for hub_rows in _rows(hubs[i]):
            hub_sums[hub_rows] += both[hub_rows]
            hub_tops[hub_rows] = np.maximum(hub_tops[hub_rows], both[hub_rows])
        for rows in _rows(real[i] & (whole[:, 0] == 0)):
            ends[rows, 0] += both[rows, 1]
        for rows in _rows(outputs[i]):
            ends[rows, 1] += both[rows, 0]
        own = base + ops[i]
        own_sums[own] += whole
        own_tops[own] = np.maximum(own_tops[own], whole)
    n_real, n_hubs = (np.maximum(kind.sum(axis=0), 1)[:, None, None] for kind in (real, hubs))
    n_own = np.maximum([(ops == op).sum(axis=0) for op in range(n_ops)], 1).T[:, :, None]
    owns = [part.reshape(n, n_ops + 2, 2)[:, :n_ops] for part in (own_sums, own_tops)]
    parts = [ends, hub_sums / n_hubs, hub_tops, sums / n_real, tops, owns[0] / n_own, owns[1]]
    return np.concatenate([part.reshape(n, -1).astype(np.float64) for part in parts], axis=1)


def _rows(which: NDArray[np.bool_]) -> list[slice | NDArray[np.intp]]:
    """The rows of a mask, as a slice where it is all, as no entry where it is empty."""
    if which.all():
        return [slice(None)]
    rows = np.flatnonzero(which)
    return [rows] if len(rows) else []
