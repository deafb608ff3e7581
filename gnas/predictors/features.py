"""Features of architectures from any space: choices, op counts, paths, degrees and edges, sizes.

Every block is centred, scaled column by column, and divided by the root of its width, so that distances within any
block are of order one whatever the space. Graph features do not depend on the order of nodes.

Source: path and degree features after Kadlecová et al., "Surprisingly Strong Performance Prediction with Neural Graph
Features" (GRAF), ICML 2024, arXiv:2404.16551, section 3. Deviations: any DAG instead of a few cells; above
`_ALL_SUBSETS` ops only the full set is taken (and, as ever, the number of each op along paths).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Value
from gnas.predictors.graphs import Floats, GraphBatch
from gnas.space.protocol import Choice, Codes, Space

BLOCKS = ("choices", "ordinals", "ops", "paths", "degrees", "sizes")
"""Names of the blocks, in order. A block without a varying column is left out."""

STRUCTURAL = frozenset({"add", "cat", "concat", "identity", "input", "mean", "mul", "output", "stack", "sum"})
"""Ops that only route or merge values: allowed on every path, without length."""

_ALL_SUBSETS = 5
_REFERENCE = 256
_MEMO_SIZE = 50_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What features are about, in sorted order.

    Attributes:
        choices: The space's choices.
        ops: Names of ops.
        labels: Parameters that are not numbers, as `(parameter, value)`.
        sizes: Names of parameters that are numbers.
    """

    choices: tuple[Choice, ...]
    ops: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    sizes: tuple[str, ...]

    @classmethod
    def of(cls, architectures: Sequence[Architecture], choices: tuple[Choice, ...]) -> Vocabulary:
        """The vocabulary of `architectures`; choices are read off their assignments if `choices` is empty."""
        nodes = {node for architecture in architectures for node in architecture.nodes}
        params = [(name, value) for node in nodes if node.op != "input" for name, value in node.params]
        return cls(
            choices or _observed_choices(architectures),
            tuple(sorted({node.op for node in nodes})),
            tuple(sorted({(name, repr(value)) for name, value in params if not _is_number(value)})),
            tuple(sorted({name for name, value in params if _is_number(value)})),
        )

    def subsets(self) -> NDArray[np.bool_]:
        """Sets of ops that paths may be confined to; structural ops are in all of them; `(subset, op)`."""
        free = [i for i, op in enumerate(self.ops) if op not in STRUCTURAL]
        sizes = range(1, len(free) + 1) if len(free) <= _ALL_SUBSETS else [len(free)]
        members = [subset for size in sizes for subset in combinations(free, size)]
        sets = np.zeros((len(members) + 1, len(self.ops)), dtype=np.bool_)
        sets[:, [i for i, op in enumerate(self.ops) if op in STRUCTURAL]] = True
        for row, subset in enumerate(members, start=1):
            sets[row, list(subset)] = True
        return sets


def raw_blocks(architectures: Sequence[Architecture], vocabulary: Vocabulary) -> list[Floats]:
    """Unscaled features, one array `(architecture, column)` for each name in `BLOCKS`."""
    graphs = GraphBatch.of(architectures, {op: i for i, op in enumerate(vocabulary.ops)})
    onehot, ordinal = _choice_features(architectures, vocabulary.choices)
    labels, sizes = _param_features(architectures, vocabulary)
    counts = np.concatenate([graphs.op_counts(), labels], axis=1)
    degrees = np.concatenate([graphs.degrees(), graphs.edge_counts()], axis=1)
    return [onehot, ordinal, counts, _path_features(graphs, vocabulary), degrees, sizes]


