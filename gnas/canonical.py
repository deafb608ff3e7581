"""Exact canonical forms of many small labelled DAGs at once.

A graph of `k` nodes is `labels` `(k, 2)` (128-bit digests of the node labels, as two uint64) and `edges` `(k, k)`,
where `edges[i, j]` says how node `i` reads node `j`: 0 not at all, else how often (unordered inputs) or the bit mask of
the positions (ordered inputs). Colours are refined until stable (1-dimensional Weisfeiler-Leman in both directions),
interchangeable nodes are told apart arbitrarily, and what is still tied is individualised in every possible way,
keeping the smallest certificate. The certificate is the whole graph written in the order found, so different graphs
never share one; 64-bit colours that collide cost a branching, never a wrong answer.

Source: individualisation-refinement, McKay and Piperno, "Practical graph isomorphism II" (2014), arXiv:1301.1493, with
pruning by the automorphisms met on the way.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64, Integer, Shaped, UInt, UInt64
from numpy.typing import NDArray

if TYPE_CHECKING:
    Array = NDArray[Any]
else:
    Array = np.ndarray

_CHUNK_CELLS = 1 << 22


def _mix(x: UInt64[Array, "*shape"]) -> UInt64[Array, "*shape"]:
    """The splitmix64 finaliser, element by element."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


_STEP = np.uint64(0x9E3779B97F4A7C15)
_BACK = np.uint64(0xD6E8FEB86659FD93)
_WEIGHTS: NDArray[np.uint64] = _mix(np.arange(256, dtype=np.uint64) * _STEP)
_WEIGHTS[0] = 0


def _weigh(edges: UInt[Array, "*shape"]) -> UInt64[Array, "*shape"]:
    """One pseudo-random weight for each kind of edge; shape of `edges`."""
    if edges.dtype == np.uint8:
        return np.take(_WEIGHTS, edges)
    wide = edges.astype(np.uint64)
    weights: NDArray[np.uint64] = np.where(wide == 0, np.uint64(0), _mix(wide * _STEP))
    return weights


def _count_colours(colours: UInt64[Array, "graph node"]) -> Int64[Array, " graph"]:
    """Number of distinct colours in each row; shape `(n,)`."""
    ordered = np.sort(colours, axis=1)
    steps: NDArray[np.int64] = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
    return 1 + steps


def _round(
    colours: UInt64[Array, "graph node"], weights: UInt64[Array, "graph node node"]
) -> UInt64[Array, "graph node"]:
    """One round of refinement: each colour takes in those of the nodes read and of the readers."""
    mixed = _mix(colours + _STEP)
    read = np.einsum("nij,nj->ni", weights, mixed)
    readers = np.einsum("nij,ni->nj", weights, mixed)
    return _mix(colours * _STEP + read + _mix(readers * _BACK))


def _refine(
    colours: UInt64[Array, "graph node"], weights: UInt64[Array, "graph node node"]
) -> UInt64[Array, "graph node"]:
    """Stable colours. Every row stops by its own count, so that a row's result does not depend on its batch."""
    colours = colours.copy()
    size = colours.shape[1]
    counts = _count_colours(colours)
    active = np.flatnonzero(counts < size)
    while active.size:
        everything = active.size == len(colours)
        new = _round(colours if everything else colours[active], weights if everything else weights[active])
        new_counts = _count_colours(new)
        gained = new_counts > counts[active]
        active = active[gained]
        colours[active] = new[gained]
        counts[active] = new_counts[gained]
        active = active[counts[active] < size]
    return colours


def _split_twins(
    colours: UInt64[Array, "graph node"], edges: UInt[Array, "graph node node"]
) -> UInt64[Array, "graph node"]:
    """Tell apart nodes of one colour that read the same and are read by the same: any order of them gives the same
    graph.
    """
    row, later, earlier = np.nonzero(np.tril(colours[:, :, None] == colours[:, None, :], -1))
    twins = (edges[row, later] == edges[row, earlier]).all(axis=1)
    twins &= (edges[row, :, later] == edges[row, :, earlier]).all(axis=1)
    rank = np.zeros(colours.shape, dtype=np.uint64)
    np.add.at(rank, (row[twins], later[twins]), np.uint64(1))
    return np.where(rank > 0, _mix(colours + rank * _BACK), colours)


