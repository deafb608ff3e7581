"""Width: groups of channels of equal standing, and the order in which they are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gnas.autospace.atoms import Atoms, Classes
from gnas.autospace.dimensions import Dimensions
from gnas.autospace.program import Traced
from gnas.autospace.records import WidthGroup

_LEVELS = 8
_NESTED = 4
"""How deep products of products are looked through."""


@dataclass(frozen=True, slots=True)
class Widths:
    """All width groups of a model.

    Attributes:
        groups: The groups.
        members: Classes of each group, `(size,)`, by their place in the model.
        order: For each group the places in `members`, those kept first first.
    """

    groups: tuple[WidthGroup, ...]
    members: tuple[Atoms, ...]
    order: tuple[NDArray[np.int64], ...]

    def kept_classes(self, classes: Classes, widths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which classes are kept, `(class,)`, when each group keeps `widths[g]` channels."""
        kept = np.ones(len(classes.frozen), dtype=bool)
        for members, order, width in zip(self.members, self.order, widths.tolist(), strict=True):
            kept[members[order[width:]]] = False
        return classes.close(kept & ~classes.refined)


def widths_of(traced: Traced, dimensions: Dimensions, classes: Classes) -> Widths:
    """Free classes that appear in exactly the same dimensions of the same values form a group.

    So no dimension of any value can lose its last channel as long as each group keeps one.
    """
    signature = _signatures(dimensions, classes)
    places = _places(dimensions, classes)
    free = np.flatnonzero(~classes.frozen & ~classes.refined & (signature != 0))
    by_signature: dict[int, list[int]] = defaultdict(list)
    for cls in free.tolist():
        by_signature[int(signature[cls])].append(cls)
    scores = importance(traced.tensors, dimensions, classes)
    groups, members, orders, taken = [], [], [], set[str]()
    for found in by_signature.values():
        where = places.get(found[0], ())
        if len(found) < 2 or not where:
            continue
        name = _name(where, taken)
        array = np.array(found, dtype=np.int64)
        groups.append(WidthGroup(name, len(found), levels(len(found)), where))
        members.append(array)
        orders.append(np.argsort(-scores[array], kind="stable"))
    return Widths(tuple(groups), tuple(members), tuple(orders))


def levels(size: int) -> tuple[int, ...]:
    """Counts on offer: eighths of `size`, at least one."""
    return tuple(sorted({max(1, round(size * k / _LEVELS)) for k in range(1, _LEVELS + 1)}))


def importance(tensors: Mapping[str, Tensor], dimensions: Dimensions, classes: Classes) -> NDArray[np.float64]:
    """Sum over weights of the mean-normalised squares that a channel indexes, `(class,)`.

    Products count for their factors.
    """
    scores = np.zeros(len(classes.frozen))
    for name, dims in dimensions.tensors.items():
        tensor = tensors[name]
        if tensor.dim() < 2 or tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
            continue
        squares = tensor.detach().abs().double().square()
        squares = squares / squares.mean().clamp_min(1e-30)
        for axis, atoms in enumerate(dims):
            if atoms is not None:
                others = [i for i in range(tensor.dim()) if i != axis]
                value = squares.mean(dim=others).cpu().numpy()
                np.add.at(scores, classes.label[atoms], value)
    for whole, factors in classes.products:
        for axis, factor in enumerate(factors):
            rest = tuple(i for i in range(whole.ndim) if i != axis)
            np.add.at(scores, factor, scores[whole].mean(axis=rest))
    return scores


def _signatures(dimensions: Dimensions, classes: Classes) -> NDArray[np.uint64]:
    """A number for each class that tells in which dimensions of which values it appears, how often; 0 for nowhere.

    A factor appears where its products do: two heads of which one makes channels of another value are not alike.
    """
    rng = np.random.default_rng(0)
    own = np.zeros(len(classes.frozen), dtype=np.uint64)
    for dims in _all_dims(dimensions):
        for atoms in dims:
            if atoms is not None:
                np.add.at(own, classes.label[atoms], _salt(rng))
    salts = [[_salt(rng) for _ in factors] for _, factors in classes.products]
    total = own
    for _ in range(_NESTED):
        grown = own.copy()
        for (whole, factors), salt in zip(classes.products, salts, strict=True):
            mixed = _mixed(total[whole])
            for axis, factor in enumerate(factors):
                rest = tuple(i for i in range(whole.ndim) if i != axis)
                np.add.at(grown, factor, _mixed(mixed.sum(axis=rest, dtype=np.uint64) + salt[axis]))
        total = grown
    return total


def _salt(rng: np.random.Generator) -> np.uint64:
    return np.uint64(rng.integers(1, 2**63))


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers of which sums tell apart what they are sums of (Steele et al., splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return out


def _all_dims(dimensions: Dimensions) -> Iterator[tuple[Atoms | None, ...]]:
    yield from dimensions.tensors.values()
    for found in dimensions.of.values():
        if isinstance(found, list):
            yield from (d for d in found if d is not None)
        else:
            yield found


def _places(dimensions: Dimensions, classes: Classes) -> dict[int, tuple[tuple[str, int], ...]]:
    """Parameters and dimensions that a class indexes, itself or through products."""
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for name, dims in dimensions.tensors.items():
        for axis, atoms in enumerate(dims):
            if atoms is not None:
                for cls in np.unique(classes.label[atoms]).tolist():
                    found[cls].append((name, axis))
    for _ in range(3):
        for whole, factors in classes.products:
            inherited = {p for cls in np.unique(whole).tolist()[:64] for p in found.get(cls, ())}
            for factor in factors:
                for cls in np.unique(factor).tolist():
                    found[cls].extend(sorted(inherited - set(found[cls])))
    return {cls: tuple(dict.fromkeys(where)) for cls, where in found.items()}


def _name(where: tuple[tuple[str, int], ...], taken: set[str]) -> str:
    """The module of the first weight whose rows these are."""
    rows = [n for n, axis in where if axis == 0 and n.endswith("weight")] or [where[0][0]]
    stem = rows[0].removesuffix(".weight")
    name, number = f"width of {stem}", 1
    while name in taken:
        number += 1
        name = f"width of {stem} ({number})"
    taken.add(name)
    return name
