"""Edges between ops and bags of op-paths, for many graphs at once. Nodes that only route are passed through.

So a graph whose ops stand on edges, joined by sums, is seen as one whose ops read one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.graphs import Singles, Source, read

Ops = NDArray[np.int16]
Words = NDArray[np.uint64]

MOST_PATHS = 64
"""Graphs with more paths than this are described by walks of three ops instead."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(0xD6E8FEB86659FD93)


def op_walks(
    ops: Ops, sources: list[tuple[Source, ...]], outputs: NDArray[np.bool_], passed: NDArray[np.bool_], triples: bool
) -> tuple[Singles, Singles]:
    """How often an op reads another, and how often one reads another that reads a third.

    Args:
        ops: Op of each node, `(node, graph)`; two kinds more than there are ops: unknown, and no node.
        sources: What each node reads, as `GraphBatch.sources` tells.
        outputs: Which nodes are outputs, `(node, graph)`; what they give is read by one op more, "out".
        passed: Which ops are passed through, two entries more than there are ops.
        triples: Whether walks of three are wanted.

    Returns:
        Counts `(graph, op + 1, op + 2)`, reader first (the last is "out"), then what is read (the last is "unknown");
        and `(graph, op + 1, (op + 1)²)`, of no columns without `triples`.
    """
    (size, n), n_ops = ops.shape, len(passed) - 2
    kinds = n_ops + 1
    own = np.zeros((n_ops + 2, kinds), dtype=np.float32)
    own[np.arange(kinds), np.arange(kinds)] = 1.0
    wide = kinds + (kinds * kinds if triples else 0)
    state = np.zeros((size + 1, n, wide), dtype=np.float32)
    counts = np.zeros((n * (kinds + 2), wide), dtype=np.float32)
    base = np.arange(n) * (kinds + 2)
    met = np.zeros((n, wide), dtype=np.float32)
    for i, slots in enumerate(sources):
        met[:] = 0.0
        for slot in slots:
            met += read(state, slot)
        counts[base + ops[i]] += met
        shown = np.where(passed[ops[i]][:, None], met[:, :kinds], own[ops[i]])
        state[i, :, :kinds] = shown
        if triples:
            pairs = (own[ops[i]][:, None, :] * met[:, :kinds, None]).reshape(n, -1)
            state[i, :, kinds:] = np.where(passed[ops[i]][:, None], met[:, kinds:], pairs)
        if outputs[i].any():
            counts[base + kinds + 1] += state[i] * outputs[i][:, None]
    table = counts.reshape(n, kinds + 2, wide)[:, [*range(kinds - 1), kinds + 1]]
    return table[..., :kinds], table[..., kinds:]


def op_paths(
    labels: NDArray[np.int32],
    words: Words,
    sources: list[tuple[Source, ...]],
    outputs: NDArray[np.bool_],
    passed: NDArray[np.bool_],
) -> Words:
    """A number for the op-path of every path from a source to an output, 0 for none; `(graph, path)`, in no order.

    Of more than `8 * MOST_PATHS` paths, those with the largest numbers are kept.

    Args:
        labels: Label of each node, `(node, graph)`, −1 for no node.
        words: A random number for each label, `(label,)`.
        sources: What each node reads, as `GraphBatch.sources` tells.
        outputs: Which nodes are outputs, `(node, graph)`.
        passed: Which labels are passed through, `(label,)`.
    """
    n = labels.shape[1]
    word, through = np.append(words, np.uint64(0)), np.append(passed, True)
    found: list[Words] = []
    ends: list[Words] = []
    for i, slots in enumerate(sources):
        read_ = [_paths_read(found, slot, n) for slot in slots]
        own, passes = word[labels[i]][:, None], through[labels[i]][:, None]
        codes = _most(np.concatenate(read_, axis=1)) if read_ else np.zeros((n, 1), dtype=np.uint64)
        starts = ~(codes.any(axis=1)) & (labels[i] >= 0)
        longer = np.where(passes, codes, _mixed(codes + own))
        longer[codes == 0] = 0
        longer[starts, 0] = own[starts, 0]
        found.append(longer)
        if outputs[i].any():
            ends.append(longer * outputs[i][:, None].astype(np.uint64))
    return _most(np.concatenate(ends, axis=1)) if ends else np.zeros((n, 0), dtype=np.uint64)


def _paths_read(found: list[Words], source: Source, n: int) -> Words:
    """Numbers of the paths to what a slot reads, `(graph, path)`."""
    if isinstance(source, int):
        return found[source]
    row, column = np.divmod(source, n)
    rows = [r for r in np.unique(row).tolist() if r < len(found)]
    out = np.zeros((n, max((found[r].shape[1] for r in rows), default=1)), dtype=np.uint64)
    for r in rows:
        here = column[row == r]
        out[here, : found[r].shape[1]] = found[r][here]
    return out


def _most(codes: Words) -> Words:
    """The same bags with fewer empty places, and with the largest numbers only where there are too many."""
    if codes.shape[1] <= MOST_PATHS:
        return codes
    most = min(int((codes > 0).sum(axis=1).max(initial=1)), 8 * MOST_PATHS)
    return np.sort(codes, axis=1)[:, -most:]


def _mixed(x: Words) -> Words:
    x = (x ^ (x >> np.uint64(29))) * _ODD
    return (x ^ (x >> np.uint64(32))) * _FOLD
