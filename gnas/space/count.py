"""Exact number of the assignments that fulfil constraints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gnas.errors import SpaceError
from gnas.space.constraints import Constraint
from gnas.space.moves import Moves
from gnas.space.protocol import Choice, Codes
from gnas.space.tree import AssignmentTree

ENUMERABLE = 1 << 26
_CHUNK = 1 << 16


def count_constrained(choices: Sequence[Choice], constraints: Iterable[Constraint], moves: Moves, place: str) -> int:
    """Number of assignments that fulfil all constraints.

    The choices that the constraints depend on (and their parents) are enumerated; each of their valid assignments
    counts as many times as the other choices can complete it.

    Raises:
        SpaceError: The constraints tie too many choices.
    """
    constraints = tuple(constraints)
    named = with_parents({n for c in constraints for n in c.choices}, choices)
    tied = [c for c in choices if c.name in named]
    tree = AssignmentTree(tied)
    if tree.count > ENUMERABLE:
        raise SpaceError(
            "the constraints tie too many choices to count the assignments exactly",
            place=place,
            value=tree.count,
            accepted=f"at most {ENUMERABLE} assignments of the choices tied",
        )
    columns = [k for k, c in enumerate(choices) if c.name in named]
    completions = _Completions(choices, named)
    total = 0
    for start in range(0, tree.count, _CHUNK):
        part = tree.unrank(np.arange(start, min(start + _CHUNK, tree.count)))
        codes = np.full((len(part), len(choices)), -1, dtype=np.int16)
        codes[:, columns] = part
        for column in range(len(choices)):
            if column not in columns:
                codes[moves.active(codes, column), column] = 0
        good = np.ones(len(codes), dtype=bool)
        for constraint in constraints:
            good[good] = constraint.holds(codes[good])
        total += completions.total(codes[good])
    return total


def with_parents(names: set[str], choices: Sequence[Choice]) -> set[str]:
    """The names and those of all choices they depend on."""
    by_name = {c.name: c for c in choices}
    found, fresh = set(names), list(names)
    while fresh:
        parents = {parent for parent, _ in by_name[fresh.pop()].when} - found
        found |= parents
        fresh.extend(parents)
    return found


class _Completions:
    """In how many ways the choices that are not tied complete assignments of those that are."""

    def __init__(self, choices: Sequence[Choice], tied: set[str]) -> None:
        self._choices, self._tied = choices, tied
        self._rest = [c for c in choices if c.name not in tied]
        self._index = {c.name: k for k, c in enumerate(choices)}
        controllers = sorted({p for c in self._rest for p, _ in c.when if p in tied})
        self._columns = [self._index[name] for name in controllers]
        self._known: dict[tuple[int, ...], int] = {}

    def total(self, codes: Codes) -> int:
        """Completions of all rows together."""
        rows, counts = np.unique(codes[:, self._columns], axis=0, return_counts=True) if self._columns else _all(codes)
        return sum(self._count(tuple(r)) * n for r, n in zip(rows.tolist(), counts.tolist(), strict=True))

    def _count(self, controls: tuple[int, ...]) -> int:
        if controls not in self._known:
            taken = dict(zip(self._columns, controls, strict=True))
            self._known[controls] = AssignmentTree(self._open(taken)).count
        return self._known[controls]

    def _open(self, taken: dict[int, int]) -> list[Choice]:
        found: list[Choice] = []
        for choice in self._rest:
            inner = tuple(c for c in choice.when if c[0] not in self._tied)
            outer = [c for c in choice.when if c[0] in self._tied]
            values = {n: self._choices[self._index[n]].values for n, _ in outer}
            codes = {n: taken[self._index[n]] for n, _ in outer}
            if all(codes[n] >= 0 and values[n][codes[n]] in ok for n, ok in outer) and all(
                any(f.name == parent for f in found) for parent, _ in inner
            ):
                found.append(Choice(choice.name, choice.values, choice.ordinal, inner))
        return found


def _all(codes: Codes) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    return np.empty((1, 0), dtype=np.int16), np.array([len(codes)])
