"""Are intervals as wide as they claim, and a correction from residuals on labels that models had not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, ndtri, stdtrit

from gnas.predictors.protocol import Vector

LEVELS: Vector = np.arange(0.05, 0.951, 0.05, dtype=np.float64)
"""Levels of central intervals at which calibration is measured."""

_TRUSTED_ROWS = 150.0
"""So many residuals count for as much as the distribution fitted to them."""

_FEW = 300
"""Of more residuals, one does not change the distribution."""

_FREEDOMS: Vector = np.array([3.0, 4.0, 6.0, 10.0, 30.0])
_STEP = 0.1
_LOG_SCALES: Vector = np.linspace(-20.0, 20.0, 41, dtype=np.float64) * _STEP
_PRIOR_WIDTH, _PRIOR_WEIGHT = 0.15, 2.0


@dataclass(frozen=True, slots=True)
class Conformal:
    """How much wider than Gaussian intervals must be, learnt from held-out residuals.

    Source: Papadopoulos, Vovk and Gammerman, "Regression conformal prediction with nearest neighbours", JAIR 40, 2011,
    arXiv:1401.3880, section 3 (normalised residuals); Barber et al., "Predictive inference with the jackknife+", 2021,
    arXiv:1905.02928 (residuals of models that left the label out). Deviation: with few residuals the factor is drawn
    towards that of a Student distribution fitted to all of them, whose scale a heavy-tailed prior keeps near 1.

    Attributes:
        ratios: |residual| / standard deviation, sorted, `(n,)`.
        freedom: Degrees of freedom of the distribution.
        scale: Its scale.
    """

    ratios: Vector
    freedom: float
    scale: float

    @classmethod
    def fit(cls, residuals: Vector, std: Vector) -> Conformal:
        """From residuals and the standard deviations that were predicted, `(n,)` each."""
        return cls.of_ratios(np.sort(np.abs(residuals) / np.maximum(std, 1e-12)))

    @classmethod
    def of_ratios(cls, ratios: Vector) -> Conformal:
        """From sorted ratios; none leave a Gaussian."""
        return cls(ratios, *_student(ratios)) if len(ratios) else cls(ratios, math.inf, 1.0)

    def factor(self, level: float) -> float:
        """Half the width, in standard deviations, of the central interval that holds a new value with `level`."""
        n, end = len(self.ratios), 0.5 + level / 2
        fitted = self.scale * float(ndtri(end) if math.isinf(self.freedom) else stdtrit(self.freedom, end))
        if n == 0:
            return fitted
        rank = level * (n + 1) - 1
        if rank > n - 1:
            return max(float(self.ratios[-1]), fitted)
        empirical = float(np.interp(max(rank, 0.0), np.arange(n), self.ratios))
        trust = n / (n + _TRUSTED_ROWS)
        return trust * empirical + (1.0 - trust) * fitted


def _student(ratios: Vector) -> tuple[float, float]:
    """Degrees of freedom and scale that are likeliest after the prior; between steps of the scale a parabola."""
    squares = (ratios[:, None, None] / np.exp(_LOG_SCALES)) ** 2 / _FREEDOMS[:, None]
    constant = gammaln((_FREEDOMS + 1) / 2) - gammaln(_FREEDOMS / 2) - 0.5 * np.log(_FREEDOMS)
    likelihood = len(ratios) * (constant[:, None] - _LOG_SCALES)
    likelihood -= 0.5 * (_FREEDOMS[:, None] + 1) * np.log1p(squares).sum(axis=0)
    posterior = likelihood - _PRIOR_WEIGHT * np.log1p((_LOG_SCALES / _PRIOR_WIDTH) ** 2)
    which, at = np.unravel_index(int(posterior.argmax()), posterior.shape)
    shift = 0.0
    if 0 < at < len(_LOG_SCALES) - 1:
        before, best, after = posterior[which, at - 1 : at + 2]
        shift = 0.5 * _STEP * float((before - after) / min(before - 2 * best + after, -1e-12))
    return float(_FREEDOMS[which]), math.exp(float(_LOG_SCALES[at]) + shift)


def coverages(residuals: Vector, std: Vector, conformal: Conformal) -> Vector:
    """Share of |residuals| inside the intervals at each of `LEVELS`; `(level,)`."""
    ratios = np.abs(residuals) / np.maximum(std, 1e-12)
    return np.array([(ratios <= conformal.factor(float(level))).mean() for level in LEVELS])


def coverages_left_out(residuals: Vector, std: Vector) -> Vector:
    """As `coverages`, each label judged by a correction learnt from the others."""
    ratios = np.abs(residuals) / np.maximum(std, 1e-12)
    order = np.argsort(ratios, kind="stable")
    inside, whole = np.zeros((len(ratios), len(LEVELS))), Conformal.of_ratios(ratios[order])
    for place, i in enumerate(order):
        rest = np.delete(ratios[order], place)
        others = Conformal.of_ratios(rest) if len(ratios) <= _FEW else replace(whole, ratios=rest)
        inside[i] = [ratios[i] <= others.factor(float(level)) for level in LEVELS]
    out: Vector = inside.mean(axis=0)
    return out


def rmsce(coverage: Vector) -> float:
    """Root mean squared calibration error of coverages at `LEVELS`.

    Source: Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", 2018,
    arXiv:1807.00263, equation 9, unweighted and under a root.
    """
    return float(np.sqrt(np.mean((coverage - LEVELS) ** 2)))
