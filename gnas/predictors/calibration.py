"""Are intervals as wide as they claim, and a correction from residuals on labels that models had not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gnas.predictors.protocol import Vector

LEVELS: Vector = np.arange(0.05, 0.951, 0.05, dtype=np.float64)
"""Levels of central intervals at which calibration is measured."""

_NORMAL_ROWS = 15.0
_NORMAL_MEDIAN = float(ndtri(0.75))


@dataclass(frozen=True, slots=True)
class Conformal:
    """How much wider than Gaussian intervals must be, learnt from held-out residuals.

    Source: Papadopoulos, Vovk and Gammerman, "Regression conformal prediction with nearest neighbours", JAIR 40, 2011,
    arXiv:1401.3880, section 3 (normalised residuals); Barber et al., "Predictive inference with the jackknife+", 2021,
    arXiv:1905.02928 (residuals of models that left the label out). Deviation: with few residuals the factor is drawn
    towards the one that the spread of all of them gives.

    Attributes:
        ratios: |residual| / standard deviation, sorted, `(n,)`.
    """

    ratios: Vector

    @classmethod
    def fit(cls, residuals: Vector, std: Vector) -> Conformal:
        """From residuals and the standard deviations that were predicted, `(n,)` each."""
        return cls(np.sort(np.abs(residuals) / np.maximum(std, 1e-12)))

    def factor(self, level: float) -> float:
        """Half the width, in standard deviations, of the central interval that holds a new value with `level`."""
        normal = float(ndtri(0.5 + level / 2))
        n = len(self.ratios)
        if n == 0:
            return normal
        # Heavy tails must not widen the middle.
        typical = max(float(np.median(self.ratios)) / _NORMAL_MEDIAN, 1e-12)
        spread = float(np.sqrt(np.mean(np.minimum(self.ratios, 3.0 * typical) ** 2)))
        rank = level * (n + 1) - 1
        if rank > n - 1:
            return max(float(self.ratios[-1]), normal * spread)
        empirical = float(np.interp(max(rank, 0.0), np.arange(n), self.ratios))
        trust = n / (n + _NORMAL_ROWS)
        return trust * empirical + (1.0 - trust) * normal * spread


def coverages(residuals: Vector, std: Vector, conformal: Conformal) -> Vector:
    """Share of |residuals| inside the intervals at each of `LEVELS`; `(level,)`."""
    ratios = np.abs(residuals) / np.maximum(std, 1e-12)
    return np.array([(ratios <= conformal.factor(float(level))).mean() for level in LEVELS])


def coverages_left_out(residuals: Vector, std: Vector) -> Vector:
    """As `coverages`, each label judged by a correction learnt from the others."""
    ratios = np.abs(residuals) / np.maximum(std, 1e-12)
    order = np.argsort(ratios, kind="stable")
    inside = np.zeros((len(ratios), len(LEVELS)))
    for place, i in enumerate(order):
        others = Conformal(np.delete(ratios[order], place))
        inside[i] = [ratios[i] <= others.factor(float(level)) for level in LEVELS]
    out: Vector = inside.mean(axis=0)
    return out


def rmsce(coverage: Vector) -> float:
    """Root mean squared calibration error of coverages at `LEVELS`.

    Source: Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", 2018,
    arXiv:1807.00263, equation 9, unweighted and under a root.
    """
    return float(np.sqrt(np.mean((coverage - LEVELS) ** 2)))
