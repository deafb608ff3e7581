"""Conditions on choices: conjunctions of "this choice took one of these values" (cubes), their negation and evaluation.

A value is named by its index; −1 stands for "the choice is inactive". Cubes met together in a list never overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Cube = tuple[tuple[str, frozenset[int]], ...]
"""Pairs (choice, accepted codes), sorted by choice, each choice once."""
ALWAYS: Cube = ()


def make_cube(parts: Mapping[str, Iterable[int]]) -> Cube:
    """A cube from accepted codes per choice."""
    return tuple(sorted((name, frozenset(codes)) for name, codes in parts.items()))


def both(a: Cube, b: Cube) -> Cube | None:
    """The conjunction, or None where it cannot hold."""
    if not a:
        return b
    if not b:
        return a
    parts = dict(a)
    for name, codes in b:
        meet = parts[name] & codes if name in parts else codes
        if not meet:
            return None
        parts[name] = meet
    return tuple(sorted(parts.items()))


def negate(cube: Cube, size: Callable[[str], int]) -> list[Cube]:
    """Cubes that do not overlap and together are the complement. `size(choice)` is its number of values."""
    found: list[Cube] = []
    holding: Cube = ALWAYS
    for name, codes in cube:
        rest = frozenset(range(-1, size(name))) - codes
        if rest and (part := both(holding, ((name, rest),))) is not None:
            found.append(part)
        joined = both(holding, ((name, codes),))
        if joined is None:
            break
        holding = joined
    return found


def implies(a: Cube, b: Cube) -> bool:
    """Whether `a` guarantees `b`, from the cubes alone."""
    known = dict(a)
    return all(name in known and known[name] <= codes for name, codes in b)


class CubeEvaluator:
    """Evaluates cubes on a batch of codes, each condition once.

    Args:
        codes: Shape `(n, choice)`.
        index: Column of each choice.
        sizes: Number of values of each choice.
    """

    def __init__(self, codes: NDArray[np.int16], index: Mapping[str, int], sizes: Mapping[str, int]) -> None:
        self._columns = np.ascontiguousarray(codes.T)
        self._index, self._sizes = index, sizes
        self._atoms: dict[tuple[str, frozenset[int]], NDArray[np.bool_]] = {}
        self._cubes: dict[Cube, NDArray[np.bool_]] = {}

    def __call__(self, cube: Cube) -> NDArray[np.bool_]:
        """Where the cube holds; shape `(n,)`."""
        known = self._cubes.get(cube)
        if known is None:
            known = np.ones(self._columns.shape[1], dtype=bool)
            for atom in cube:
                known = known & self._atom(atom)
            self._cubes[cube] = known
        return known

    def _atom(self, atom: tuple[str, frozenset[int]]) -> NDArray[np.bool_]:
        known = self._atoms.get(atom)
        if known is None:
            name, codes = atom
            # NOTE: the table's last entry answers code −1, the inactive one.
            table = np.zeros(self._sizes[name] + 1, dtype=bool)
            table[list(codes)] = True
            known = table[self._columns[self._index[name]]]
            self._atoms[atom] = known
        return known
