"""Sub-networks of a model's space that need no search: random ones of a given size, and the same share of every
width."""

from __future__ import annotations

import numpy as np
from torch import nn

from gnas.autospace import AutoSpace
from gnas.autospace.reductions import random_reduction
from gnas.space.protocol import Codes

SLACK = 0.05
"""Sizes within this share of the one asked for count as equal."""
_HALVINGS = 12


def n_params(module: nn.Module) -> int:
    """Trainable numbers of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def random_row(space: AutoSpace, size: int, rng: np.random.Generator) -> Codes:
    """Codes `(choice,)` of a random sub-network of about `size` parameters."""
    return random_reduction(space, {"n_params": size * (1 + SLACK)}, rng, slack=1 - (1 - SLACK) / (1 + SLACK))


def uniform_row(space: AutoSpace, size: int) -> Codes:
    """Codes `(choice,)` of the whole model with one share of every width and at most `size` parameters, but for slack.

    Widths round all at once; so some, from the first on, are then given the next larger share, as far as `size` goes.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = _size(space, _scaled(space, middle)) <= size
        low, high = (middle, high) if fits else (low, middle)
    row, larger = _scaled(space, low), _scaled(space, high)
    for column in np.flatnonzero(row != larger).tolist():
        tried = row.copy()
        tried[column] = larger[column]
        if _size(space, tried) <= size * (1 + SLACK):
            row = tried
    return row


def _size(space: AutoSpace, row: Codes) -> int:
    return round(float(space.costs_of(row[None])["n_params"][0]))


def _scaled(space: AutoSpace, share: float) -> Codes:
    row = space.encode(dict(space.full().assignment))
    groups = {group.name: group for group in space.groups}
    for column, choice in enumerate(space.choices):
        if choice.name in groups:
            kept = np.array(groups[choice.name].kept)
            row[column] = int(np.argmin(np.abs(kept - share * groups[choice.name].size)))
    return row
