"""Features of architectures from any space, straight from rows of codes, in named blocks.

Every block is centred, scaled column by column, and divided by the root of its width, so that distances within any
block are of order one whatever the space. Graph features do not depend on the order of nodes.

Source: path and degree features after Kadlecová et al., "Surprisingly Strong Performance Prediction with Neural Graph
Features" (GRAF), ICML 2024, arXiv:2404.16551, section 3.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.predictors.features_blocks import GraphBlocks
from gnas.predictors.features_choices import ChoiceColumns, observed_choices
from gnas.predictors.features_vocabulary import Vocabulary
from gnas.predictors.graphs import Floats, GraphBatch, GraphSpace
from gnas.space.protocol import Choice, Codes, Space

BLOCKS = (
    "choices",
    "ordinals",
    "ops",
    "shortest",
    "longest",
    "number",
    "passed",
    "walks",
    "degrees",
    "edges",
    "flow",
    "signal",
    "sizes",
)
"""Names of the blocks, in order. A block without a varying column is left out."""

_REFERENCE = 2048
_DECODED_REFERENCE = 512
"""Rows of the reference sample, and of that of a space that decodes one after the other."""
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class FeatureExtractor:
    """Scaled features in batches, fitted on a reference sample. Immutable.

    Attributes:
        vocabulary: What the features are about.
        names: Names of the blocks it has.
        slices: Columns of each block.
        space: The space it was fitted on; architectures then speak through their assignment.
        graph_blocks: What is computed of graphs, before scaling.
        typical_size: Median number of nodes in the reference sample.
    """

    vocabulary: Vocabulary
    names: tuple[str, ...]
    slices: tuple[slice, ...]
    space: Space | None
    graph_blocks: GraphBlocks
    typical_size: float
    _choices: ChoiceColumns
    _kept: Mapping[str, NDArray[np.bool_]]
    _mean: Floats
    _scale: Floats

    @classmethod
    def fit(cls, architectures: Sequence[Architecture], choices: tuple[Choice, ...] = ()) -> FeatureExtractor:
        """Vocabulary, centre and scale from `architectures`; choices are read off them if `choices` is empty."""
        columns = ChoiceColumns.of(choices or observed_choices(architectures))
        assigned = columns.of_assignments([architecture.assignment for architecture in architectures])
        return cls._fit(GraphBatch.of(architectures), assigned, columns, choices, None)

    @classmethod
    def fit_space(cls, space: Space, n: int | None = None) -> FeatureExtractor:
        """Vocabulary, centre and scale from a fixed random sample of `n` rows: a pure function of the space.

        Without `n`, 2,048, or 512 where the space makes no graphs in batches (`GraphSpace`).
        """
        if n is None:
            n = _REFERENCE if isinstance(space, GraphSpace) else _DECODED_REFERENCE
        columns = ChoiceColumns.of(space.choices)
        graphs, assigned = _read(space, space.sample_codes(np.random.default_rng(0), n), columns)
        return cls._fit(graphs, assigned, columns, space.choices, space)

    @classmethod
    def _fit(
        cls,
        graphs: GraphBatch,
        assigned: tuple[Floats, Floats],
        columns: ChoiceColumns,
        choices: tuple[Choice, ...],
        space: Space | None,
    ) -> FeatureExtractor:
        vocabulary = Vocabulary.of(graphs, choices)
        blocks = GraphBlocks.of(graphs, vocabulary)
        raw = {"choices": assigned[0], "ordinals": assigned[1], **blocks(graphs)}
        kept, means, scales = {}, [], []
        for name in BLOCKS:
            spread = raw[name].std(axis=0)
            kept[name] = spread > 1e-9
            means.append(raw[name].mean(axis=0)[kept[name]])
            scales.append(1.0 / (spread[kept[name]] * np.sqrt(max(kept[name].sum(), 1))))
        names = tuple(name for name in BLOCKS if kept[name].any())
        ends = np.cumsum([0, *(int(kept[name].sum()) for name in names)]).tolist()
        slices = tuple(slice(start, end) for start, end in pairwise(ends))
        size = float(np.median(graphs.real.sum(axis=0))) if graphs.n_graphs else 0.0
        return cls(
            vocabulary, names, slices, space, blocks, size, columns, kept, np.concatenate(means), np.concatenate(scales)
        )

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self._mean)

    @property
    def spreads(self) -> Floats:
        """Standard deviation of each column in the reference sample before it was scaled, `(column,)`."""
        widths = np.concatenate([np.full(part.stop - part.start, part.stop - part.start) for part in self.slices])
        spreads: Floats = 1.0 / (self._scale * np.sqrt(widths))
        return spreads

    def features(self, architectures: Sequence[Architecture]) -> Floats:
        """Scaled features, shape `(architecture, column)`.

        Raises:
            SpaceError: Fitted on a space, and an assignment is not of that space.
        """
        if self.space is not None and architectures:
            return self.features_of_codes(
                self.space, np.stack([self.space.encode(dict(a.assignment)) for a in architectures])
            )
        assigned = self._choices.of_assignments([architecture.assignment for architecture in architectures])
        return self._scaled(GraphBatch.of(architectures), assigned)

    def features_of_codes(self, space: Space, codes: Codes) -> Floats:
        """Scaled features of rows of codes, `(n, choice)` to `(n, column)`, in chunks.

        Rows of another space than the extractor's are described by the ops, parameters and choices they share.
        """
        out = np.empty((len(codes), self.width))
        for start in range(0, len(codes), _CHUNK):
            out[start : start + _CHUNK] = self._scaled(*_read(space, codes[start : start + _CHUNK], self._choices))
        return out

    def _scaled(self, graphs: GraphBatch, assigned: tuple[Floats, Floats]) -> Floats:
        raw = {"choices": assigned[0], "ordinals": assigned[1], **self.graph_blocks(graphs)}
        table = np.concatenate([raw[name][:, self._kept[name]] for name in BLOCKS], axis=1)
        table -= self._mean
        table *= self._scale
        return table


def _read(space: Space, codes: Codes, columns: ChoiceColumns) -> tuple[GraphBatch, tuple[Floats, Floats]]:
    """Graphs of rows, and what their choices say; a choice without a say in its graph counts as inactive."""
    if not isinstance(space, GraphSpace):
        return GraphBatch.of_codes(space, codes), columns.of_codes(space.choices, codes)
    graphs, labels = space.graphs(codes)
    live = np.where(space.live_choices(codes, graphs), codes, np.int16(-1))
    return GraphBatch.of_pruned(graphs, labels), columns.of_codes(space.choices, live)


_of_space: OrderedDict[str, FeatureExtractor] = OrderedDict()


def extractor_of_space(space: Space) -> FeatureExtractor:
    """The extractor of a space, fitted on a fixed random sample of it: a pure function of the space, remembered."""
    extractor = _of_space.get(space.fingerprint)
    if extractor is None:
        extractor = _of_space[space.fingerprint] = FeatureExtractor.fit_space(space)
        if len(_of_space) > 8:
            _of_space.popitem(last=False)
    return extractor
