"""Rank-Gaussian labels: a value becomes the normal quantile of its rank, and a Gaussian there becomes units again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gnas.predictors.protocol import Vector

# Equally likely nodes of unit variance: a piecewise linear map has kinks, which Gauss-Hermite nodes straddle.
_NODES = ndtri((np.arange(64) + 0.5) / 64)
_NODES = _NODES / _NODES.std()


def rank_gaussian(values: Vector) -> Vector:
    """Normal quantiles of the ranks of `values`, −∞ allowed, shape `(n,)`; ties share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - 0.5 * (counts - 1)
    z: Vector = ndtri((ranks - 0.5) / len(values))[place]
    return z


@dataclass(frozen=True, slots=True)
class RankGaussian:
    """The map between values and their rank-Gaussian scale: piecewise linear between the labels, straight beyond them.

    Attributes:
        z: Labels on the latent scale, in the order given, shape `(n,)`; ties share their mean rank.
        knots_z, knots_y: Distinct labels on both scales, increasing.
        slope: Units per latent unit beyond the outermost labels.
    """

    z: Vector
    knots_z: Vector
    knots_y: Vector
    slope: float

    @classmethod
    def fit(cls, values: Vector) -> RankGaussian:
        """The map of `values` (finite, shape `(n,)`, n ≥ 1)."""
        z = rank_gaussian(values)
        knots_y, first = np.unique(values, return_index=True)
        knots_z = z[first]
        slope = float(np.std(values) / np.std(z)) if len(knots_y) > 1 else 0.0
        return cls(z, knots_z, knots_y, slope)

    def to_units(self, z: Vector) -> Vector:
        """Values at latent `z` of any shape."""
        inside = np.interp(z, self.knots_z, self.knots_y)
        beyond = np.minimum(z - self.knots_z[0], 0.0) + np.maximum(z - self.knots_z[-1], 0.0)
        units: Vector = inside + self.slope * beyond
        return units

    def moments(self, mean: Vector, std: Vector) -> tuple[Vector, Vector]:
        """Mean and standard deviation in units of a latent Gaussian, `(n,)` each, over 64 equally likely nodes."""
        at = self.to_units(mean[:, None] + std[:, None] * _NODES[None, :])
        return at.mean(axis=1), at.std(axis=1)
