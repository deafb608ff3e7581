"""Blocks of graph features before scaling, for many graphs at once. None depends on the order of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import INPUT
from gnas.predictors.features_degrees import degree_features
from gnas.predictors.features_paths import paths
from gnas.predictors.features_vocabulary import ROUTING, Vocabulary
from gnas.predictors.features_walks import MOST_PATHS, op_paths, op_walks
from gnas.predictors.flow import RandomFlow
from gnas.predictors.graphs import Floats, GraphBatch, Source
from gnas.space.program import Label

BUCKETS = 256
"""Most columns of a bag of op-paths: further paths share columns."""

_FLOW_NODES = 24
"""Graphs with more nodes than this get a narrower random flow."""


@dataclass(frozen=True)
class GraphBlocks:
    """What there is to compute of graphs.

    Attributes:
        vocabulary: Ops and parameters.
        op_paths: Known numbers of op-paths, sorted, one column each; empty where they are hashed into columns; None
            where graphs have so many paths that walks of three ops take their place.
        flow: The random flow.
    """

    vocabulary: Vocabulary
    op_paths: NDArray[np.uint64] | None
    flow: RandomFlow

    @classmethod
    def of(cls, graphs: GraphBatch, vocabulary: Vocabulary) -> GraphBlocks:
        """What suits a reference sample."""
        size = len(graphs.labels)
        flow = RandomFlow() if size <= _FLOW_NODES else RandomFlow(dims=16, repetitions=1)
        blocks = cls(vocabulary, np.empty(0, np.uint64), flow)
        sources = graphs.sources()
        everything = np.ones((1, len(vocabulary.ops)), dtype=np.bool_)
        found = paths(graphs.ops(vocabulary.index), sources, graphs.outputs, vocabulary.length, everything)
        if found.number.max(initial=0.0) > MOST_PATHS:
            return cls(vocabulary, None, flow)
        known = np.unique(blocks._path_numbers(graphs, sources))
        known = known[known > 0]
        return cls(vocabulary, known, flow) if len(known) <= BUCKETS else blocks

    def __call__(self, graphs: GraphBatch) -> dict[str, Floats]:
        """The blocks by name, `(graph, column)` each."""
        vocabulary, sources = self.vocabulary, graphs.sources()
        ops = graphs.ops(vocabulary.index)
        passed = vocabulary.routing.copy()
        passed[[i for i, op in enumerate(vocabulary.ops) if op == INPUT]] = False
        counts, sizes = self._labels(graphs)
        edges, triples = op_walks(ops, sources, graphs.outputs, passed, self.op_paths is None)
        n = graphs.n_graphs
        walks = triples.reshape(n, -1) if self.op_paths is None else self._bags(graphs, sources)
        return {
            "ops": counts,
            "paths": self._paths(graphs, sources),
            "degrees": degree_features(ops, sources, graphs.outputs, vocabulary.routing),
            "edges": np.sqrt(edges.reshape(n, -1).astype(np.float64)),
            "oppaths": np.sqrt(walks.astype(np.float64)),
            "flow": self.flow(graphs, sources).astype(np.float64),
            "sizes": sizes,
        }

    def _labels(self, graphs: GraphBatch) -> tuple[Floats, Floats]:
        """Counts of ops and of non-numeric parameters; sum, logarithm of the sum, and maximum of numeric ones."""
        counts, numbers = self.vocabulary.label_rows(graphs.table)
        both = np.concatenate([counts, numbers], axis=1)
        both = np.concatenate([both, np.zeros((1, both.shape[1]))])
        sums, tops = np.zeros((2, graphs.n_graphs, both.shape[1]))
        for row in graphs.labels:
            here = both[row]
            sums += here
            np.maximum(tops, here, out=tops)
        split = counts.shape[1]
        totals = sums[:, split:]
        return sums[:, :split], np.concatenate([totals, np.log1p(np.abs(totals)), tops[:, split:]], axis=1)

    def _paths(self, graphs: GraphBatch, sources: list[tuple[Source, ...]]) -> Floats:
        vocabulary = self.vocabulary
        ops = graphs.ops(vocabulary.index)
        found = paths(ops, sources, graphs.outputs, vocabulary.length, vocabulary.subsets)
        counted = np.flatnonzero(vocabulary.length > 0)
        return np.concatenate(
            [
                np.where(np.isfinite(found.shortest), 1.0 / (1.0 + found.shortest), 0.0),
                np.where(np.isfinite(found.longest), found.longest, 0.0),
                np.log1p(np.minimum(found.number, 1e300)),
                np.where(np.isfinite(found.least), found.least, 0.0)[:, counted],
                np.where(np.isfinite(found.most), found.most, 0.0)[:, counted],
                np.nan_to_num(found.mean, posinf=0.0)[:, counted],
            ],
            axis=1,
        )

    def _path_numbers(self, graphs: GraphBatch, sources: list[tuple[Source, ...]]) -> NDArray[np.uint64]:
        words = [_word((op, params if op == INPUT else ())) for op, params in graphs.table]
        passed = np.array([op in ROUTING and op != INPUT for op, _ in graphs.table], dtype=np.bool_)
        return op_paths(graphs.labels, np.array(words, dtype=np.uint64), sources, graphs.outputs, passed)

    def _bags(self, graphs: GraphBatch, sources: list[tuple[Source, ...]]) -> NDArray[np.int64]:
        """How often each op-path occurs, `(graph, column)`; the last column takes those unknown."""
        numbers, known = self._path_numbers(graphs, sources), self.op_paths
        if known is None or len(known) == 0:
            width = BUCKETS
            column = (numbers % np.uint64(BUCKETS)).astype(np.int64)
        else:
            width = len(known)
            column = np.minimum(np.searchsorted(known, numbers), width - 1)
            column[known[column] != numbers] = width
        row, place = np.nonzero(numbers)
        flat = np.bincount(row * (width + 1) + column[row, place], minlength=len(numbers) * (width + 1))
        return flat.reshape(len(numbers), width + 1)


def _word(label: Label) -> int:
    """A fixed random number of 64 bits."""
    return int.from_bytes(blake2b(repr(label).encode(), digest_size=8).digest(), "little")
