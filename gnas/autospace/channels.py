"""How many channels dimensions keep, for many rows of widths at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gnas.autospace.atoms import Atoms, Classes
from gnas.autospace.groups import Widths

Counts = NDArray[np.int64]
_LARGEST_TABLE = 1 << 20

Limits = Mapping[int, int]
"""A channel is kept where each of these groups keeps more than so many."""


class Channels:
    """Counts of kept channels of dimensions, each found once.

    A class of channels is kept where certain groups are wide enough: its own group for a free one, those of all its
    factors for a product. So what a dimension keeps is a sum of tables over widths, one for each set of groups.

    Args:
        classes: Solved channels.
        widths: Width groups.
    """

    def __init__(self, classes: Classes, widths: Widths) -> None:
        self._label = classes.label
        self._sizes = [group.size for group in widths.groups]
        self._limits = _limits(classes, widths)
        self._known: dict[bytes, int] = {}
        self._tables: list[list[_Table]] = []

    def number(self, atoms: Atoms) -> int:
        """The number of a dimension; dimensions that always keep as many share one."""
        labels = np.sort(self._label[atoms])
        key = labels.tobytes()
        if key not in self._known:
            self._known[key] = len(self._tables)
            self._tables.append(self._tables_of(labels))
        return self._known[key]

    def counts(self, widths: NDArray[np.int64]) -> Counts:
        """Kept channels of all known dimensions: `(n, group)` to `(dimension, n)`."""
        found = np.zeros((len(self._tables), len(widths)), dtype=np.int64)
        for total, tables in zip(found, self._tables, strict=True):
            for table in tables:
                total += table.look_up(widths)
        return found

    def _tables_of(self, labels: NDArray[np.int64]) -> list[_Table]:
        by_groups: dict[tuple[int, ...], list[Limits]] = defaultdict(list)
        for label in labels.tolist():
            limits = self._limits.get(label, {})
            by_groups[tuple(sorted(limits))].append(limits)
        return [
            _Table(groups, np.array([[limits[g] for g in groups] for limits in members], dtype=np.int64), self._sizes)
            for groups, members in by_groups.items()
        ]


class _Table:
    """Channels that depend on the same groups.

    Args:
        groups: Those groups.
        limits: `(channel, group)`; each is kept where every group keeps more than its limit.
        sizes: Channels of each group of the model.
    """

    def __init__(self, groups: tuple[int, ...], limits: NDArray[np.int64], sizes: list[int]) -> None:
        self._groups, self._limits = list(groups), limits
        shape = tuple(sizes[g] + 1 for g in groups)
        self._table: Counts | None = None
        if np.prod(shape, dtype=np.float64) <= _LARGEST_TABLE:
            places = np.ravel_multi_index(tuple((limits + 1).T), shape) if groups else np.zeros(len(limits), np.intp)
            table = np.bincount(places, minlength=int(np.prod(shape))).reshape(shape)
            for axis in range(len(shape)):
                table = table.cumsum(axis)
            self._table = table

    def look_up(self, widths: NDArray[np.int64]) -> Counts:
        """Kept channels, `(n, group)` to `(n,)`."""
        chosen = widths[:, self._groups]
        if self._table is not None:
            found: Counts = self._table[tuple(chosen.T)]
            return found
        kept: Counts = (chosen[:, None, :] > self._limits).all(2).sum(1)
        return kept


def _limits(classes: Classes, widths: Widths) -> dict[int, dict[int, int]]:
    """What the classes that can be removed depend on."""
    found: dict[int, dict[int, int]] = {}
    for group, (members, order) in enumerate(zip(widths.members, widths.order, strict=True)):
        for place, member in enumerate(members[order].tolist()):
            if not classes.frozen[member] and not classes.refined[member]:
                found[member] = {group: place}
    changed = True
    while changed:
        changed = False
        for whole, factors in classes.products:
            for index in np.ndindex(whole.shape):
                label = int(whole[index])
                if classes.frozen[label]:
                    continue
                merged: dict[int, int] = {}
                for factor, i in zip(factors, index, strict=True):
                    for group, limit in found.get(int(factor[i]), {}).items():
                        merged[group] = max(merged.get(group, 0), limit)
                if merged != found.get(label, {}):
                    found[label] = merged
                    changed = True
    return found
