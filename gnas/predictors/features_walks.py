"""What a walker meets who starts at the outputs and steps back to a random input of each node, for many graphs at once.

Paths of few branchings count for more here than among all paths alike: where values are normalised before they are
joined, so they do in the sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Floats, Source, read

_ROUNDING = 1e-9


def walks(
    ops: NDArray[np.int16],
    sources: list[tuple[Source, ...]],
    outputs: NDArray[np.bool_],
    passed: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of how often the walk passes a member of each set, `(graph, set)` each.

    Args:
        ops: Op of each node, `(node, graph)`; two kinds more than there are ops: unknown, and no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        outputs: Which nodes are outputs, `(node, graph)`; where there are several, their walks are averaged.
        passed: Sets of ops whose members are counted, `(set, op)`.
    """
    (size, n), width = ops.shape, len(passed)
    counted = np.concatenate([passed.T, np.zeros((2, width))]).astype(np.float64)
    # First and second moments side by side.
    state = np.zeros((size + 1, n, 2 * width))
    total = np.zeros((n, 2 * width))
    counts_some = np.logical_or.reduce(np.logical_or.reduce(counted, axis=1)[ops], axis=1)
    ends = np.logical_or.reduce(outputs, axis=1)
    for i, slots in enumerate(sources):
        here = state[i]
        if slots:
            here[:] = read(state, slots[0])
        if len(slots) > 1:
            for slot in slots[1:]:
                here += read(state, slot)
            here /= _ways(slots, size * n)
        if counts_some[i]:
            own, mean = counted.take(ops[i], axis=0), here[:, :width]
            here[:, width:] += own * (mean + mean + own)
            mean += own
        if ends[i]:
            total += here * outputs[i][:, None]
    total /= np.maximum(outputs.sum(axis=0), 1)[:, None]
    mean = total[:, :width]
    variance = total[:, width:] - mean**2
    # Below this there is but rounding, which the root would blow up.
    return mean, np.sqrt(np.where(variance < _ROUNDING, 0.0, variance))


def _ways(slots: tuple[Source, ...], absent: int) -> Floats | float:
    """How many inputs a node has, at least 1: one number, or `(graph, 1)`; positions from `absent` on are none."""
    always = float(sum(isinstance(slot, int) for slot in slots))
    varying = [slot < absent for slot in slots if not isinstance(slot, int)]
    if not varying:
        return always
    ways: Floats = np.maximum(always + np.sum(varying, axis=0), 1.0)[:, None]
    return ways
