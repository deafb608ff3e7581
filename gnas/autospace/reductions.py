"""Random sub-networks just within limits: the whole model with random choices reduced in turn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnas.autospace.from_model import AutoSpace
from gnas.errors import SpaceError
from gnas.space.protocol import Codes

SLACK = 0.05
_RESTARTS = 20


def random_reduction(
    space: AutoSpace, limits: Mapping[str, float], rng: np.random.Generator, *, slack: float = SLACK
) -> Codes:
    """Codes `(choice,)` of a random sub-network whose costs keep to limits, the tightest one nearly reached.

    Uniform draws of a space of widths and units are mostly far smaller than any limit of interest; these are not.

    Args:
        space: A model's.
        limits: Upper limits of costs by name, in their own units.
        rng: Draws the choices.
        slack: The tightest limit is undercut by no more than this part of it, where some of many tries come that
            close; else by as little as any of them.

    Raises:
        SpaceError: Nothing was found that keeps the limits.
    """
    closest: tuple[float, Codes] | None = None
    for _ in range(_RESTARTS):
        row, below = _reduced(space, limits, 1.0 - slack, rng)
        if row is not None:
            return row
        if below is not None and (closest is None or below[0] > closest[0]):
            closest = below
    if closest is None:
        raise SpaceError("no sub-network keeps the limits", place="limits", value=dict(limits))
    return closest[1]


def _reduced(
    space: AutoSpace, limits: Mapping[str, float], least: float, rng: np.random.Generator
) -> tuple[Codes | None, tuple[float, Codes] | None]:
    """A row that came close enough, or None and the last step's change that undercut the limits least."""
    row = space.encode(dict(space.full().assignment))
    share = _share(space, row, limits)
    while share > 1.0:
        step, below = _one_less(space, row, limits, least, rng)
        if step is None:
            return None, below
        share, row = step
    return row, None


def _share(space: AutoSpace, row: Codes, limits: Mapping[str, float]) -> float:
    """The largest cost as a part of its limit."""
    costs = space.costs_of(row[None])
    return max(float(costs[name][0]) / upper for name, upper in limits.items())


def _one_less(
    space: AutoSpace, row: Codes, limits: Mapping[str, float], least: float, rng: np.random.Generator
) -> tuple[tuple[float, Codes] | None, tuple[float, Codes] | None]:
    """One random choice reduced, with the share it leads to; where each leads below `least`, the one least below."""
    widths = {group.name for group in space.groups}
    below: tuple[float, Codes] | None = None
    for column in rng.permutation(len(row)).tolist():
        is_width = space.choices[column].name in widths
        code = int(row[column])
        if code == (0 if is_width else 1):
            continue
        changed = row.copy()
        changed[column] = rng.integers(0, code) if is_width else 1
        if not space.contains_codes(changed[None])[0]:
            continue
        share = _share(space, changed, limits)
        if share >= least:
            return (share, changed), None
        if below is None or share > below[0]:
            below = (share, changed)
    return None, below
