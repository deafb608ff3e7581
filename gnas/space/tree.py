"""Exact counting, uniform sampling and numbering of the assignments of conditional choices.

The choices are compiled into a graph of independent parts ("and") and case distinctions ("or"): branch on a choice
others depend on, grouping the values that no condition tells apart; what remains falls into independent parts, each
compiled once. Counts are exact integers of any size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from gnas.space.protocol import Choice, Codes

Rows = NDArray[np.int64]
_Condition = tuple[tuple[int, frozenset[int]], ...]
_Open = tuple[tuple[int, _Condition], ...]
"""Choices still to be decided, with the conditions still open on each."""


@dataclass(frozen=True)
class _Branch:
    """One choice: classes of codes that lead to the same remainder."""

    choice: int
    classes: tuple[tuple[NDArray[np.int16], _Part], ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Assignments of each class."""
        return tuple(len(codes) * rest.count for codes, rest in self.classes)

    @cached_property
    def count(self) -> int:
        """Assignments in all."""
        return sum(self.counts)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Share of the assignments in each class and those before it."""
        return np.cumsum([count / self.count for count in self.counts])


@dataclass(frozen=True)
class _Part:
    """Independent branches."""

    branches: tuple[_Branch, ...]

    @cached_property
    def count(self) -> int:
        """Assignments in all."""
        return prod(b.count for b in self.branches)


class AssignmentTree:
    """All valid assignments of `choices` (no constraints beyond their conditions), numbered from 0 to `count - 1`."""

    def __init__(self, choices: Iterable[Choice]) -> None:
        self._choices = tuple(choices)
        index = {c.name: i for i, c in enumerate(self._choices)}
        self._known: dict[_Open, _Part] = {}
        conditions = []
        for i, choice in enumerate(self._choices):
            open_ = []
            for name, accepted in choice.when:
                values = self._choices[index[name]].values
                open_.append((index[name], frozenset(k for k, v in enumerate(values) if is_among(v, accepted))))
            conditions.append((i, tuple(sorted(open_, key=lambda c: c[0]))))
        self._root = self._compile(tuple(conditions))

    @property
    def count(self) -> int:
        """Number of assignments."""
        return self._root.count

    def sample(self, rng: np.random.Generator, n: int) -> Codes:
        """`n` assignments, uniform; shape `(n, choice)`."""
        codes = np.full((len(self._choices), n), -1, dtype=np.int16)
        self._sample(self._root, codes, None, rng)
        return np.ascontiguousarray(codes.T)

    def unrank(self, numbers: NDArray[np.int64]) -> Codes:
        """The assignments with these numbers, shape `(n,)`; needs `count` below 2^62."""
        codes = np.full((len(self._choices), len(numbers)), -1, dtype=np.int16)
        self._unrank(self._root, codes, np.arange(len(numbers)), numbers.astype(np.int64))
        return np.ascontiguousarray(codes.T)

    def _compile(self, open_: _Open) -> _Part:
        known = self._known.get(open_)
        if known is None:
            known = _Part(tuple(self._branch(group) for group in _components(open_)))
            self._known[open_] = known
        return known

    def _branch(self, group: _Open) -> _Branch:
        # Parents stand before children, so the first of a component has no open condition.
        (choice, _), rest = group[0], group[1:]
        touching = sorted({c for _, cs in rest for p, c in cs if p == choice}, key=sorted)
        classes: dict[tuple[bool, ...], list[int]] = {}
        for code in range(len(self._choices[choice].values)):
            classes.setdefault(tuple(code in t for t in touching), []).append(code)
        found = []
        for codes in classes.values():
            remainder = _decide(rest, choice, codes[0])
            found.append((np.array(codes, dtype=np.int16), self._compile(remainder)))
        return _Branch(choice, tuple(found))

    def _sample(self, part: _Part, codes: Codes, rows: Rows | None, rng: np.random.Generator) -> None:
        """Fill the rows (all where None) of `codes`, shape `(choice, n)`."""
        n = codes.shape[1] if rows is None else len(rows)
        for branch in part.branches:
            if len(branch.classes) == 1:
                values, rest = branch.classes[0]
                drawn = values[rng.integers(len(values), size=n, dtype=np.int32)] if len(values) > 1 else values[0]
                codes[branch.choice, slice(None) if rows is None else rows] = drawn
                if rest.branches:
                    self._sample(rest, codes, rows, rng)
                continue
            everyone = np.arange(n) if rows is None else rows
            shares = branch.shares
            taken = np.minimum(np.searchsorted(shares, rng.random(n), side="right"), len(shares) - 1)
            for k, (values, rest) in enumerate(branch.classes):
                here = everyone[taken == k]
                if here.size:
                    codes[branch.choice, here] = values[rng.integers(len(values), size=len(here))]
                    self._sample(rest, codes, here, rng)

    def _unrank(self, part: _Part, codes: Codes, rows: Rows, numbers: Rows) -> None:
        for branch in part.branches:
            numbers, mine = np.divmod(numbers, branch.count)
            starts = np.concatenate([[0], np.cumsum(branch.counts)]).astype(np.int64)
            taken = np.searchsorted(starts, mine, side="right") - 1
            for k, (values, rest) in enumerate(branch.classes):
                here = np.flatnonzero(taken == k)
                if here.size:
                    inner, which = np.divmod(mine[here] - starts[k], len(values))
                    codes[branch.choice, rows[here]] = values[which]
                    self._unrank(rest, codes, rows[here], inner)


def is_among(value: object, accepted: Iterable[object]) -> bool:
    """Membership where `1`, `1.0` and `True` are three values."""
    return any(value == a and type(value) is type(a) for a in accepted)


def _decide(rest: _Open, choice: int, code: int) -> _Open:
    """What remains open once `choice` took `code`: conditions that hold vanish, choices whose condition fails too."""
    inactive: set[int] = set()
    found = []
    for child, conditions in rest:
        if any(p in inactive or (p == choice and code not in ok) for p, ok in conditions):
            inactive.add(child)
        else:
            found.append((child, tuple(c for c in conditions if c[0] != choice)))
    return tuple(found)


def _components(open_: _Open) -> list[_Open]:
    """Groups of choices that no condition links, in order of their first choice."""
    leader = {child: child for child, _ in open_}

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for child, conditions in open_:
        for parent, _ in conditions:
            a, b = sorted((find(child), find(parent)))
            leader[b] = a
    groups: dict[int, list[tuple[int, _Condition]]] = {}
    for item in open_:
        groups.setdefault(find(item[0]), []).append(item)
    return [tuple(g) for g in groups.values()]