def _path_features(graphs: GraphBatch, vocabulary: Vocabulary) -> Floats:
    sets = vocabulary.subsets()
    length = np.array([0.0 if op in STRUCTURAL else 1.0 for op in vocabulary.ops])
    single = np.eye(len(vocabulary.ops))[length > 0]
    weights = np.concatenate([np.broadcast_to(length, sets.shape), single])
    allowed = np.concatenate([sets, np.ones(single.shape, dtype=np.bool_)])
    shortest, longest, number, mean = graphs.paths(weights, allowed)
    n_sets = len(sets)
    return np.concatenate(
        [
            np.where(np.isfinite(shortest), 1.0 / (1.0 + shortest), 0.0),
            np.where(np.isfinite(longest), longest, 0.0),
            np.log1p(number[:, :n_sets]),
            mean[:, n_sets:],
        ],
        axis=1,
    )


def _choice_features(architectures: Sequence[Architecture], choices: tuple[Choice, ...]) -> tuple[Floats, Floats]:
    """One-hots of unordered choices, scaled positions of ordered ones (0.5 where inactive)."""
    columns: dict[tuple[str, Value], int] = {}
    positions: dict[tuple[str, Value], tuple[int, float]] = {}
    n_ordinal = 0
    for choice in choices:
        if choice.ordinal:
            top = max(len(choice.values) - 1, 1)
            positions |= {(choice.name, value): (n_ordinal, i / top) for i, value in enumerate(choice.values)}
            n_ordinal += 1
        else:
            for value in choice.values:
                columns[choice.name, value] = len(columns)
    onehot = np.zeros((len(architectures), len(columns)))
    ordinal = np.full((len(architectures), n_ordinal), 0.5)
    for row, architecture in enumerate(architectures):
        for item in architecture.assignment:
            if item in columns:
                onehot[row, columns[item]] = 1.0
            elif item in positions:
                column, position = positions[item]
                ordinal[row, column] = position
    return onehot, ordinal


def _param_features(architectures: Sequence[Architecture], vocabulary: Vocabulary) -> tuple[Floats, Floats]:
    """Counts of non-numeric parameters; sum, logarithm of the sum, and maximum of numeric ones."""
    label_of = {label: i for i, label in enumerate(vocabulary.labels)}
    size_of = {name: i for i, name in enumerate(vocabulary.sizes)}
    rows_of: dict[tuple[tuple[str, Value], ...], int] = {}
    counts: list[Floats] = []
    numbers: list[Floats] = []
    members: list[list[int]] = []
    for architecture in architectures:
        params = [node.params for node in architecture.nodes if node.params and node.op != "input"]
        for one in params:
            if one not in rows_of:
                rows_of[one] = len(counts)
                count, number = _params_row(one, label_of, size_of)
                counts.append(count)
                numbers.append(number)
        members.append([rows_of[one] for one in params])
    # Rows of distinct parameters are made once; the row of zeros at the end stands for no node.
    width = max((len(rows) for rows in members), default=0) or 1
    index = np.array([rows + [-1] * (width - len(rows)) for rows in members], dtype=np.int64).reshape(-1, width)
    count_table = np.array([*counts, np.zeros(len(label_of))])
    number_table = np.array([*numbers, np.zeros(len(size_of))])
    labels = count_table[index].sum(axis=1)
    sums, tops = number_table[index].sum(axis=1), number_table[index].max(axis=1)
    return labels, np.concatenate([sums, np.log1p(np.abs(sums)), tops], axis=1)


def _params_row(
    params: tuple[tuple[str, Value], ...], label_of: Mapping[tuple[str, str], int], size_of: Mapping[str, int]
) -> tuple[Floats, Floats]:
    count, number = np.zeros(len(label_of)), np.zeros(len(size_of))
    for name, value in params:
        if not _is_number(value):
            if (name, repr(value)) in label_of:
                count[label_of[name, repr(value)]] = 1.0
        elif name in size_of:
            number[size_of[name]] = float(cast(float, value))
    return count, number


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _observed_choices(architectures: Sequence[Architecture]) -> tuple[Choice, ...]:
    """Choices as the assignments show them; ordered where all values are numbers."""
    seen: dict[str, set[Value]] = {}
    for architecture in architectures:
        for name, value in architecture.assignment:
            seen.setdefault(name, set()).add(value)
    return tuple(
        Choice(name, tuple(sorted(values, key=_sort_key)), ordinal=all(_is_number(value) for value in values))
        for name, values in sorted(seen.items())
    )


