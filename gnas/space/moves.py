"""Moves in a space of conditional choices, on batches: activity, repair, mutation, crossover, neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from gnas.space.protocol import Choice, Codes
from gnas.space.tree import is_among

Valid = Callable[[Codes], NDArray[np.bool_]]
_DOUBLINGS = 5
_INACTIVE = np.int16(-1)


class Moves:
    """Moves over `choices` that end in rows for which `valid` holds.

    Args:
        choices: Parents before children.
        valid: Which rows of well-formed codes fulfil the constraints.
    """

    def __init__(self, choices: Sequence[Choice], valid: Valid) -> None:
        self._choices, self._valid = tuple(choices), valid
        index = {c.name: i for i, c in enumerate(self._choices)}
        self.sizes = np.array([len(c.values) for c in self._choices], dtype=np.int16)
        self._conditions: list[list[tuple[int, NDArray[np.bool_]]]] = []
        for choice in self._choices:
            tables = []
            for name, accepted in choice.when:
                # NOTE: the table's last entry answers code −1: an inactive parent deactivates.
                values = self._choices[index[name]].values
                tables.append((index[name], np.array([*(is_among(v, accepted) for v in values), False])))
            self._conditions.append(tables)

    def active(self, codes: Codes, column: int) -> NDArray[np.bool_]:
        """Where the choice of `column` is active, its parents being decided."""
        found = np.ones(len(codes), dtype=bool)
        for parent, table in self._conditions[column]:
            found &= table[codes[:, parent]]
        return found

    def well_formed(self, codes: Codes) -> NDArray[np.bool_]:
        """Rows with a value in range exactly where the choice is active."""
        good = np.ones(len(codes), dtype=bool)
        clipped = np.clip(codes, -1, self.sizes - 1)
        for column in range(len(self._choices)):
            here = codes[:, column]
            active = self.active(clipped, column)
            good &= np.where(active, (here >= 0) & (here < self.sizes[column]), here == -1)
        return good

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Inactive choices set to −1, newly active ones drawn uniformly."""
        columns = np.ascontiguousarray(codes.T)
        absent: NDArray[np.bool_] = np.min(columns, axis=1, initial=0) < 0
        for column, conditions in enumerate(self._conditions):
            here = columns[column]
            if not conditions and not absent[column]:
                continue
            missing = here < 0
            if conditions:
                # NOTE: wrapped round, code −1 is the last entry.
                holds = [table.take(columns[parent], mode="wrap") for parent, table in conditions]
                active = reduce(np.logical_and, holds)
                missing &= active
                np.copyto(here, _INACTIVE, where=~active)
            (where,) = missing.nonzero()
            if where.size:
                here[where] = rng.integers(self.sizes[column], size=where.size)
        return np.ascontiguousarray(columns.T)

    def mutate(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """One active choice of each row changed to another value, uniformly; a row without a valid change stays."""

        def attempt(rows: Codes) -> Codes:
            free = (rows >= 0) & (self.sizes > 1)
            column = np.where(free, rng.random(rows.shape), -1.0).argmax(axis=1)
            everyone = np.arange(len(rows))
            shift = 1 + (rng.random(len(rows)) * (self.sizes[column] - 1)).astype(np.int16)
            changed, here = rows.copy(), rows[everyone, column]
            changed[everyone, column] = np.where(free[everyone, column], (here + shift) % self.sizes[column], here)
            return self.repair(changed, rng)

        return self._until_valid(codes, attempt, rng)

    def cross(self, a: Codes, b: Codes, rng: np.random.Generator) -> Codes:
        """Each choice from either parent with equal chance, from the one where it is active if only one has it."""
        both = np.concatenate([a, b], axis=1)
        width = a.shape[1]

        def attempt(rows: Codes) -> Codes:
            first, second = rows[:, :width], rows[:, width:]
            child = np.where(rng.random(first.shape) < 0.5, first, second)
            child = np.where(child < 0, np.maximum(first, second), child).astype(np.int16)
            return self.repair(child, rng)

        return self._until_valid(both, attempt, rng, keep=a)

    def neighbours(self, code: Codes) -> Codes:
        """Every valid row one changed choice away; choices that become active take their first value."""
        found = []
        for column in np.flatnonzero(code >= 0).tolist():
            for value in range(int(self.sizes[column])):
                if value != code[column]:
                    changed = code.copy()
                    changed[column] = value
                    found.append(changed)
        if not found:
            return np.empty((0, len(code)), dtype=np.int16)
        rows = np.stack(found)
        for column in range(len(self._choices)):
            active = self.active(rows, column)
            rows[~active, column] = -1
            rows[active & (rows[:, column] < 0), column] = 0
        return rows[self._valid(rows)]

    def _until_valid(
        self,
        rows: Codes,
        attempt: Callable[[Codes], Codes],
        rng: np.random.Generator,
        keep: Codes | None = None,
    ) -> Codes:
        """`attempt` repeated on the rows whose result is not valid; at last a neighbour, or the row itself."""
        result = attempt(rows)
        wrong = np.flatnonzero(~self._valid(result))
        for doubling in range(1, _DOUBLINGS + 1):
            if not wrong.size:
                return result
            # Few rows cost hardly less than many: ever more tries of each at once, of which the first valid one counts.
            owner = np.repeat(np.arange(len(wrong)), 1 << doubling)
            tries = attempt(rows[wrong[owner]])
            good = np.flatnonzero(self._valid(tries))
            done, first = np.unique(owner[good], return_index=True)
            result[wrong[done]] = tries[good[first]]
            wrong = np.delete(wrong, done)
        start = rows if keep is None else keep
        for row in wrong.tolist():
            near = self.neighbours(start[row])
            result[row] = near[rng.integers(len(near))] if len(near) else start[row]
        return result
