"""A random flow: fixed random vectors sent through the graph, forwards and backwards, changed by the ops on the way.

What arrives is an embedding of the whole graph without anything learned, as a reservoir is.

Source: the flow of information as in Ning et al., "TA-GATES: An Encoding Scheme for Neural Network Architectures",
NeurIPS 2022, section 3.2, with fixed random maps in place of learned ones, as in Jaeger, "The echo state approach to
analysing and training recurrent neural networks", 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import INPUT
from gnas.predictors.features_vocabulary import ROUTING, is_number
from gnas.predictors.graphs import GraphBatch, Singles, Source, read
from gnas.space.program import Label

_ONE = 256.0
"""Flows are whole numbers, this one standing for 1: sums and products of so few bits are exact in single precision, so
that neither the order of summation nor the linear algebra library shows in any bit.
"""

_TOP = 16.0 * _ONE
_KEPT = 0.7
"""What an op without weights that is no plain copy, as pooling is, keeps of what passes."""


@dataclass(frozen=True, slots=True)
class RandomFlow:
    """How wide and how often.

    Attributes:
        dims: Width of the vectors.
        repetitions: How many independent flows.
        seed: Of the random numbers, together with the names of ops and parameters.
    """

    dims: int = 48
    repetitions: int = 3
    seed: int = 0

    @property
    def width(self) -> int:
        """Number of columns."""
        return 2 * self.dims * self.repetitions

    def __call__(self, graphs: GraphBatch, sources: list[tuple[Source, ...]] | None = None) -> Singles:
        """What arrives at the outputs going forwards and at the inputs going backwards; `(graph, width)`."""
        sources = graphs.sources() if sources is None else sources
        kinds = np.array([*(passage(op) for op, _ in graphs.table), 0.0], dtype=np.float32)
        parts = []
        for repetition in range(self.repetitions):
            vectors = np.array([self._vectors(label, repetition) for label in graphs.table], dtype=np.float32)
            vectors = np.concatenate([vectors.reshape(-1, 3, self.dims), np.zeros((1, 3, self.dims), np.float32)])
            signs = self._random(f"map {repetition}").integers(0, 2, (self.dims, self.dims)) * 2.0 - 1.0
            flow = _Flow(graphs, sources, kinds, vectors, signs.astype(np.float32))
            leaving = np.rint(_ONE * self._random(f"out {repetition}").standard_normal(self.dims))
            parts += [flow.forwards(), flow.backwards(leaving.astype(np.float32))]
        return np.concatenate(parts, axis=1) / np.float32(_ONE)

    def _random(self, *words: object) -> np.random.Generator:
        digest = blake2b(repr((self.seed, *words)).encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))

    def _vectors(self, label: Label, repetition: int) -> list[np.ndarray]:
        """Factors and shifts of the map of a label, and what starts at it; parameters bend those of the op a little."""
        op, params = label
        if op == INPUT:
            start = np.rint(_ONE * self._random(op, params, repetition).standard_normal(self.dims))
            return [np.zeros(self.dims), np.zeros(self.dims), start]
        both = self._random("op", op, repetition).standard_normal((2, self.dims))
        for name, value in params:
            if is_number(value):
                bend = 0.3 * np.log1p(abs(value)) * self._random("number", name, repetition).standard_normal(both.shape)
            else:
                bend = 0.5 * self._random("word", name, value, repetition).standard_normal(both.shape)
            both = both + bend
        return [both[0], np.rint(0.3 * _ONE * both[1]), np.rint(_ONE * both[0])]


def passage(op: str) -> float:
    """How much of what enters an op leaves it unchanged: all, part, or (0) none, all of it being transformed.

    Ops are told by their names, as they are customary: `skip`, `identity` and those that route copy; `pool` keeps part.
    """
    name = op.lower()
    if op in ROUTING or "skip" in name or "identity" in name:
        return 1.0
    return _KEPT if "pool" in name else 0.0


class _Flow:
    """One repetition on one batch.

    Args:
        graphs: The graphs.
        sources: What each node reads.
        kinds: `passage` of each label, one entry more for no node.
        vectors: Factors, shifts and starts, `(label + 1, 3, dim)`.
        signs: The random map, `(dim, dim)`, of ±1.
    """

    def __init__(
        self, graphs: GraphBatch, sources: list[tuple[Source, ...]], kinds: Singles, vectors: Singles, signs: Singles
    ) -> None:
        self.graphs, self.sources, self.kinds, self.vectors, self.signs = graphs, sources, kinds, vectors, signs
        self.gain = np.float32(np.sqrt(2.0 / len(signs)))
        self.size, self.n = graphs.labels.shape

    def forwards(self) -> Singles:
        """Sum over the outputs of what arrives there, `(graph, dim)`."""
        state = np.zeros((self.size + 1, self.n, len(self.signs)), dtype=np.float32)
        total = np.zeros(state.shape[1:], dtype=np.float32)
        for i, slots in enumerate(self.sources):
            for slot in slots:
                state[i] += read(state, slot)
            self._pass(i, state[i])
            starts = self._starts(i)
            if starts.any():
                state[i][starts] = self.vectors[self.graphs.labels[i][starts], 2]
            if self.graphs.outputs[i].any():
                total += state[i] * self.graphs.outputs[i][:, None]
        return total

    def backwards(self, leaving: Singles) -> Singles:
        """Sum over the sources of what arrives there, `(graph, dim)`, `leaving` having been sent into each output."""
        state = np.zeros((self.size + 1, self.n, len(self.signs)), dtype=np.float32)
        flat = state.reshape(-1, len(self.signs))
        total = np.zeros(state.shape[1:], dtype=np.float32)
        for i in range(self.size - 1, -1, -1):
            if self.graphs.outputs[i].any():
                state[i][self.graphs.outputs[i]] += leaving
            starts = self._starts(i)
            if starts.any():
                total[starts] += state[i][starts]
            if self.sources[i]:
                self._pass(i, state[i])
            for slot in self.sources[i]:
                if isinstance(slot, int):
                    state[slot] += state[i]
                else:
                    # NOTE: a graph stands once in a slot, so that no position is met twice.
                    flat[slot] += state[i]
        return total

    def _starts(self, i: int) -> NDArray[np.bool_]:
        """Graphs in which node `i` is there and reads nothing."""
        starts: NDArray[np.bool_] = (self.graphs.labels[i] >= 0) & (self.graphs.inputs[i] >= self.size).all(axis=0)
        return starts

    def _pass(self, i: int, flow: Singles) -> None:
        """Sends `flow`, `(graph, dim)`, through node `i` of each graph, in place."""
        labels = self.graphs.labels[i]
        kinds = self.kinds[labels][:, None]
        copied = np.clip(np.rint(flow * kinds), -_TOP, _TOP)
        if (kinds == 0.0).any():
            factors, shifts = self.vectors[labels, 0], self.vectors[labels, 1]
            mixed = np.rint(flow * factors) @ self.signs
            changed = np.clip(np.rint(mixed * self.gain + shifts), 0.0, _TOP)
            copied = np.where(kinds == 0.0, changed, copied)
        flow[:] = copied
        flow[labels < 0] = 0.0
