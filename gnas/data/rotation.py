"""Other divisions of the learning data: which examples of training and validation validate, turn after turn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from gnas.data.parts import Positions, groups_of

_SEED = 0


def validation_blocks(keys: Sequence[Hashable], size: int, usable: Callable[[Positions], bool]) -> list[Positions]:
    """Disjoint sets of training examples, each about as many as validation has, to validate on in its stead.

    Groups stay together, and those larger than half of `size` stay in training, as in a balanced split.

    Args:
        keys: Group of each training example.
        size: Examples in the validation part.
        usable: Whether a set can be validated on.

    Returns:
        Positions in `keys`, ascending within a set. Sets of less than half of `size` are left out, and so are those
        that are not usable.
    """
    small = [group for group in groups_of(keys) if len(group) <= max(1, size / 2)]
    blocks: list[list[int]] = [[]]
    for i in np.random.default_rng(_SEED).permutation(len(small)):
        if blocks[-1] and len(blocks[-1]) + len(small[i]) > size:
            blocks.append([])
        blocks[-1] += small[i]
    found = [np.sort(np.array(block, dtype=np.int64)) for block in blocks if 2 * len(block) >= size]
    return [block for block in found if usable(block)]
