"""Sub-networks of a model's space that need no search: random ones of a given size, and the same share of every
width."""

from __future__ import annotations

import numpy as np
from torch import nn

from gnas.autospace.model_space import ModelSpace
from gnas.space.protocol import Codes

SLACK = 0.05
"""Sizes within this share of the one asked for count as equal."""
_HALVINGS = 12
_RESTARTS = 20


def n_params(module: nn.Module) -> int:
    """Trainable numbers of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def random_row(space: ModelSpace, size: int, rng: np.random.Generator) -> Codes:
    """Codes `(choice,)` of a sub-network of about `size` parameters: random choices reduced in turn, from the whole.

    Raises:
        ValueError: It was tried many times, and each time no change was left that keeps to the space and the size.
    """
    for _ in range(_RESTARTS):
        row: Codes | None = space.encode(dict(space.full().assignment))
        while row is not None:
            row, reached = _one_less(space, row, size, rng)
            if row is not None and reached <= size * (1 + SLACK):
                return row
    raise ValueError(f"no sub-network of {size} parameters was found")


def _one_less(space: ModelSpace, row: Codes, size: int, rng: np.random.Generator) -> tuple[Codes | None, int]:
    """The row with one random choice reduced, and its size; None where that is not possible."""
    widths = {group.name for group in space.groups}
    for column in rng.permutation(len(row)).tolist():
        is_width = space.choices[column].name in widths
        code = int(row[column])
        if code == (0 if is_width else 1):
            continue
        changed = row.copy()
        changed[column] = rng.integers(0, code) if is_width else 1
        if not space.contains_codes(changed[None])[0]:
            continue
        reached = n_params(space.build(space.decode(changed)))
        if reached >= size * (1 - SLACK):
            return changed, reached
    return None, 0


def uniform_row(space: ModelSpace, size: int) -> Codes:
    """Codes `(choice,)` of the whole model with one share of every width, the largest of at most `size` parameters."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = n_params(space.build(space.decode(_scaled(space, middle)))) <= size * (1 + SLACK)
        low, high = (middle, high) if fits else (low, middle)
    return _scaled(space, low)


def _scaled(space: ModelSpace, share: float) -> Codes:
    row = space.encode(dict(space.full().assignment))
    groups = {group.name: group for group in space.groups}
    for column, choice in enumerate(space.choices):
        if choice.name in groups:
            kept = np.array(groups[choice.name].kept)
            row[column] = int(np.argmin(np.abs(kept - share * groups[choice.name].size)))
    return row
