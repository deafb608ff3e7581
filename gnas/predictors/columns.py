"""A user's numeric columns (zero-cost proxies, counted costs) as a block of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian


@dataclass(frozen=True, slots=True)
class ColumnRanks:
    """Columns rank-Gaussianised by a reference sample of them.

    A missing value becomes the middle, and a column with some missing gets a second one that says which. Infinite
    values are the extremes. The block is divided by the root of its width, as all blocks are.

    Attributes:
        knots: Distinct reference values of each column that varies, and their latent positions; increasing.
        kept: Which of the columns given those are.
        gaps: Whether each kept column has an indicator of what is missing.
    """

    knots: tuple[tuple[Vector, Vector], ...]
    kept: tuple[int, ...]
    gaps: tuple[bool, ...]

    @classmethod
    def fit(cls, reference: Floats) -> ColumnRanks:
        """From a sample of the columns, `(n, column)`; NaN where missing."""
        knots, kept, gaps = [], [], []
        for i, column in enumerate(_bounded(reference).T):
            there = ~np.isnan(column)
            values, first = np.unique(column[there], return_index=True)
            if len(values) > 1:
                knots.append((values, rank_gaussian(column[there])[first]))
                kept.append(i)
                gaps.append(not bool(there.all()))
        return cls(tuple(knots), tuple(kept), tuple(gaps))

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.kept) + sum(self.gaps)

    def features(self, columns: Floats) -> Floats:
        """Features of rows of columns, `(n, column given)` to `(n, width)`."""
        bounded = _bounded(columns)
        parts: list[NDArray[np.float64]] = []
        for (values, latent), i, gap in zip(self.knots, self.kept, self.gaps, strict=True):
            missing = np.isnan(bounded[:, i])
            parts.append(np.where(missing, 0.0, np.interp(bounded[:, i], values, latent)))
            if gap:
                parts.append(missing.astype(np.float64))
        if not parts:
            return np.zeros((len(columns), 0))
        out: Floats = np.stack(parts, axis=1) / np.sqrt(len(parts))
        return out


def _bounded(columns: Floats) -> Floats:
    top = np.finfo(np.float64).max
    out: Floats = np.clip(np.asarray(columns, dtype=np.float64), -top, top)
    return out
