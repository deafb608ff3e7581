"""The Pareto front of evaluated architectures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2**22


def nondominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other point dominates; smaller is better in every column.

    `a` dominates `b` where it is nowhere larger and somewhere smaller. Equal points do not dominate each other. Rows
    with a value that is not finite are never on the front and dominate nothing.

    Args:
        points: Shape `(point, objective)`.

    Returns:
        Shape `(point,)`.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    front = finite.copy()
    candidates = points[finite]
    n, columns = candidates.shape
    if n == 0:
        return front
    chunk = max(1, _BLOCK // max(1, n * columns))
    kept = np.empty(n, dtype=bool)
    for start in range(0, n, chunk):
        block = candidates[start : start + chunk, None, :]
        nowhere_larger = np.all(candidates[None] <= block, axis=2)
        somewhere_smaller = np.any(candidates[None] < block, axis=2)
        kept[start : start + chunk] = ~np.any(nowhere_larger & somewhere_smaller, axis=1)
    front[finite] = kept
    return front
