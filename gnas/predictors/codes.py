"""Features read off codes alone, without decoding: coarse, but thousands cost no more than one architecture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gnas.predictors.kernels import Floats
from gnas.space.protocol import Choice, Codes


def code_features(choices: tuple[Choice, ...], codes: Codes) -> tuple[Floats, tuple[slice, ...]]:
    """One-hots of unordered choices and positions of ordered ones, with the columns of each block.

    Distances within a block are of order one. An inactive ordered choice stands in the middle.

    Args:
        choices: The space's choices.
        codes: Rows, `(n, choice)`.

    Returns:
        Features `(n, column)` and the slices of up to two blocks; none if no choice has two values.
    """
    varying = [i for i, choice in enumerate(choices) if len(choice.values) > 1]
    ordered = [i for i in varying if choices[i].ordinal]
    free = [i for i in varying if not choices[i].ordinal]
    blocks = []
    if free:
        sizes = [len(choices[i].values) for i in free]
        asked = np.concatenate([np.arange(size) for size in sizes])
        blocks.append((codes[:, np.repeat(free, sizes)] == asked) / np.sqrt(len(free)))
    if ordered:
        top = np.array([len(choices[i].values) - 1 for i in ordered])
        positions = np.where(codes[:, ordered] < 0, 0.5, codes[:, ordered] / top)
        blocks.append(2.0 * positions / np.sqrt(len(ordered)))
    ends = np.cumsum([0, *(block.shape[1] for block in blocks)]).tolist()
    slices = tuple(slice(start, end) for start, end in pairwise(ends))
    return (np.concatenate(blocks, axis=1) if blocks else np.zeros((len(codes), 0))), slices