def _individualise(
    colours: UInt64[Array, "graph node"], node: Int64[Array, " graph"] | int
) -> UInt64[Array, "graph node"]:
    colours = colours.copy()
    rows = np.arange(len(colours))
    colours[rows, node] = _mix(colours[rows, node] ^ _BACK)
    return colours


def _target_cells(colours: UInt64[Array, "graph node"]) -> Bool[Array, "graph node"]:
    """Members of the tied cell with the smallest colour; shape `(n, k)`, no member where all colours differ."""
    ordered = np.sort(colours, axis=1)
    tied = np.zeros(colours.shape, dtype=bool)
    tied[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    first = tied.argmax(axis=1)
    value = ordered[np.arange(len(colours)), first]
    cells: NDArray[np.bool_] = np.equal(colours, value[:, None]) & tied.any(axis=1, keepdims=True)
    return cells


def _certificates(
    labels: UInt64[Array, "graph node 2"], edges: UInt[Array, "graph node node"], colours: UInt64[Array, "graph node"]
) -> list[bytes]:
    """The graphs written in the order of their (distinct) colours."""
    n, size = colours.shape
    order = np.argsort(colours, axis=1)
    rows = np.arange(n)[:, None]
    head = labels[rows, order].reshape(n, 2 * size)
    body = edges[rows[:, :, None], order[:, :, None], order[:, None, :]].reshape(n, size * size)
    packed = np.concatenate(
        [np.ascontiguousarray(head).view(np.uint8), np.ascontiguousarray(body).view(np.uint8)], axis=1
    )
    whole: list[bytes] = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel().tolist()
    return whole


class _Branching:
    """Depth-first search for the smallest certificate of one graph, cut by the automorphisms met."""

    def __init__(
        self,
        labels: UInt64[Array, "graph node 2"],
        edges: UInt[Array, "graph node node"],
        weights: UInt64[Array, "graph node node"],
    ) -> None:
        self._labels, self._edges, self._weights = labels, edges, weights
        self._automorphisms: list[NDArray[np.int64]] = []
        self._best: bytes | None = None
        self._best_order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._best_path: list[int] = []

    def run(self, colours: UInt64[Array, "1 node"]) -> bytes:
        """The smallest certificate below these stable colours, shape `(1, k)`."""
        self._visit(colours, [])
        if self._best is None:
            raise RuntimeError("a search over at least one labelling found none")
        return self._best

    def _visit(self, colours: UInt64[Array, "1 node"], path: list[int]) -> int:
        """Search below `path`; the depth to jump back to (`len(path)` to go on as usual)."""
        cell = np.flatnonzero(_target_cells(colours)[0])
        if not cell.size:
            return self._leaf(colours, path)
        tried: list[int] = []
        for node in cell.tolist():
            if self._same_orbit(node, tried, path):
                continue
            back = self._visit(_refine(_individualise(colours, node), self._weights), [*path, node])
            tried.append(node)
            if back < len(path):
                return back
        return len(path)

    def _leaf(self, colours: UInt64[Array, "1 node"], path: list[int]) -> int:
        certificate = _certificates(self._labels, self._edges, colours)[0]
        order = np.argsort(colours[0])
        if self._best is None or certificate < self._best:
            self._best, self._best_order, self._best_path = certificate, order, path
        elif certificate == self._best:
            image = np.empty(len(order), dtype=np.int64)
            image[self._best_order] = order
            self._automorphisms.append(image)
            depth = next(i for i, (a, b) in enumerate(zip(self._best_path, path, strict=False)) if a != b)
            if all(image[a] == b for a, b in zip(self._best_path[: depth + 1], path[: depth + 1], strict=True)):
                return depth
        return len(path)

    def _same_orbit(self, node: int, tried: list[int], path: list[int]) -> bool:
        """Whether an automorphism that fixes `path` takes a node already tried to `node`."""
        if not tried:
            return False
        fixing = [a for a in self._automorphisms if all(a[p] == p for p in path)]
        orbit, fresh = {node}, [node]
        while fresh:
            here = fresh.pop()
            reached = {int(a[here]) for a in fixing} | {int(np.flatnonzero(a == here)[0]) for a in fixing}
            fresh.extend(reached - orbit)
            orbit |= reached
        return not orbit.isdisjoint(tried)


def _best_certificates(
    labels: UInt64[Array, "graph node 2"],
    edges: UInt[Array, "graph node node"],
    weights: UInt64[Array, "graph node node"],
    colours: UInt64[Array, "graph node"],
) -> list[bytes]:
    """Smallest certificates of graphs whose stable colours still tie."""
    cells = _target_cells(colours)
    owner, node = np.nonzero(cells)
    children = _refine(_individualise(colours[owner], node), weights[owner])
    open_ = _count_colours(children) < colours.shape[1]
    best: list[bytes | None] = [None] * len(colours)
    for row in np.unique(owner[open_]).tolist():
        one = slice(row, row + 1)
        best[row] = _Branching(labels[one], edges[one], weights[one]).run(colours[one])
    closed = np.array([b is None for b in best])[owner]
    found = _certificates(labels[owner[closed]], edges[owner[closed]], children[closed])
    for row, certificate in zip(owner[closed].tolist(), found, strict=True):
        known = best[row]
        best[row] = certificate if known is None else min(known, certificate)
    return [b for b in best if b is not None]


def _canonical_certificates(
    labels: UInt64[Array, "graph node 2"], edges: UInt[Array, "graph node node"]
) -> list[bytes]:
    weights = _weigh(edges)
    colours = _refine(_mix(labels[..., 0] + _mix(labels[..., 1] + _STEP)), weights)
    tied = np.flatnonzero(_count_colours(colours) < colours.shape[1])
    if tied.size:
        colours[tied] = _refine(_split_twins(colours[tied], edges[tied]), weights[tied])
        tied = tied[_count_colours(colours[tied]) < colours.shape[1]]
    certificates = _certificates(labels, edges, colours)
    if tied.size:
        best = _best_certificates(labels[tied], edges[tied], weights[tied], colours[tied])
        for row, certificate in zip(tied.tolist(), best, strict=True):
            certificates[row] = certificate
    return certificates


_HEX = np.array([f"{byte:02x}" for byte in range(256)], dtype="S2")


def canonical_digests(
    labels: UInt64[Array, "graph node 2"], edges: UInt[Array, "graph node node"]
) -> Shaped[Array, " graph"]:
    """Digests equal exactly for isomorphic graphs (up to collisions of a 128-bit BLAKE2b).

    Args:
        labels: `(n, k, 2)` digests of the node labels.
        edges: `(n, k, k)` kinds of edges, uint8 or uint64.

    Returns:
        `S32` hexadecimal texts, shape `(n,)`.
    """
    digests = np.empty(len(edges), dtype="S32")
    if edges.dtype != np.uint8:
        narrow = edges.reshape(len(edges), -1).max(axis=1, initial=0) < 256
        if narrow.any():
            digests[narrow] = canonical_digests(labels[narrow], edges[narrow].astype(np.uint8))
        if not narrow.all():
            digests[~narrow] = _digest_chunks(labels[~narrow], edges[~narrow])
        return digests
    return _digest_chunks(labels, edges)


def _digest_chunks(
    labels: UInt64[Array, "graph node 2"], edges: UInt[Array, "graph node node"]
) -> Shaped[Array, " graph"]:
    size = labels.shape[1]
    step = max(1, _CHUNK_CELLS // (size * size))
    person = str(size).encode()
    raw = [
        blake2b(c, digest_size=16, person=person).digest()
        for start in range(0, len(labels), step)
        for c in _canonical_certificates(labels[start : start + step], edges[start : start + step])
    ]
    return _HEX[np.frombuffer(b"".join(raw), dtype=np.uint8).reshape(-1, 16)].view("S32").ravel()


def group_rows(table: Integer[Array, "row column"]) -> tuple[Int64[Array, " group"], Int64[Array, " row"]]:
    """Equal rows of a table, shape `(n, column)`: index of the first row of each group, and the group of each row."""
    words = table.astype(np.uint64)
    words += np.arange(1, table.shape[1] + 1, dtype=np.uint64) << np.uint64(32)
    _, first, group = np.unique(_mix(words * _STEP).sum(axis=1), return_index=True, return_inverse=True)
    if not (table == table[first[group]]).all():
        _, first, group = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return first, group.reshape(-1)
