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
    at_ends, hub_sums, hub_tops = (np.zeros((2, n, kinds), dtype=np.uint16) for _ in range(3))
    own_sums, own_tops = (np.zeros((2, n * kinds), dtype=np.uint16) for _ in range(2))
    owners = ops + np.arange(n) * kinds
    starts, ends, hub_rows = _rows(real & (whole[0] == 0)), _rows(outputs), _rows(hubs)
    for i, (starting, ending, hub, own) in enumerate(zip(starts, ends, hub_rows, owners, strict=True)):
        if len(starting):
            at_ends[0][starting] += both[1, i][starting]
        if len(ending):
            at_ends[1][ending] += both[0, i][ending]
        if len(hub) == n:
            hub_sums += both[:, i]
            np.maximum(hub_tops, both[:, i], out=hub_tops)
        elif len(hub):
            here = both[:, i, hub]
            hub_sums[:, hub] += here
            hub_tops[:, hub] = np.maximum(hub_tops[:, hub], here)
        own_sums[:, own] += whole[:, i]
        own_tops[:, own] = np.maximum(own_tops[:, own], whole[:, i])
    n_hubs = np.maximum(hubs.sum(axis=0), 1)[:, None]
    n_own = np.bincount(owners.ravel(), minlength=n * kinds).reshape(n, kinds)
    own_means = own_sums.reshape(2, n, kinds) / np.maximum(n_own, 1)
    own_tops = own_tops.reshape(2, n, kinds)
    parts = [*at_ends, *(hub_sums / n_hubs), *hub_tops, *both.max(axis=1), *own_means, *own_tops]
    return np.concatenate([part[:, :n_ops] for part in parts], axis=1, dtype=np.float64)


def _rows(mask: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """For each row of a mask, where it holds."""
    row, column = np.nonzero(mask)
    return np.split(column, np.searchsorted(row, np.arange(1, len(mask))))
