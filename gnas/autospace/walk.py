"""From a sub-network to smaller ones, one change at a time: always the one that loses least for what it saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnas.autospace.cut import Mask
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.gated import Column
from gnas.autospace.structure import Structure
from gnas.errors import SpaceError

_STEPS = 16
"""A width shrinks by this part of the whole width at a time."""


Cost = Mapping[str, float]
"""A weighted sum of what is counted: `n_params`, `macs`, `n_ops`."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What sub-networks keep.

    Attributes:
        units: Units kept, `(n, unit)`.
        bypasses: Bypasses taken, `(n, bypass)`.
        widths: Channels kept of each group, `(n, group)`.
    """

    units: Mask
    bypasses: Mask
    widths: NDArray[np.int64]

    def __getitem__(self, rows: slice | Mask) -> Rows:
        return Rows(self.units[rows], self.bypasses[rows], self.widths[rows])

    def repeated(self, n: int) -> Rows:
        """The one row `n` times, to be changed."""
        return Rows(
            np.repeat(self.units, n, axis=0), np.repeat(self.bypasses, n, axis=0), np.repeat(self.widths, n, axis=0)
        )


@dataclass(frozen=True, slots=True)
class Importance:
    """What is lost with each choice.

    Attributes:
        channels: For each group, of its channels in the order in which they are kept, `(size,)`.
        units: `(unit,)`.
        bypasses: Of taking each, `(bypass,)`.
    """

    channels: tuple[Column, ...]
    units: Column
    bypasses: Column


def whole(space: AutoSpace) -> Rows:
    """The one row that keeps everything."""
    return Rows(
        np.ones((1, len(space.units)), dtype=np.bool_),
        np.zeros((1, len(space.bypasses)), dtype=np.bool_),
        np.array([[group.size for group in space.groups]], dtype=np.int64),
    )


def walk(
    space: AutoSpace, start: Rows, importance: Importance, cost: Cost, *, least: float = 0.0
) -> Iterator[tuple[Rows, float]]:
    """Ever smaller sub-networks with their costs, `start` first.

    Each step takes the change of least importance for each unit of cost saved, among one unit dropped, one bypass taken
    and one width made a step smaller; none leads to a dead output. Units nest: what a change saves is counted on what
    is there, so that a block inside of a dropped one saves nothing any more.

    Args:
        space: The space.
        start: One row.
        importance: What is lost with each choice.
        cost: What is to be saved.
        least: Part of each width of `start` that is left at least.
    """
    open_units = np.array(space.decisions.open, dtype=np.intp)
    sizes = np.array([group.size for group in space.groups], dtype=np.int64)
    steps = np.maximum(1, sizes // _STEPS)
    floor = np.maximum(1, np.ceil(start.widths[0] * least)).astype(np.int64)
    sums = [np.concatenate([[0.0], np.cumsum(channels)]) for channels in importance.channels]
    now, spent = start, float(_cost(space, start, cost)[0])
    yield now, spent
    while True:
        moves, lost = _moves(now, importance, sums, open_units, steps, floor)
        if not len(lost):
            return
        valid = space.liveness.valid(moves.units)
        moves, lost = moves[valid], lost[valid]
        costs = _cost(space, moves, cost)
        saved = spent - costs
        useful = saved > 0
        if not useful.any():
            return
        rate = np.where(useful, lost / np.where(useful, saved, 1.0), np.inf)
        best = int(np.argmin(rate))
        now, spent = moves[best : best + 1], float(costs[best])
        yield now, spent


def reach(space: AutoSpace, start: Rows, importance: Importance, cost: Cost, limit: float, least: float = 0.0) -> Rows:
    """The first row of a walk that costs `limit` or less, narrowed further than `least` only where it must be.

    Raises:
        SpaceError: No walk gets there.
    """
    spent = np.inf
    for part in dict.fromkeys((least, 0.0)):
        for row, spent in walk(space, start, importance, cost, least=part):
            if spent <= limit:
                return refilled(space, start, row, importance, cost, limit)
    raise SpaceError(
        "the model cannot be made that small",
        place=" and ".join(cost),
        value=f"{limit:.6g}",
        accepted=f"{spent:.6g} or more",
    )


def refilled(space: AutoSpace, start: Rows, row: Rows, importance: Importance, cost: Cost, limit: float) -> Rows:
    """The row with widths given back where the limit allows, the most important for each unit of cost first.

    The last step of a walk may be a large one that leaves much of the limit.
    """
    sizes = np.array([group.size for group in space.groups], dtype=np.int64)
    steps = np.maximum(1, sizes // _STEPS)
    sums = [np.concatenate([[0.0], np.cumsum(channels)]) for channels in importance.channels]
    now, spent = row, float(_cost(space, row, cost)[0])
    while True:
        after = np.minimum(now.widths[0] + steps, start.widths[0])
        groups = np.flatnonzero(after > now.widths[0])
        if not len(groups):
            return now
        rows = now.repeated(len(groups))
        rows.widths[np.arange(len(groups)), groups] = after[groups]
        costs = _cost(space, rows, cost)
        gained = np.array([sums[g][after[g]] - sums[g][now.widths[0, g]] for g in groups.tolist()])
        # What costs nothing more is in no use: its part of the model was dropped.
        fits = (costs <= limit) & (costs > spent)
        if not fits.any():
            return now
        best = int(np.argmax(np.where(fits, gained / np.where(fits, costs - spent, 1.0), -np.inf)))
        now, spent = rows[best : best + 1], float(costs[best])


def _cost(space: AutoSpace, rows: Rows, cost: Cost) -> Column:
    found = space.cost_table.of(rows.units, rows.bypasses, rows.widths)
    total: Column = np.sum([weight * found[name] for name, weight in cost.items()], axis=0)
    return total


def _moves(
    now: Rows,
    importance: Importance,
    sums: list[Column],
    open_units: NDArray[np.intp],
    steps: NDArray[np.int64],
    floor: NDArray[np.int64],
) -> tuple[Rows, Column]:
    """All changes of one row, and what each loses."""
    units = open_units[now.units[0, open_units]]
    bypasses = np.flatnonzero(~now.bypasses[0])
    after = np.maximum(now.widths[0] - steps, floor)
    groups = np.flatnonzero(after < now.widths[0])
    rows = now.repeated(len(units) + len(bypasses) + len(groups))
    rows.units[np.arange(len(units)), units] = False
    rows.bypasses[len(units) + np.arange(len(bypasses)), bypasses] = True
    rows.widths[len(units) + len(bypasses) + np.arange(len(groups)), groups] = after[groups]
    narrowed = [sums[g][now.widths[0, g]] - sums[g][after[g]] for g in groups.tolist()]
    return rows, np.concatenate([importance.units[units], importance.bypasses[bypasses], narrowed])


def ranked(structure: Structure, channels: Column, rows: Rows) -> Structure:
    """The model with channels kept in the order of their scores, `(class,)`; those that `rows` lacks stay the last."""
    widths = structure.widths
    order = []
    for members, old, width in zip(widths.members, widths.order, rows.widths[0].tolist(), strict=True):
        first, last = old[:width], old[width:]
        order.append(np.concatenate([first[np.argsort(-channels[members[first]], kind="stable")], last]))
    return replace(structure, widths=replace(widths, order=tuple(order)))
