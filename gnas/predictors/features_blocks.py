"""Blocks of graph features before scaling, for many graphs at once. None depends on the order of nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import INPUT
from gnas.predictors.features_degrees import degree_features
from gnas.predictors.features_edges import op_edges
from gnas.predictors.features_paths import paths
from gnas.predictors.features_vocabulary import Vocabulary
from gnas.predictors.features_walks import walks
from gnas.predictors.flow import RandomFlow
from gnas.predictors.graphs import Floats, GraphBatch, Source
from gnas.predictors.signal import SignalPropagation

_SMALL = 24
"""Graphs with more nodes than this get no random flow, no signal and no degrees: most of the time of all features.

Where graphs are small, degrees told nothing that the other blocks do not (`bench/README.md`); flow and signal of large
ones are not measured.
"""


@dataclass(frozen=True)
class GraphBlocks:
    """What there is to compute of graphs.

    Attributes:
        vocabulary: Ops and parameters.
        flow: The random flow, if graphs are small.
        signal: How signals fare, likewise.
    """

    vocabulary: Vocabulary
    flow: RandomFlow | None
    signal: SignalPropagation | None

    @classmethod
    def of(cls, graphs: GraphBatch, vocabulary: Vocabulary) -> GraphBlocks:
        """What suits a reference sample."""
        small = len(graphs.labels) <= _SMALL
        return cls(vocabulary, RandomFlow() if small else None, SignalPropagation() if small else None)

    def __call__(self, graphs: GraphBatch) -> dict[str, Floats]:
        """The blocks by name, `(graph, column)` each."""
        vocabulary, sources = self.vocabulary, graphs.sources()
        ops = graphs.ops(vocabulary.index)
        passed = vocabulary.routing.copy()
        passed[[i for i, op in enumerate(vocabulary.ops) if op == INPUT]] = False
        counts, sizes = self._labels(graphs)
        n = graphs.n_graphs
        edges = op_edges(ops, sources, graphs.outputs, passed).reshape(n, -1)
        degrees = flow = signal = np.zeros((n, 0))
        if self.flow is not None:
            degrees = degree_features(ops, sources, graphs.outputs, vocabulary.routing)
            flow = self.flow(graphs, sources).astype(np.float64)
        if self.signal is not None:
            signal = self.signal(graphs, sources)
        return {
            "ops": counts,
            **self._paths(ops, graphs, sources),
            "degrees": degrees,
            "edges": np.sqrt(edges.astype(np.float64)),
            "flow": flow,
            "signal": signal,
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

    def _paths(
        self, ops: NDArray[np.int16], graphs: GraphBatch, sources: list[tuple[Source, ...]]
    ) -> dict[str, Floats]:
        vocabulary = self.vocabulary
        found = paths(ops, sources, graphs.outputs, vocabulary.length, vocabulary.confined, vocabulary.passed)
        passed = [
            np.where(np.isfinite(found.least), found.least, 0.0),
            np.where(np.isfinite(found.most), found.most, 0.0),
            np.nan_to_num(found.mean, posinf=0.0),
        ]
        walk = walks(ops, sources, graphs.outputs, vocabulary.passed)
        return {
            "shortest": 1.0 / (1.0 + found.shortest.astype(np.float64)),
            "longest": np.where(np.isfinite(found.longest), found.longest, 0.0).astype(np.float64),
            "number": np.log1p(np.minimum(found.number, 1e300)),
            "passed": np.concatenate(passed, axis=1, dtype=np.float64),
            "walks": np.concatenate(walk, axis=1),
        }
