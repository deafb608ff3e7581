"""Other divisions of the learning data: which molecules of training and validation validate, turn after turn."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from gnas_molecular.labels import FloatMatrix
from gnas_molecular.options import TaskKind

_SEED = 0


def validation_blocks(
    keys: Sequence[Hashable], size: int, labels: FloatMatrix, kind: TaskKind
) -> list[NDArray[np.int64]]:
    """Disjoint sets of training molecules, each about as many as validation has, to validate on in its stead.

    Groups stay together, and those larger than half of `size` stay in training, as in a balanced scaffold split.

    Args:
        keys: Group of each training molecule.
        size: Molecules in the validation part.
        labels: `(molecule, target)`, NaN where missing.
        kind: Of the task.

    Returns:
        Positions in `keys`, ascending within a set. Sets of less than half of `size` are left out, and so are those in
        which a class of every target is absent.
    """
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    small = [group for group in groups.values() if len(group) <= max(1, size / 2)]
    blocks: list[list[int]] = [[]]
    for i in np.random.default_rng(_SEED).permutation(len(small)):
        if blocks[-1] and len(blocks[-1]) + len(small[i]) > size:
            blocks.append([])
        blocks[-1] += small[i]
    found = [np.sort(np.array(block, dtype=np.int64)) for block in blocks if 2 * len(block) >= size]
    return [block for block in found if kind == "regression" or _has_classes(labels[block])]


def _has_classes(labels: FloatMatrix) -> bool:
    return bool(((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any())