def _sort_key(value: Value) -> tuple[float, str]:
    return (float(cast(float, value)), "") if _is_number(value) else (0.0, repr(value))


@dataclass(frozen=True, eq=False)
class FeatureExtractor:
    """Scaled features in batches, fitted on a reference sample. Immutable but for its memo.

    Attributes:
        vocabulary: What the features are about.
        names: Names of the blocks it has.
        slices: Columns of each block.
    """

    vocabulary: Vocabulary
    names: tuple[str, ...]
    slices: tuple[slice, ...]
    _kept: tuple[NDArray[np.bool_], ...]
    _mean: Floats
    _scale: Floats
    _memo: OrderedDict[object, Floats] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def fit(cls, architectures: Sequence[Architecture], choices: tuple[Choice, ...] = ()) -> FeatureExtractor:
        """Vocabulary, centre and scale from `architectures`."""
        vocabulary = Vocabulary.of(architectures, choices)
        names, slices, kept, means, scales = [], [], [], [], []
        width = 0
        for name, block in zip(BLOCKS, raw_blocks(architectures, vocabulary), strict=True):
            spread = block.std(axis=0)
            keep = spread > 1e-9
            kept.append(keep)
            n = int(keep.sum())
            if n == 0:
                continue
            names.append(name)
            slices.append(slice(width, width + n))
            width += n
            means.append(block[:, keep].mean(axis=0))
            scales.append(1.0 / (spread[keep] * np.sqrt(n)))
        flat = [np.concatenate(part) if part else np.zeros(0) for part in (means, scales)]
        return cls(vocabulary, tuple(names), tuple(slices), tuple(kept), flat[0], flat[1])

    def features(self, architectures: Sequence[Architecture]) -> Floats:
        """Scaled features, shape `(architecture, column)`; remembered by graph and assignment."""
        return self._remembered(architectures, lambda i: architectures[i])

    def features_of_codes(self, space: Space, codes: Codes) -> Floats:
        """Scaled features of rows of codes, shape `(n, column)`; only rows not seen lately are decoded."""
        keys: list[object] = [(space.fingerprint, row.tobytes()) for row in codes]
        return self._remembered(keys, lambda i: space.decode(codes[i]))

    def _remembered(self, keys: Sequence[object], architecture: Callable[[int], Architecture]) -> Floats:
        new = {key: i for i, key in enumerate(keys) if key not in self._memo}
        if new:
            for key, row in zip(new, self._compute([architecture(i) for i in new.values()]), strict=True):
                self._memo[key] = row
        out = np.stack([self._memo[key] for key in keys]) if keys else np.zeros((0, len(self._mean)))
        while len(self._memo) > _MEMO_SIZE:
            self._memo.popitem(last=False)
        return out

    def _compute(self, architectures: Sequence[Architecture]) -> Floats:
        blocks = raw_blocks(architectures, self.vocabulary)
        raw = np.concatenate([block[:, keep] for block, keep in zip(blocks, self._kept, strict=True)], axis=1)
        scaled: Floats = (raw - self._mean) * self._scale
        return scaled


_of_space: OrderedDict[str, FeatureExtractor] = OrderedDict()


def extractor_of_space(space: Space) -> FeatureExtractor:
    """The extractor of a space, fitted on a fixed random sample of it: a pure function of the space, remembered."""
    extractor = _of_space.get(space.fingerprint)
    if extractor is None:
        codes = space.sample_codes(np.random.default_rng(0), _REFERENCE)
        extractor = FeatureExtractor.fit([space.decode(row) for row in codes], space.choices)
        _of_space[space.fingerprint] = extractor
        if len(_of_space) > 8:
            _of_space.popitem(last=False)
    return extractor
