"""Degrees by op, for many graphs at once.

Source: Kadlecová et al., "Surprisingly Strong Performance Prediction with Neural Graph Features" (GRAF), ICML 2024,
arXiv:2404.16551, section 3. Deviation: ops are nodes here, and degrees count the ops that a node reads and is read by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Floats, Source, read

Ops = NDArray[np.int16]
Degrees = NDArray[np.uint16]


def degrees(ops: Ops, sources: list[tuple[Source, ...]], n_ops: int) -> Degrees:
    """How many nodes of each op every node reads, and how many of each read it.

    Args:
        ops: Op of each node, `(node, graph)`; `n_ops` is an op unknown, `n_ops + 1` no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        n_ops: Size of the vocabulary.

    Returns:
        In- and out-degrees, `(2, node, graph, op + 2)`, those of no node to be ignored.
    """
    size, n = ops.shape
    # One row more takes what stands for no node.
    both = np.zeros((2, size + 1, n, n_ops + 2), dtype=np.uint16)
    incoming, outgoing = both[0].reshape(size + 1, -1), both[1].reshape(-1)
    wide = np.concatenate([ops, np.full((1, n), n_ops + 1)]).astype(np.intp)[:, :, None]
    columns = np.arange(n)
    first = columns * (n_ops + 2)
    for i, slots in enumerate(sources):
        for slot in slots:
            at = slot * n + columns if isinstance(slot, int) else slot
            incoming[i][first + read(wide, slot)[:, 0]] += 1
            outgoing[at * (n_ops + 2) + wide[i, :, 0]] += 1
    return both[:, :size]


def degree_features(
    ops: Ops, sources: list[tuple[Source, ...]], outputs: NDArray[np.bool_], routing: NDArray[np.bool_]
) -> Floats:
    """Degrees by op of neighbour: at inputs, at outputs, mean and maximum over nodes that route, maximum over all.

    Then in- and out-degree of the nodes of each op, mean and maximum. Shape `(graph, column)`.

    Args:
        ops, sources: As for `degrees`.
        outputs: Which nodes are outputs, `(node, graph)`.
        routing: Which ops only route, two entries more than there are ops.
    """
    n_ops, n = len(routing) - 2, ops.shape[1]
    kinds = n_ops + 2
    real, hubs = ops <= n_ops, routing[ops]
    both = degrees(ops, sources, n_ops)
    whole = both[..., : n_ops + 1].sum(axis=3, dtype=np.uint16)
    at_ends, hub_sums, hub_tops, tops = (np.zeros((2, n, kinds), dtype=np.uint16) for _ in range(4))
    own_sums, own_tops = (np.zeros((2, n * kinds), dtype=np.uint16) for _ in range(2))
    first = np.arange(n) * kinds
    for i in range(len(ops)):
        for rows in _rows(real[i] & (whole[0, i] == 0)):
            at_ends[0][rows] += both[1, i][rows]
        for rows in _rows(outputs[i]):
            at_ends[1][rows] += both[0, i][rows]
        own = first + ops[i]
        for side in range(2):
            here = both[side, i]
            np.maximum(tops[side], here, out=tops[side])
            for rows in _rows(hubs[i]):
                hub_sums[side][rows] += here[rows]
                hub_tops[side][rows] = np.maximum(hub_tops[side][rows], here[rows])
            own_sums[side][own] += whole[side, i]
            own_tops[side][own] = np.maximum(own_tops[side][own], whole[side, i])
    n_hubs = np.maximum(hubs.sum(axis=0), 1)[:, None]
    n_own = np.maximum([(ops == op).sum(axis=0) for op in range(n_ops)], 1).T
    own_sums, own_tops = own_sums.reshape(2, n, kinds), own_tops.reshape(2, n, kinds)
    parts = [*at_ends, *(hub_sums / n_hubs), *hub_tops, *tops, *(own_sums[..., :n_ops] / n_own), *own_tops]
    return np.concatenate([part[:, :n_ops].astype(np.float64) for part in parts], axis=1)


def _rows(which: NDArray[np.bool_]) -> list[slice | NDArray[np.intp]]:
    """The rows of a mask, as a slice where it is all, as no entry where it is empty."""
    if which.all():
        return [slice(None)]
    rows = np.flatnonzero(which)
    return [rows] if len(rows) else []
