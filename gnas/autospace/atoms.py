"""Channels that live and die together: an equivalence over all channels, with products for what reshaping factors.

Every index along a tracked dimension of a tensor is an *atom*. Ops tie atoms (the rows of a convolution's weight and
the channels it returns); reshaping says that an atom stands for a tuple of others (a channel of a query projection for
a head and a place in the head): it is kept if all of them are. Solving gives classes of atoms; free ones with the same
places form width groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Atoms = NDArray[np.int64]
"""One atom for each index of a dimension, `(size,)`."""


class AtomTable:
    """Atoms and what is known of them; filled by the rules of ops, then solved once.

    Attributes:
        cause: Who freezes atoms now; whoever fills the table sets it.
        causes: Frozen atoms and the cause of each, in order.
    """

    def __init__(self) -> None:
        self.cause: object = None
        self.causes: list[tuple[Atoms, object]] = []
        self._count = 0
        self._ties: list[tuple[Atoms, Atoms]] = []
        self._frozen: list[Atoms] = []
        self._products: list[tuple[Atoms, tuple[Atoms, ...]]] = []

    @property
    def count(self) -> int:
        """How many atoms there are."""
        return self._count

    def fresh(self, size: int) -> Atoms:
        """New atoms for a dimension of `size` indices."""
        made = np.arange(self._count, self._count + size, dtype=np.int64)
        self._count += size
        return made

    def tie(self, a: Atoms, b: Atoms) -> None:
        """`a[i]` is kept exactly where `b[i]` is; both `(size,)`."""
        if a is not b:
            self._ties.append((a, b))

    def freeze(self, atoms: Atoms) -> None:
        """These are always kept."""
        self._frozen.append(atoms)
        self.causes.append((atoms, self.cause))

    def product(self, whole: Atoms, factors: tuple[Atoms, ...]) -> None:
        """`whole`, of shape `(n1, …, nk)`, is kept where each of `factors[j]`, of shape `(nj,)`, is."""
        self._products.append((whole, factors))

    def solve(self) -> Classes:
        """Equivalence classes; ties that products imply are followed to the end."""
        ties = list(self._ties)
        while True:
            label = _components(self._count, ties)
            implied = self._implied(label)
            if not implied:
                break
            ties.extend(implied)
        n = int(label.max()) + 1 if len(label) else 0
        self._freeze_loops(label, n)
        frozen = self._spread_frozen(label, n)
        refined = np.zeros(n, dtype=bool)
        for whole, _ in self._products:
            refined[label[whole.ravel()]] = True
        products = tuple((label[w], tuple(label[f] for f in fs)) for w, fs in self._products)
        return Classes(label, frozen, refined, products)

    def _freeze_loops(self, label: Atoms, n: int) -> None:
        """A class that would be a product of itself, through others or not, stays whole with all on the way."""
        sources, targets = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for whole, factors in self._products:
            for axis, factor in enumerate(factors):
                spread = np.broadcast_to(
                    label[factor].reshape([-1 if i == axis else 1 for i in range(whole.ndim)]), whole.shape
                )
                sources.append(label[whole].ravel())
                targets.append(spread.ravel())
        a, b = np.concatenate(sources), np.concatenate(targets)
        if not len(a):
            return
        matrix = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
        strong = connected_components(matrix, directed=True, connection="strong")[1]
        size = np.bincount(strong, minlength=n)
        loops = size[strong] > 1
        loops[a[a == b]] = True
        if loops.any():
            self._frozen.append(np.flatnonzero(loops[label]).astype(np.int64))

    def _implied(self, label: Atoms) -> list[tuple[Atoms, Atoms]]:
        """If one class is factored twice, its factors must agree."""
        first: dict[int, tuple[int, ...]] = {}
        pairs: set[tuple[int, int]] = set()
        for whole, factors in self._products:
            grid = np.meshgrid(*factors, indexing="ij")
            columns = np.stack([g.ravel() for g in grid], axis=1)
            for cls, row in zip(label[whole.ravel()].tolist(), columns.tolist(), strict=True):
                known = first.setdefault(cls, tuple(row))
                if known != tuple(row):
                    pairs.update(_agree(known, tuple(row), label))
        if not pairs:
            return []
        a, b = (np.array(side, dtype=np.int64) for side in zip(*sorted(pairs), strict=True))
        return [(a, b)]

    def _spread_frozen(self, label: Atoms, n: int) -> NDArray[np.bool_]:
        frozen = np.zeros(n, dtype=bool)
        for atoms in self._frozen:
            frozen[label[atoms]] = True
        while True:
            before = int(frozen.sum())
            for whole, factors in self._products:
                hit = frozen[label[whole]]
                for axis, factor in enumerate(factors):
                    others = tuple(i for i in range(whole.ndim) if i != axis)
                    frozen[label[factor[hit.any(axis=others)]]] = True
                parts = [
                    frozen[label[f]].reshape([-1 if i == j else 1 for i in range(whole.ndim)])
                    for j, f in enumerate(factors)
                ]
                both = parts[0]
                for part in parts[1:]:
                    both = both & part
                frozen[label[whole[np.broadcast_to(both, whole.shape)]]] = True
            if int(frozen.sum()) == before:
                return frozen


@dataclass(frozen=True, slots=True)
class Classes:
    """Solved atoms.

    Attributes:
        label: Class of each atom, `(atom,)`.
        frozen: Whether a class must be kept, `(class,)`.
        refined: Whether a class is a product of others, `(class,)`.
        products: Classes of wholes, `(n1, …, nk)`, and of their factors, `(nj,)` each.
    """

    label: Atoms
    frozen: NDArray[np.bool_]
    refined: NDArray[np.bool_]
    products: tuple[tuple[Atoms, tuple[Atoms, ...]], ...]

    def close(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which classes are kept, `(class,)`, given those that are free.

        Frozen ones are kept, and products whose factors all are.
        """
        kept = kept | self.frozen
        while True:
            changed = False
            for whole, factors in self.products:
                both = np.ones(whole.shape, dtype=bool)
                for axis, factor in enumerate(factors):
                    both &= kept[factor].reshape([-1 if i == axis else 1 for i in range(whole.ndim)])
                if (kept[whole] != both).any():
                    kept[whole] = both
                    changed = True
            if not changed:
                return kept


def _components(n: int, ties: list[tuple[Atoms, Atoms]]) -> Atoms:
    if not n:
        return np.zeros(0, dtype=np.int64)
    a = np.concatenate([np.zeros(0, dtype=np.int64), *(t[0].ravel() for t in ties)])
    b = np.concatenate([np.zeros(0, dtype=np.int64), *(t[1].ravel() for t in ties)])
    matrix = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int64)


def _agree(a: tuple[int, ...], b: tuple[int, ...], label: Atoms) -> set[tuple[int, int]]:
    """Ties that make two factorings of one class say the same; with unequal numbers of factors, all are tied."""
    if len(a) == len(b):
        return {(min(x, y), max(x, y)) for x, y in zip(a, b, strict=True) if label[x] != label[y]}
    every = sorted({*a, *b})
    return {(every[0], x) for x in every[1:] if label[every[0]] != label[x]}
