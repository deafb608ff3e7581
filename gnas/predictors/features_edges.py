"""Edges between ops, for many graphs at once. Nodes that only route are passed through.

So a graph whose ops stand on edges, joined by sums, is seen as one whose ops read one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Singles, Source, read

Ops = NDArray[np.int16]


def op_edges(
    ops: Ops, sources: list[tuple[Source, ...]], outputs: NDArray[np.bool_], passed: NDArray[np.bool_]
) -> Singles:
    """How often one op reads another, `(graph, op + 1, op + 1)`.

    The reader comes first, its last entry being what is outside and reads the outputs; then what is read, the last
    being ops unknown.

    Args:
        ops: Op of each node, `(node, graph)`; two kinds more than there are ops: unknown, and no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        outputs: Which nodes are outputs, `(node, graph)`.
        passed: Which ops are passed through, two entries more than there are ops.
    """
    (size, n), n_ops = ops.shape, len(passed) - 2
    kinds = n_ops + 1
    own = np.concatenate([np.eye(kinds, dtype=np.float32), np.zeros((1, kinds), dtype=np.float32)])
    shown = np.empty((size + 1, n, kinds), dtype=np.float32)
    shown[size] = 0.0
    counts = np.zeros((n * (kinds + 2), kinds), dtype=np.float32)
    reader = np.arange(n) * (kinds + 2) + ops
    outside = np.arange(n) * (kinds + 2) + kinds + 1
    stops, ends = ~passed[ops], np.logical_or.reduce(outputs, axis=1)
    stops_all, stops_some = np.logical_and.reduce(stops, axis=1), np.logical_or.reduce(stops, axis=1)
    for i, slots in enumerate(sources):
        met = read(shown, slots[0]) if slots else shown[size]
        for slot in slots[1:]:
            met = np.add(met, read(shown, slot), out=shown[i])
        counts[reader[i]] += met
        if stops_all[i]:
            own.take(ops[i], axis=0, out=shown[i], mode="clip")
        else:
            shown[i] = np.where(stops[i][:, None], own.take(ops[i], axis=0), met) if stops_some[i] else met
        if ends[i]:
            counts[outside] += shown[i] * outputs[i][:, None]
    return counts.reshape(n, kinds + 2, kinds)[:, [*range(n_ops), kinds + 1]]
