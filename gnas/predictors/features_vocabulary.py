"""What features are about: the ops, parameters and choices met in a reference sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import INPUT, Value
from gnas.predictors.graphs import Floats, GraphBatch
from gnas.space.program import Label
from gnas.space.protocol import Choice

ROUTING = frozenset({"add", "cat", "concat", "identity", "input", "maximum", "mean", "mul", "output", "stack", "sum"})
"""Ops that only route or merge values: allowed on every path, without length."""

_ALL_SUBSETS = 5


@dataclass(frozen=True)
class Vocabulary:
    """What features are about, in sorted order.

    Attributes:
        choices: The space's choices.
        ops: Names of ops.
        fixed: Ops that occur equally often in every graph of the reference, such as a stem: paths cannot avoid them.
        words: Parameters that are not numbers, as `(parameter, value)`.
        sizes: Names of parameters that are numbers.
    """

    choices: tuple[Choice, ...]
    ops: tuple[str, ...]
    fixed: frozenset[str]
    words: tuple[tuple[str, str], ...]
    sizes: tuple[str, ...]

    @classmethod
    def of(cls, graphs: GraphBatch, choices: tuple[Choice, ...]) -> Vocabulary:
        """The vocabulary of `graphs`."""
        ops = tuple(sorted({op for op, _ in graphs.table}))
        params = [(name, value) for op, pairs in graphs.table if op != INPUT for name, value in pairs]
        placed = graphs.ops({op: i for i, op in enumerate(ops)})
        counts = [(placed == i).sum(axis=0) for i in range(len(ops))]
        return cls(
            choices,
            ops,
            frozenset(op for op, count in zip(ops, counts, strict=True) if (count == count[0]).all()),
            tuple(sorted({(name, repr(value)) for name, value in params if not is_number(value)})),
            tuple(sorted({name for name, value in params if is_number(value)})),
        )

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each op."""
        return {op: i for i, op in enumerate(self.ops)}

    @cached_property
    def routing(self) -> NDArray[np.bool_]:
        """Which ops only route, `(op + 2,)`; the last two entries stand for ops unknown and for no node."""
        return np.array([*(op in ROUTING for op in self.ops), False, False])

    @cached_property
    def length(self) -> Floats:
        """1 for ops that lengthen a path, 0 for those that route; `(op,)`."""
        return np.where(self.routing[:-2], 0.0, 1.0)

    @cached_property
    def confined(self) -> NDArray[np.bool_]:
        """Sets of ops that paths may be confined to, `(set, op)`; the last is the full set.

        Ops that route or that are fixed are in all of them. Of few other ops, every subset; of many, the full set, each
        op alone, and all but one.
        """
        free = self._free
        sizes = {1, len(free) - 1} if len(free) > _ALL_SUBSETS else set(range(len(free)))
        members = [subset for size in sorted(sizes & set(range(len(free)))) for subset in combinations(free, size)]
        sets = np.ones((len(members) + 1, len(self.ops)), dtype=np.bool_)
        for row, subset in enumerate(members):
            sets[row, [i for i in free if i not in subset]] = False
        return sets

    @cached_property
    def passed(self) -> NDArray[np.bool_]:
        """Sets of ops that are counted along paths, `(set, op)`: those of `confined` without what is in all."""
        free = np.zeros(len(self.ops), dtype=np.bool_)
        free[self._free] = True
        sets = self.confined & free
        return sets[sets.any(axis=1)]

    @property
    def _free(self) -> list[int]:
        return [i for i, op in enumerate(self.ops) if op not in ROUTING and op not in self.fixed]

    def label_rows(self, table: tuple[Label, ...]) -> tuple[Floats, Floats]:
        """Counts `(label, op + word)` and numbers `(label, size)` that a node with each label contributes."""
        rows = [self._label_row(label) for label in table]
        counts = np.array([count for count, _ in rows]).reshape(len(table), len(self.ops) + len(self.words))
        return counts, np.array([number for _, number in rows]).reshape(len(table), len(self.sizes))

    def _label_row(self, label: Label) -> tuple[Floats, Floats]:
        if label not in self._label_rows:
            counts, numbers = np.zeros(len(self.ops) + len(self.words)), np.zeros(len(self.sizes))
            op, params = label
            if op in self.index:
                counts[self.index[op]] = 1.0
            for name, value in params if op != INPUT else ():
                if is_number(value):
                    if name in self.sizes:
                        numbers[self.sizes.index(name)] = float(value)
                elif (name, repr(value)) in self.words:
                    counts[len(self.ops) + self.words.index((name, repr(value)))] += 1.0
            self._label_rows[label] = counts, numbers
        return self._label_rows[label]

    @cached_property
    def _label_rows(self) -> dict[Label, tuple[Floats, Floats]]:
        return {}


def is_number(value: Value) -> TypeGuard[int | float]:
    """Whether a value is a number, truth values aside."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
