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


class Conditions:
    """Cubes compiled to be evaluated on batches of codes, all at once.

    Args:
        cubes: The cubes, repeated or not.
        index: Column of each choice.
        sizes: Number of values of each choice.

    Attributes:
        place: Row of each cube in what a call returns.
    """

    def __init__(self, cubes: Iterable[Cube], index: Mapping[str, int], sizes: Mapping[str, int]) -> None:
        self.place = {cube: i for i, cube in enumerate(dict.fromkeys(cubes))}
        atoms = {atom: i for i, atom in enumerate(dict.fromkeys(atom for cube in self.place for atom in cube))}
        self._columns = np.array([index[name] for name, _ in atoms], dtype=np.intp)
        # NOTE: a table's last entry answers code −1, the inactive one.
        self._tables = np.zeros((len(atoms), 1 + max(sizes.values(), default=0)), dtype=bool)
        for row, (_, codes) in enumerate(atoms):
            self._tables[row, list(codes)] = True
        depth = max((len(cube) for cube in self.place), default=0)
        self._parts: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        for k in range(depth):
            having = [(row, atoms[cube[k]]) for cube, row in self.place.items() if len(cube) > k]
            self._parts.append((np.array([r for r, _ in having]), np.array([a for _, a in having])))

    def __call__(self, codes: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Where each cube holds, shape `(cube, n)`, for `codes` of shape `(n, choice)`."""
        atoms = self._tables[np.arange(len(self._tables))[:, None], codes.T[self._columns]]
        found = np.ones((len(self.place), len(codes)), dtype=bool)
        for rows, atom in self._parts:
            found[rows] &= atoms[atom]
        return found
