"""Features read off assignments: one-hots of unordered choices, positions of ordered ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from gnas.architecture import Architecture, Assignment, Value
from gnas.predictors.features_vocabulary import is_number
from gnas.predictors.graphs import Floats
from gnas.space.protocol import Choice, Codes

INACTIVE = 0.5
"""Position of an ordered choice without a say."""


@dataclass(frozen=True, slots=True)
class ChoiceColumns:
    """Where each value of each choice stands.

    Attributes:
        onehots: Column of each value of an unordered choice.
        positions: Column and position, from 0 to 1, of each value of an ordered choice.
        n_ordered: How many ordered choices.
    """

    onehots: Mapping[tuple[str, Value], int]
    positions: Mapping[tuple[str, Value], tuple[int, float]]
    n_ordered: int

    @classmethod
    def of(cls, choices: Sequence[Choice]) -> ChoiceColumns:
        """Columns of the values of `choices`."""
        free = [(choice.name, value) for choice in choices if not choice.ordinal for value in choice.values]
        ordered = [choice for choice in choices if choice.ordinal]
        positions = {
            (choice.name, value): (column, i / max(len(choice.values) - 1, 1))
            for column, choice in enumerate(ordered)
            for i, value in enumerate(choice.values)
        }
        return cls({item: column for column, item in enumerate(free)}, positions, len(ordered))

    def of_codes(self, choices: Sequence[Choice], codes: Codes) -> tuple[Floats, Floats]:
        """One-hots `(n, value)` and positions `(n, choice)` of rows of codes of `choices`."""
        onehot, ordinal = self._blank(len(codes))
        rows = np.arange(len(codes))
        for column, choice in enumerate(choices):
            items = [(choice.name, value) for value in choice.values]
            # The last entry of each table answers code −1; the last column takes what has none.
            at = np.array([*(self.onehots.get(item, len(self.onehots)) for item in items), len(self.onehots)])
            onehot[rows, at[codes[:, column]]] = 1.0
            known = [self.positions[item] for item in items if item in self.positions]
            if known and len(known) == len(items):
                ordinal[:, known[0][0]] = np.array([*(position for _, position in known), INACTIVE])[codes[:, column]]
        return onehot[:, :-1], ordinal

    def of_assignments(self, assignments: Sequence[Assignment]) -> tuple[Floats, Floats]:
        """One-hots `(n, value)` and positions `(n, choice)` of assignments as they are."""
        onehot, ordinal = self._blank(len(assignments))
        for row, assignment in enumerate(assignments):
            for item in assignment:
                if item in self.onehots:
                    onehot[row, self.onehots[item]] = 1.0
                elif item in self.positions:
                    column, position = self.positions[item]
                    ordinal[row, column] = position
        return onehot[:, :-1], ordinal

    def _blank(self, n: int) -> tuple[Floats, Floats]:
        return np.zeros((n, len(self.onehots) + 1)), np.full((n, self.n_ordered), INACTIVE)


def observed_choices(architectures: Sequence[Architecture]) -> tuple[Choice, ...]:
    """Choices as the assignments show them; those of numbers are taken for ordered."""
    seen: dict[str, set[Value]] = {}
    for architecture in architectures:
        for name, value in architecture.assignment:
            seen.setdefault(name, set()).add(value)
    return tuple(
        Choice(name, tuple(sorted(values, key=_sort_key)), ordinal=all(is_number(value) for value in values))
        for name, values in sorted(seen.items())
    )


def _sort_key(value: Value) -> tuple[float, str]:
    return (float(cast(float, value)), "") if is_number(value) else (0.0, repr(value))
