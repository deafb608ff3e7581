"""Dynamic programmes along paths, for many graphs at once.

Source: path features after Kadlecová et al., "Surprisingly Strong Performance Prediction with Neural Graph Features"
(GRAF), ICML 2024, arXiv:2404.16551, section 3. Deviations: any DAG instead of a few cells, paths from all inputs to all
outputs; besides paths confined to a set of ops, how often any path passes the set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Floats, Singles, Source, read

_EXACT_NODES = 120
"""A DAG of so many nodes has at most 2^118 paths: these and their lengths fit single precision."""


@dataclass(frozen=True, slots=True)
class Paths:
    """What there is to say about the paths of each graph, `(graph, set)` each.

    Attributes:
        shortest, longest: Extreme lengths over paths confined to each set; +inf and −inf where there is no path.
        number: Number of such paths.
        least, most, mean: Extremes and mean, over all paths, of how often a path passes a member of each set; +inf,
            −inf and 0 where there is no path.
    """

    shortest: Singles
    longest: Singles
    number: Floats
    least: Singles
    most: Singles
    mean: Floats


def paths(
    ops: NDArray[np.int16],
    sources: list[tuple[Source, ...]],
    outputs: NDArray[np.bool_],
    length: Floats,
    confined: NDArray[np.bool_],
    passed: NDArray[np.bool_],
) -> Paths:
    """Follows all paths from any source to any output.

    Args:
        ops: Op of each node, `(node, graph)`; one past the ops for an op unknown, which is without length and allowed
            everywhere, two past for no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        outputs: Which nodes are outputs, `(node, graph)`.
        length: Length of each op, `(op,)`.
        confined: Sets of ops that paths may be confined to, `(set, op)`; the last has all ops.
        passed: Sets of ops whose members are counted along paths, `(set, op)`.
    """
    (size, n), n_sets = ops.shape, len(confined)
    exact = np.float32 if size <= _EXACT_NODES else np.float64
    step, factor = _tables(length, confined, passed, exact)
    width = factor.shape[1]
    # Shortest and minus longest paths are both minima and share their steps, as numbers and masses do.
    extrema = np.empty((size + 1, n, 2 * width), dtype=np.float32)
    sums = np.empty((size + 1, n, width), dtype=exact)
    extrema[size], sums[size] = np.inf, 0.0
    best = np.full((n, 2 * width), np.inf, dtype=np.float32)
    total = np.zeros((n, width))
    alike, idle = np.logical_and.reduce(ops == ops[:, :1], axis=1), ~np.logical_or.reduce(step, axis=1)
    ends_all, ends_some = np.logical_and.reduce(outputs, axis=1), np.logical_or.reduce(outputs, axis=1)
    for i, slots in enumerate(sources):
        extremum, sum_ = extrema[i], sums[i]
        below, below_sum = _gathered(extrema, sums, slots, extremum, sum_)
        starts = _starts(slots, size, n)
        if starts is not None:
            extremum[:], sum_[:] = below, below_sum
            below, below_sum = extremum, sum_
            extremum[starts] = 0.0
            sum_[starts, :n_sets] = 1.0
            sum_[starts, n_sets:] = 0.0
        if alike[i] and n and idle[ops[i, 0]]:
            extremum[:], sum_[:] = below, below_sum
        else:
            op = ops[i, 0] if alike[i] and n else ops[i]
            np.add(below, step.take(op, axis=0), out=extremum)
            factors = factor.take(op, axis=0)
            np.multiply(below_sum[:, :n_sets], factors[..., :n_sets], out=sum_[:, :n_sets])
            np.add(below_sum[:, n_sets:], sum_[:, n_sets - 1 : n_sets] * factors[..., n_sets:], out=sum_[:, n_sets:])
        if ends_all[i]:
            np.minimum(best, extremum, out=best)
            total += sum_
        elif ends_some[i]:
            ends = outputs[i]
            best[ends] = np.minimum(best[ends], extremum[ends])
            total[ends] += sum_[ends]
    shortest, longest, number = best[:, :width], -best[:, width:], total[:, :n_sets]
    return Paths(
        shortest[:, :n_sets],
        longest[:, :n_sets],
        number,
        shortest[:, n_sets:],
        longest[:, n_sets:],
        total[:, n_sets:] / np.maximum(number[:, -1:], 1.0),
    )


def _gathered(
    extrema: Singles,
    sums: NDArray[np.floating],
    slots: tuple[Source, ...],
    extremum: Singles,
    sum_: NDArray[np.floating],
) -> tuple[Singles, NDArray[np.floating]]:
    """Least extrema and sums over what is read: in place of the node's own, or where they stand if it reads one."""
    if not slots:
        extremum[:], sum_[:] = np.inf, 0.0
        return extremum, sum_
    below, below_sum = read(extrema, slots[0]), read(sums, slots[0])
    for slot in slots[1:]:
        below = np.minimum(below, read(extrema, slot), out=extremum)
        below_sum = np.add(below_sum, read(sums, slot), out=sum_)
    return below, below_sum


def _starts(slots: tuple[Source, ...], size: int, n: int) -> NDArray[np.bool_] | slice | None:
    """Graphs in which a node reads nothing; None if it reads something in all."""
    if not slots:
        return slice(None)
    idle = np.ones(n, dtype=np.bool_)
    for slot in slots:
        if isinstance(slot, int):
            return None
        idle &= slot >= size * n
    return idle if idle.any() else None


def _tables(
    length: Floats, confined: NDArray[np.bool_], passed: NDArray[np.bool_], exact: type[np.floating]
) -> tuple[Singles, NDArray[np.floating]]:
    """What an op adds to extremes, `(op + 2, 2 * channel)`, and by what it multiplies sums, `(op + 2, channel)`."""
    n_sets, n_ops = confined.shape
    weight = np.zeros((n_ops + 2, n_sets + len(passed)))
    weight[:n_ops, :n_sets] = length[:, None]
    weight[:n_ops, n_sets:] = passed.T
    allowed = np.ones(weight.shape, dtype=np.bool_)
    allowed[:n_ops, :n_sets] = confined.T
    allowed[-1] = False
    step = np.concatenate([np.where(allowed, weight, np.inf), np.where(allowed, -weight, np.inf)], axis=1)
    factor = np.concatenate([allowed[:, :n_sets].astype(np.float64), weight[:, n_sets:]], axis=1)
    return step.astype(np.float32), factor.astype(exact)
