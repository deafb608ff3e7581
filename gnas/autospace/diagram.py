"""A layered decision diagram of formulas that must hold: exact counts, numbering and uniform sampling.

One layer decides one unit. A state is what must be remembered of the decisions so far; states that the rest of the
circuit cannot tell apart are one. Counts are exact integers of any size.

Source: the layered (ordered) decision diagram after Bryant, "Graph-Based Algorithms for Boolean Function Manipulation",
IEEE Trans. Computers 1986, built from the top by frontiers as in Knuth's Simpath (The Art of Computer Programming 4A,
7.1.4, exercise 225). Deviation: states are merged by the values they remember, not reduced to canonical form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.autospace.formulas import Formulas
from gnas.autospace.schedule import Held, Layer, schedule

Mask = NDArray[np.bool_]
States = NDArray[np.intp]
_WORD = 62


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of a diagram.

    Attributes:
        unit: What it decides.
        after: State that follows, −1 where nothing valid does: `(2, state)`, dropped first, kept second.
    """

    unit: int
    after: States


@dataclass(frozen=True)
class Overflow:
    """What is known where a diagram grew too large.

    Attributes:
        frontier: What was remembered then.
    """

    frontier: tuple[Held, ...]


@dataclass(frozen=True, eq=False)
class Diagram:
    """The assignments of some units that fulfil some clauses, numbered from 0 to `count - 1`.

    Attributes:
        units: Those decided, in their order.
        count: How many assignments.
    """

    units: tuple[int, ...]
    count: int
    _steps: tuple[Step, ...]
    _shares: tuple[NDArray[np.float64], ...]
    _dropped: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, formulas: Formulas, clauses: Iterable[int], limit: int) -> Diagram | Overflow:
        """The diagram of `clauses`, or what was remembered when one layer had more than `limit` states."""
        layers = schedule(formulas, clauses)
        values: dict[int, Mask] = {}
        steps = []
        n = 1
        for layer in layers:
            after, values, n = _advance(formulas, layer, values, n)
            if n > limit:
                return Overflow(layer.frontier)
            steps.append(Step(layer.unit, after))
        shares, dropped, count = _weigh(steps)
        return cls(tuple(layer.unit for layer in layers), count, tuple(steps), shares, dropped)

    @property
    def most_states(self) -> int:
        """States of the layer that has most."""
        return max(int(step.after.shape[1]) for step in self._steps)

    def sample(self, rng: np.random.Generator, n: int) -> Mask:
        """Uniform assignments: kept or not, `(n, len(units))`."""
        drawn = rng.random((len(self._steps), n))
        kept = np.empty((len(self._steps), n), dtype=np.bool_)
        state = np.zeros(n, dtype=np.intp)
        for k, (step, share) in enumerate(zip(self._steps, self._shares, strict=True)):
            np.less(drawn[k], share[state], out=kept[k])
            state = step.after[kept[k].astype(np.intp), state]
        return kept.T

    def unrank(self, numbers: NDArray[np.int64]) -> Mask:
        """The assignments with these numbers, `(n,)` to `(n, len(units))`; needs `count` below 2^62."""
        kept = np.empty((len(self._steps), len(numbers)), dtype=np.bool_)
        state, left = np.zeros(len(numbers), dtype=np.intp), numbers.copy()
        for k, (step, dropped) in enumerate(zip(self._steps, self._dropped, strict=True)):
            skipped = dropped[state]
            np.greater_equal(left, skipped, out=kept[k])
            left -= np.where(kept[k], skipped, 0)
            state = step.after[kept[k].astype(np.intp), state]
        return kept.T


def _advance(formulas: Formulas, layer: Layer, values: dict[int, Mask], n: int) -> tuple[States, dict[int, Mask], int]:
    """States after a layer: successors `(2, n)`, remembered values `(new state,)`, and how many there are."""
    now = {f: np.concatenate([v, v]) for f, v in values.items()}
    now[layer.variable] = np.repeat([False, True], n)
    for reader, operand in layer.folds:
        if reader not in now:
            now[reader] = now[operand].copy()
        elif formulas.kinds[reader] == "all":
            now[reader] &= now[operand]
        else:
            now[reader] |= now[operand]
    alive = np.ones(2 * n, dtype=np.bool_)
    for formula in layer.checks:
        alive &= now[formula]
    _forget(formulas, layer.frontier, now)
    table = [now[held.formula][alive] for held in layer.frontier]
    after = np.full(2 * n, -1, dtype=np.intp)
    first, state = _distinct(table, int(alive.sum()))
    after[alive] = state
    rows = {held.formula: column[first] for held, column in zip(layer.frontier, table, strict=True)}
    return after.reshape(2, n), rows, len(first)


def _forget(formulas: Formulas, frontier: tuple[Held, ...], now: dict[int, Mask]) -> None:
    """Sets remembered values to false where they cannot matter: all their readers are settled or do not matter."""
    idle: dict[int, Mask] = {}
    for held in reversed(frontier):
        if held.must or held.open:
            continue
        found = np.ones(len(now[held.formula]), dtype=np.bool_)
        for reader in held.readers:
            settled = now[reader] == (formulas.kinds[reader] == "any")
            found &= settled | idle[reader] if reader in idle else settled
        idle[held.formula] = found
    for formula, found in idle.items():
        now[formula] = now[formula] & ~found


def _distinct(columns: list[Mask], n: int) -> tuple[States, States]:
    """Index of the first of each kind of row, and the kind of each row."""
    if not columns or n == 0:
        return np.zeros(min(n, 1), dtype=np.intp), np.zeros(n, dtype=np.intp)
    if len(columns) <= _WORD:
        keys = np.zeros(n, dtype=np.int64)
        for k, column in enumerate(columns):
            keys |= column.astype(np.int64) << k
        _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    else:
        packed = np.packbits(np.stack(columns, axis=1), axis=1)
        _, first, kind = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)


def _weigh(
    steps: list[Step],
) -> tuple[tuple[NDArray[np.float64], ...], tuple[NDArray[np.int64], ...], int]:
    """From the last layer back: the share of assignments that keep, and the number that drop, of each state."""
    shares, dropped = [], []
    # NOTE: the last entry answers state −1.
    counts = np.array([1, 0], dtype=np.int64)
    for depth, step in enumerate(reversed(steps)):
        if depth == _WORD:
            counts = counts.astype(object)
        without, with_ = counts[step.after[0]], counts[step.after[1]]
        total = without + with_
        shares.append(np.asarray(with_ / np.maximum(total, 1), dtype=np.float64))
        dropped.append(without.astype(np.int64) if depth < _WORD else np.minimum(without, 1 << _WORD).astype(np.int64))
        counts = np.append(total, np.zeros(1, dtype=total.dtype))
    return tuple(reversed(shares)), tuple(reversed(dropped)), int(counts[0])
