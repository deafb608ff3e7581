"""A random flow: fixed random vectors sent through the graph, forwards and backwards, changed by the ops on the way.

What arrives is an embedding of the whole graph without anything learned, as a reservoir is.

Source: the flow of information as in Ning et al., "TA-GATES: An Encoding Scheme for Neural Network Architectures",
NeurIPS 2022, section 3.2, with fixed random maps in place of learned ones, as in Jaeger, "The echo state approach to
analysing and training recurrent neural networks", 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import INPUT
from gnas.predictors.features_vocabulary import ROUTING, is_number
from gnas.predictors.graphs import Floats, GraphBatch, Singles, Source, read
from gnas.space.program import Label

_ONE = 256.0
"""Flows are whole numbers, this one standing for 1: sums and products of so few bits are exact in single precision, so
that neither the order of summation nor the linear algebra library shows in any bit.
"""

_TOP = 16.0 * _ONE
_WIDEST = 4.0 * _TOP
"""So that sums of 256 products stay below 2^24."""

KEPT = 0.7
"""What an op without weights that is no plain copy, as pooling is, keeps of what passes."""


@dataclass(frozen=True, slots=True)
class RandomFlow:
    """How wide and how often.

    Attributes:
        dims: Width of the vectors.
        repetitions: How many independent flows.
        seed: Of the random numbers, together with the names of ops and parameters.
    """

    dims: int = 24
    repetitions: int = 3
    seed: int = 0

    @property
    def width(self) -> int:
        """Number of columns."""
        return 2 * self.dims * self.repetitions

    def __call__(self, graphs: GraphBatch, sources: list[tuple[Source, ...]] | None = None) -> Singles:
        """What arrives at the outputs going forwards and at the inputs going backwards; `(graph, width)`."""
        sources = graphs.sources() if sources is None else sources
        flow = _Flow(graphs, sources, self.table(graphs.table), self.maps())
        leaving = np.rint(_ONE * self.random("out").standard_normal(self.repetitions * self.dims))
        both = np.concatenate([flow.forwards(), flow.backwards(leaving.astype(np.float32))], axis=1)
        both *= np.float32(1.0 / _ONE)
        return both

    def table(self, labels: tuple[Label, ...]) -> Singles:
        """Factors and shifts of the map of each label, and what starts at it; `(3, label, column)`."""
        vectors = [_vectors(self, label) for label in labels]
        width = self.repetitions * self.dims
        return np.ascontiguousarray(np.array(vectors, dtype=np.float32).reshape(-1, 3, width).transpose(1, 0, 2))

    def maps(self, *words: object) -> Singles:
        """The random maps that `words` name, `(repetition, dim, dim)`, of ±1."""
        bits = self.random("map", *words).integers(0, 2, (self.repetitions, self.dims, self.dims))
        return (2.0 * bits - 1.0).astype(np.float32)

    def random(self, *words: object) -> np.random.Generator:
        """A generator of its own for what `words` name."""
        digest = blake2b(repr((self.seed, *words)).encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))


@lru_cache(maxsize=1 << 16)
def _vectors(flow: RandomFlow, label: Label) -> tuple[Floats, Floats, Floats]:
    """Factors, shifts and start of a label; parameters bend those of the op a little."""
    op, params = label
    width = flow.repetitions * flow.dims
    if op == INPUT:
        start = np.rint(_ONE * flow.random(op, params).standard_normal(width))
        return np.zeros(width), np.zeros(width), start
    both = flow.random("op", op).standard_normal((2, width))
    for name, value in params:
        if is_number(value):
            both = both + 0.3 * np.log1p(abs(value)) * flow.random("number", name).standard_normal(both.shape)
        else:
            both = both + 0.5 * flow.random("word", name, value).standard_normal(both.shape)
    return both[0], np.rint(0.3 * _ONE * both[1]), np.rint(_ONE * both[0])


def passage(op: str) -> float:
    """How much of what enters an op leaves it unchanged: all, part, or (0) none, all of it being transformed.

    Ops are told by their names, as they are customary: `skip`, `identity` and those that route copy; `pool` keeps part.
    """
    name = op.lower()
    if op in ROUTING or "skip" in name or "identity" in name:
        return 1.0
    return KEPT if "pool" in name else 0.0


class _Flow:
    """A flow on one batch.

    Args:
        graphs: The graphs.
        sources: What each node reads.
        table: Factors, shifts and starts of each label, `(3, label, column)`.
        maps: The random maps, `(repetition, dim, dim)`.
    """

    def __init__(self, graphs: GraphBatch, sources: list[tuple[Source, ...]], table: Singles, maps: Singles) -> None:
        self.graphs, self.sources, self.table, self.maps = graphs, sources, table, maps
        self.gain = np.float32(np.sqrt(2.0 / maps.shape[1]))
        self.size, self.n = graphs.labels.shape
        kept = np.array([*(passage(op) for op, _ in graphs.table), 1.0], dtype=np.float32)[graphs.labels]
        # Of each node, the graphs in which it changes what enters, keeps a part of it, and is where flows start.
        self.changed = rows_of(kept == 0.0)
        self.weak = rows_of((kept > 0.0) & (kept < 1.0))
        self.starts = rows_of((graphs.inputs >= self.size).all(axis=1) & graphs.real)
        self.ends = rows_of(graphs.outputs)

    def forwards(self) -> Singles:
        """Sum over the outputs of what arrives there, `(graph, column)`."""
        state = np.zeros((self.size + 1, self.n, self.table.shape[2]), dtype=np.float32)
        total = np.zeros(state.shape[1:], dtype=np.float32)
        for i, slots in enumerate(self.sources):
            for slot in slots:
                state[i] += read(state, slot)
            if slots:
                self._pass(i, state[i])
            starts = self.starts[i]
            if len(starts):
                state[i][starts] = self.table[2][self.graphs.labels[i][starts]]
            ends = self.ends[i]
            if len(ends):
                total[ends] += state[i][ends]
        return total

    def backwards(self, leaving: Singles) -> Singles:
        """Sum over the sources of what arrives, `(graph, column)`, `leaving` having been sent into each output."""
        state = np.zeros((self.size + 1, self.n, self.table.shape[2]), dtype=np.float32)
        flat = state.reshape(-1, state.shape[2])
        total = np.zeros(state.shape[1:], dtype=np.float32)
        for i in range(self.size - 1, -1, -1):
            ends = self.ends[i]
            if len(ends):
                state[i][ends] += leaving
            starts = self.starts[i]
            if len(starts):
                total[starts] += state[i][starts]
            if self.sources[i]:
                self._pass(i, state[i])
            for slot in self.sources[i]:
                if isinstance(slot, int):
                    state[slot] += state[i]
                else:
                    # NOTE: no position is met twice, each being of another graph; those past the last do not matter.
                    flat[slot] += state[i]
        return total

    def _pass(self, i: int, flow: Singles) -> None:
        """Sends `flow`, `(graph, column)`, through node `i` of each graph, in place."""
        changed, weak = self.changed[i], self.weak[i]
        if len(changed) == self.n:
            self._mix(flow, self.graphs.labels[i], out=flow)
        elif len(changed):
            flow[changed] = self._mix(flow[changed], self.graphs.labels[i][changed])
        if len(weak):
            flow[weak] = np.rint(flow[weak] * np.float32(KEPT))

    def _mix(self, flow: Singles, labels: NDArray[np.int32], out: Singles | None = None) -> Singles:
        """Rows through the random maps of their labels."""
        flow = np.multiply(flow, self.table[0].take(labels, axis=0), out=out)
        np.rint(flow, out=flow)
        np.clip(flow, -_WIDEST, _WIDEST, out=flow)
        dims = self.maps.shape[1]
        for repetition, signs in enumerate(self.maps):
            part = flow[:, repetition * dims : (repetition + 1) * dims]
            part[:] = part @ signs
        flow *= self.gain
        flow += self.table[1].take(labels, axis=0)
        np.rint(flow, out=flow)
        return np.clip(flow, 0.0, _TOP, out=flow)


def rows_of(mask: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """For each row of a mask, where it holds."""
    row, column = np.nonzero(mask)
    return np.split(column, np.searchsorted(row, np.arange(1, len(mask))))
