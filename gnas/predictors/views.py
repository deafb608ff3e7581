"""Views: how much each column of a block counts, by its spread and by what the labels say of it.

Features come with every column scaled to one spread. That is the best scale for few dense columns, and a poor one for
many rare ones (a path of ops that one graph in a hundred has then outweighs those that half of them have). And most
columns say nothing of the labels at hand. Processes on several views, averaged, are better than any one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector


@dataclass(frozen=True, slots=True)
class View:
    """Powers of what columns are weighed by; with both 0 all count alike.

    Attributes:
        spread: Power of a column's standard deviation before it was scaled.
        relevance: Power of the absolute correlation of a column with the labels.
    """

    spread: float = 0.0
    relevance: float = 0.0

    def weights(self, x: Floats, slices: tuple[slice, ...], spreads: Vector, z: Vector) -> Vector:
        """Weight of each column, `(column,)`; blocks keep the total spread they have in `x`.

        Args:
            x: Features of labelled rows, `(n, column)`.
            slices: Columns of each block.
            spreads: Standard deviation of each column before it was scaled, `(column,)`.
            z: Labels, `(n,)`.
        """
        weights = spreads**self.spread * _relevance(x, z) ** self.relevance
        variance = x.var(axis=0)
        for part in slices:
            total, weighted = variance[part].sum(), (variance[part] * weights[part] ** 2).sum()
            weights[part] = weights[part] * np.sqrt(total / weighted) if weighted > 0.0 else 1.0
        out: Vector = weights
        return out


def _relevance(x: Floats, z: Vector) -> Vector:
    """Absolute correlation with the labels; one over the root of their number, what chance gives, is always there."""
    centred = x - x.mean(axis=0)
    scale = centred.std(axis=0) * max(float(z.std()), 1e-12)
    correlation = (centred.T @ (z - z.mean())) / len(z) / np.where(scale > 1e-12, scale, np.inf)
    relevance: Vector = np.sqrt(correlation**2 + 1.0 / len(z))
    return relevance
