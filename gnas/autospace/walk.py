"""From a sub-network to smaller ones, one change at a time: always the one that loses least for what it saves."""

from __future__ import annotations

import itertools
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
_TAKES_MORE = 1.5
"""A change that saves so many times what it saved when its importance was told takes other parts with it."""
_FAR_BELOW = 0.85
"""A change to less than this part of the goal leaves a gap that smaller changes need not leave."""


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
    space: AutoSpace,
    start: Rows,
    importance: Importance,
    cost: Cost,
    *,
    least: float = 0.0,
    goal: float = 0.0,
    block: int = 1,
) -> Iterator[tuple[Rows, float]]:
    """Ever smaller sub-networks with their costs, `start` first.

    Each step takes the change of least importance for each unit of cost saved, among one unit dropped, one bypass taken
    and one width made a step smaller; none leads to a dead output. Units nest: what a change saves is counted on what
    is there, so that a block inside of a dropped one saves nothing any more. The last operand of a join takes the join
    with it; such changes come after all others.

    Args:
        space: The space.
        start: One row.
        importance: What is lost with each choice.
        cost: What is to be saved.
        least: Part of each width of `start` that is left at least.
        goal: Where the walk is to lead: changes that go far below it come after all others.
        block: Widths that are no multiples of it come after all others too.
    """
    sums = [np.concatenate([[0.0], np.cumsum(channels)]) for channels in importance.channels]
    sizes = np.array([group.size for group in space.groups], dtype=np.int64)
    floor = np.maximum(1, np.ceil(start.widths[0] * least)).astype(np.int64)
    options = _Options(np.array(space.decisions.open, dtype=np.intp), np.maximum(1, sizes // _STEPS), floor, block)
    now, spent = start, float(_cost(space, start, cost)[0])
    known = np.full(len(space.units) + len(space.bypasses), np.nan)
    yield now, spent
    while True:
        moves, lost, part, broken = _moves(now, importance, sums, options)
        if not len(lost):
            return
        valid = space.liveness.valid(moves.units)
        moves, lost, part, broken = moves[valid], lost[valid], part[valid], broken[valid]
        costs = _cost(space, moves, cost)
        saved = spent - costs
        useful = saved > 0
        if not useful.any():
            return
        known = _first(known, part, saved)
        # What now takes more with it than when its importance was told waits until nothing else is left.
        stale = (part >= 0) & (saved > _TAKES_MORE * known[part])
        last = stale | broken | (costs < _FAR_BELOW * goal)
        rate = np.where(useful, lost / np.where(useful, saved, 1.0), np.inf)
        best = int(np.lexsort((rate, last | ~useful))[0])
        now, spent = moves[best : best + 1], float(costs[best])
        yield now, spent


def _first(known: Column, part: NDArray[np.intp], saved: Column) -> Column:
    """Savings of units and bypasses when they were first met, `(unit + bypass,)`."""
    new = (part >= 0) & np.isnan(known[part])
    found = known.copy()
    found[part[new]] = saved[new]
    return found


def reach(
    space: AutoSpace, start: Rows, importance: Importance, cost: Cost, limit: float, least: float = 0.0, block: int = 1
) -> Rows:
    """The first row of a walk that costs `limit` or less, narrowed further than `least` only where it must be.

    Raises:
        SpaceError: No walk gets there.
    """
    spent = np.inf
    for part in dict.fromkeys((least, 0.0)):
        for row, spent in walk(space, start, importance, cost, least=part, goal=limit, block=block):
            if spent <= limit:
                # The last step of a walk may be a large one that leaves much of the limit.
                grown = itertools.takewhile(
                    lambda r: r[1] <= limit, regrow(space, start, row, importance, cost, block=block)
                )
                return list(grown)[-1][0]
    raise SpaceError(
        "the model cannot be made that small",
        place=" and ".join(cost),
        value=f"{limit:.6g}",
        accepted=f"{spent:.6g} or more",
    )


def regrow(
    space: AutoSpace, start: Rows, row: Rows, importance: Importance, cost: Cost, *, block: int = 1
) -> Iterator[tuple[Rows, float]]:
    """Ever wider sub-networks with their costs, `row` first, until widths are those of `start`.

    Each step gives back the channels that are most important for each unit of cost.
    """
    sizes = np.array([group.size for group in space.groups], dtype=np.int64)
    steps = np.maximum(1, sizes // _STEPS)
    sums = [np.concatenate([[0.0], np.cumsum(channels)]) for channels in importance.channels]
    now, spent = row, float(_cost(space, row, cost)[0])
    while True:
        yield now, spent
        after = np.minimum(_wider(now.widths[0], steps, block), start.widths[0])
        groups = np.flatnonzero(after > now.widths[0])
        if not len(groups):
            return
        rows = now.repeated(len(groups))
        rows.widths[np.arange(len(groups)), groups] = after[groups]
        costs = _cost(space, rows, cost)
        gained = np.array([sums[g][after[g]] - sums[g][now.widths[0, g]] for g in groups.tolist()])
        # What costs nothing more is in no use: its part of the model was dropped.
        used = costs > spent
        if not used.any():
            return
        best = int(np.argmax(np.where(used, gained / np.where(used, costs - spent, 1.0), -np.inf)))
        now, spent = rows[best : best + 1], float(costs[best])


def _cost(space: AutoSpace, rows: Rows, cost: Cost) -> Column:
    found = space.cost_table.of(rows.units, rows.bypasses, rows.widths)
    total: Column = np.sum([weight * found[name] for name, weight in cost.items()], axis=0)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """What may change: units that are choices, steps and least values of widths `(group,)`, blocks of channels."""

    units: NDArray[np.intp]
    steps: NDArray[np.int64]
    floor: NDArray[np.int64]
    block: int


def _moves(
    now: Rows, importance: Importance, sums: list[Column], options: _Options
) -> tuple[Rows, Column, NDArray[np.intp], Mask]:
    """All changes of one row, what each loses, which part it is, and whether it leaves a width of no whole blocks.

    Parts are units, then bypasses; −1 for a width.
    """
    units = options.units[now.units[0, options.units]]
    bypasses = np.flatnonzero(~now.bypasses[0])
    after = np.maximum(_narrower(now.widths[0], options.steps, options.block), options.floor)
    groups = np.flatnonzero(after < now.widths[0])
    rows = now.repeated(len(units) + len(bypasses) + len(groups))
    rows.units[np.arange(len(units)), units] = False
    rows.bypasses[len(units) + np.arange(len(bypasses)), bypasses] = True
    rows.widths[len(units) + len(bypasses) + np.arange(len(groups)), groups] = after[groups]
    narrowed = [sums[g][now.widths[0, g]] - sums[g][after[g]] for g in groups.tolist()]
    part = np.concatenate([units, now.units.shape[1] + bypasses, np.full(len(groups), -1)]).astype(np.intp)
    broken = np.concatenate([np.zeros(len(units) + len(bypasses), dtype=np.bool_), after[groups] % options.block > 0])
    return rows, np.concatenate([importance.units[units], importance.bypasses[bypasses], narrowed]), part, broken


def _narrower(widths: NDArray[np.int64], steps: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """A step down, to whole blocks where there is more than one."""
    down = widths - steps
    return np.where((block > 1) & (widths > block), np.minimum(down, widths - 1) // block * block, down)


def _wider(widths: NDArray[np.int64], steps: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """A step up, to whole blocks."""
    return widths + steps if block == 1 else (widths + np.maximum(steps, block)) // block * block


def ranked(structure: Structure, channels: Column, rows: Rows) -> Structure:
    """The model with channels kept in the order of their scores, `(class,)`; those that `rows` lacks stay the last."""
    widths = structure.widths
    order = []
    for members, old, width in zip(widths.members, widths.order, rows.widths[0].tolist(), strict=True):
        first, last = old[:width], old[width:]
        order.append(np.concatenate([first[np.argsort(-channels[members[first]], kind="stable")], last]))
    return replace(structure, widths=replace(widths, order=tuple(order)))
