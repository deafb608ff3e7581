"""Learning-rate schedules as factors of the peak rate, closed in the step."""

from __future__ import annotations

import math
from collections.abc import Callable

from gnas.evaluate.recipe import Recipe

PLATEAU_PATIENCE = 5
"""Epochs without improvement before `plateau` halves the rate."""

_ONECYCLE_RISE = 0.3
_ONECYCLE_START = 1 / 25
_ONECYCLE_END = 1e-4


def factors(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """Factor of the peak learning rate at each step from 0 to `steps` − 1.

    `onecycle` follows Smith and Topin 2018 (arXiv:1708.07120) with cosine halves and a constant momentum.
    """
    if recipe.schedule == "onecycle":
        return lambda step: _onecycle(step, steps)
    warm = int(recipe.warmup * steps)
    decays = recipe.schedule == "cosine"

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / (warm + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1))) if decays else 1.0

    return factor


def _onecycle(step: int, steps: int) -> float:
    rise = max(_ONECYCLE_RISE * steps, 1.0)
    if step < rise:
        return _between(_ONECYCLE_START, 1.0, step / rise)
    return _between(1.0, _ONECYCLE_END, (step - rise) / max(steps - rise, 1.0))


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))
