"""An exact Gaussian process over blocks of architecture features, float64, hyper-parameters by maximum a posteriori.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1 and equation 5.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg import cholesky as lower_factor
from scipy.optimize import minimize

from gnas.architecture import Architecture
from gnas.errors import InvalidShapeError
from gnas.predictors.features import FeatureExtractor
from gnas.predictors.kernels import KINDS, Component, Floats, Kind, components, distances, value, value_and_slope
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import RankGaussian

STEPS = 30
"""L-BFGS steps of the fit of hyper-parameters."""

_TOGETHER = 65_536
_JITTERS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2, 1e-1)
_LOG_SCALE_SD = 0.7
_LOG_AMPLITUDE, _LOG_AMPLITUDE_SD = float(np.log(0.3)), 1.5
_LOG_NOISE, _LOG_NOISE_SD = float(np.log(0.08)), 1.0


@dataclass(frozen=True, slots=True)
class Hyper:
    """Hyper-parameters, natural logarithms.

    Attributes:
        log_scales: Length-scale of each component, shape `(component,)`.
        log_amplitudes: Variance of each component, shape `(component,)`.
        log_noise: Variance of the noise.
        kinds: Kernels that every block has a component of, in the order of the components.
    """

    log_scales: Vector
    log_amplitudes: Vector
    log_noise: float
    kinds: tuple[Kind, ...] = KINDS


class _Posterior:
    """Negative log posterior density of hyper-parameters, with gradient, on precomputed distances."""

    def __init__(
        self, x: Floats, slices: Sequence[slice], z: Vector, kinds: tuple[Kind, ...] = KINDS, shift: float = 0.0
    ) -> None:
        self.kernels: tuple[Component, ...] = components(len(slices), kinds)
        upper = np.triu_indices(len(x), k=1)
        self.upper = upper
        self.d = distances(x, x, slices)[:, upper[0], upper[1]]
        self.z = z
        medians = [np.median(d[d > 1e-6]) if (d > 1e-6).any() else 1.0 for d in self.d]
        self.centre = np.array(
            [np.log(medians[c.block]) + shift for c in self.kernels]
            + [_LOG_AMPLITUDE] * len(self.kernels)
            + [_LOG_NOISE]
        )
        self.sd = np.array(
            [_LOG_SCALE_SD] * len(self.kernels) + [_LOG_AMPLITUDE_SD] * len(self.kernels) + [_LOG_NOISE_SD]
        )

    def __call__(self, theta: Vector) -> tuple[float, Vector]:
        n, m = len(self.z), len(self.kernels)
        scales, amplitudes, noise = np.exp(theta[:m]), np.exp(theta[m : 2 * m]), np.exp(theta[-1])
        parts = [value_and_slope(c.kind, self.d[c.block], s) for c, s in zip(self.kernels, scales, strict=True)]
        condensed = sum((a * k for a, (k, _) in zip(amplitudes, parts, strict=True)), np.zeros(len(self.upper[0])))
        total = amplitudes.sum()
        noisy = np.empty((n, n))
        noisy[self.upper] = condensed
        noisy.T[self.upper] = condensed
        np.fill_diagonal(noisy, total + noise)
        chol = cholesky(noisy)
        alpha = cho_solve((chol, True), self.z)
        nll = 0.5 * self.z @ alpha + np.log(np.diag(chol)).sum()
        inverse = cho_solve((chol, True), np.eye(n))
        weight = inverse - np.outer(alpha, alpha)
        above, trace = weight[self.upper], np.trace(weight)
        gradient = np.empty_like(theta)
        for i, (k, slope) in enumerate(parts):
            gradient[i] = amplitudes[i] * (above @ slope)
            gradient[m + i] = amplitudes[i] * (0.5 * trace + above @ k)
        gradient[-1] = 0.5 * noise * trace
        off = (theta - self.centre) / self.sd
        return float(nll + 0.5 * off @ off), gradient + off / self.sd


def cholesky(noisy: Floats) -> Floats:
    """Lower factor of a covariance; jitter on the diagonal escalates from 0 to 0.1 of its mean."""
    level = float(np.mean(np.diag(noisy)))
    for jitter in _JITTERS:
        try:
            factor: Floats = lower_factor(noisy + jitter * level * np.eye(len(noisy)) if jitter else noisy, lower=True)
        except np.linalg.LinAlgError:
            continue
        return factor
    raise np.linalg.LinAlgError("covariance is not positive definite even with jitter 0.1")


def noisy_factor(hyper: Hyper, slices: Sequence[slice], x: Floats) -> Floats:
    """Lower Cholesky factor of the covariance with noise at `x`, `(n, n)`."""
    noisy = covariance(hyper, slices, x, x)
    noisy[np.diag_indices(len(x))] += np.exp(hyper.log_noise)
    return cholesky(noisy)


def extended_factor(hyper: Hyper, slices: Sequence[slice], x: Floats, chol: Floats) -> Floats:
    """The factor at `x`, `(n, n)`, given `chol`, that of the first rows."""
    m, n = len(chol), len(x)
    if m == n:
        return chol
    new = covariance(hyper, slices, x, x[m:])
    side = solve_triangular(chol, new[:m], lower=True, check_finite=False)
    rest = new[m:] - side.T @ side
    rest[np.diag_indices(n - m)] += np.exp(hyper.log_noise)
    out = np.zeros((n, n), order="F")
    out[:m, :m], out[m:, :m], out[m:, m:] = chol, side.T, cholesky(rest)
    return out


def fit_hyper(
    x: Floats,
    slices: Sequence[slice],
    z: Vector,
    steps: int = STEPS,
    kinds: tuple[Kind, ...] = KINDS,
    shift: float = 0.0,
) -> Hyper:
    """Maximum a posteriori hyper-parameters from the centre of their priors: a pure function of its arguments.

    Priors are normal on logarithms: length-scales around the median distance (sd 0.7), amplitudes around 0.3 (sd 1.5),
    noise variance around 0.08 (sd 1).

    Args:
        x: Features, `(n, column)`.
        slices: Columns of each block.
        z: Labels of about unit variance, `(n,)`.
        steps: L-BFGS iterations.
        kinds: Kernels of which every block gets a component.
        shift: How far above the logarithm of the median distance the prior of a length-scale is centred.
    """
    posterior = _Posterior(x, slices, z, kinds, shift)
    best = minimize(posterior, posterior.centre, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    m = len(posterior.kernels)
    return Hyper(best[:m], best[m : 2 * m], float(best[-1]), kinds)


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """A process conditioned on labels.

    Attributes:
        hyper: Its hyper-parameters.
        slices: Columns of each block.
        x: Features it was conditioned on, `(n, column)`.
        chol: Lower Cholesky factor of their covariance with noise, `(n, n)`.
        alpha: Covariance⁻¹ labels, `(n,)`.
    """

    hyper: Hyper
    slices: tuple[slice, ...]
    x: Floats
    chol: Floats
    alpha: Vector

    @classmethod
    def condition(cls, hyper: Hyper, slices: Sequence[slice], x: Floats, z: Vector) -> GaussianProcess:
        """The process given labels `z` at `x`."""
        return cls.of_factor(hyper, slices, x, z, noisy_factor(hyper, slices, x))

    @classmethod
    def of_factor(cls, hyper: Hyper, slices: Sequence[slice], x: Floats, z: Vector, chol: Floats) -> GaussianProcess:
        """The process given labels `z` at `x`, whose `noisy_factor` is `chol`."""
        return cls(hyper, tuple(slices), x, chol, cho_solve((chol, True), z, check_finite=False))

    @property
    def prior_variance(self) -> float:
        """Variance far from all data."""
        return float(np.exp(self.hyper.log_amplitudes).sum())

    def leave_one_out(self, z: Vector) -> tuple[Vector, Vector]:
        """Mean and variance, noise included, of each label given the others, `(n,)` each; `z` as it was conditioned on.

        Source: Rasmussen and Williams, 2006, equation 5.12.
        """
        precision = np.diag(cho_solve((self.chol, True), np.eye(len(z))))
        return z - self.alpha / precision, 1.0 / precision

    def predict(self, x: Floats) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the noise-free function at `x`, `(m,)` each."""
        beliefs = self.believe(x)
        return beliefs.mean, np.sqrt(beliefs.variance)

    def believe(self, x: Floats | NDArray[np.float32]) -> Beliefs:
        """Mean and variance at `x`, in its precision, ready for further conditioning."""
        x = cast(Floats, x)
        known, chol = self.x.astype(x.dtype, copy=False), self.chol.astype(x.dtype, copy=False)
        cross = covariance(self.hyper, self.slices, known, x)
        whitened = solve_triangular(chol, cross, lower=True, check_finite=False)
        variance = np.maximum(self.prior_variance - (whitened**2).sum(axis=0), 1e-12)
        return Beliefs(self, x, cross.T @ self.alpha, variance, whitened)


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What a process believes of a set of candidates.

    Attributes:
        process: The process.
        x: Features of the candidates, `(m, column)`.
        mean, variance: Of the noise-free function, `(m,)`.
        whitened: `L⁻¹ k(train, candidates)`, one row for each label or fantasy, `(n, m)`.
    """

    process: GaussianProcess
    x: Floats
    mean: Vector
    variance: Vector
    whitened: Floats

    def believing(self, i: int) -> Beliefs:
        """Beliefs once candidate `i` came out at its mean: means stay, variances near it shrink.

        Source: the "kriging believer" of Ginsbourger, Le Riche and Carraro, 2010, doi:10.1007/978-3-642-10701-6_6.
        """
        process = self.process
        prior = covariance(process.hyper, process.slices, self.x[i : i + 1], self.x)[0]
        noisy = self.variance[i] + np.exp(process.hyper.log_noise)
        row = (prior - self.whitened[:, i] @ self.whitened) / np.sqrt(noisy)
        variance = np.maximum(self.variance - row**2, 1e-12)
        return replace(self, variance=variance, whitened=np.concatenate([self.whitened, row[None, :]]))


def covariance(hyper: Hyper, slices: Sequence[slice], a: Floats, b: Floats) -> Floats:
    """Prior covariance of the noise-free function between rows of features, `(n, column)` and `(m, column)`."""
    # A component the fit switched off changes nothing but time.
    amplitudes, scales = np.exp(hyper.log_amplitudes), np.exp(hyper.log_scales)
    live = [(c, i) for i, c in enumerate(components(len(slices), hyper.kinds)) if amplitudes[i] > 1e-6]
    blocks = sorted({component.block for component, _ in live})
    out = np.zeros((len(a), len(b)), dtype=np.result_type(a, b))
    # Small blocks together, since each step costs more than its numbers; large ones alone, since those fill the cache.
    together = max(1, _TOGETHER // max(out.size, 1))
    for start in range(0, len(blocks), together):
        some = blocks[start : start + together]
        d = distances(a, b, [slices[block] for block in some])
        for kind in hyper.kinds:
            here = [(some.index(c.block), i) for c, i in live if c.kind == kind and c.block in some]
            if here:
                places, chosen = map(list, zip(*here, strict=True))
                k = value(kind, d if len(here) == len(some) else d[places], scales[chosen].astype(out.dtype))
                out += np.tensordot(amplitudes[chosen].astype(out.dtype), k, 1)
    return out


class GpPredictor:
    """The process as a `Predictor`: rank-Gaussianised labels, mean and spread in the units of the values.

    Args:
        extractor: Features fitted elsewhere (on the space); by default they are fitted on the architectures of `fit`.
        steps: L-BFGS iterations.
    """

    def __init__(self, extractor: FeatureExtractor | None = None, steps: int = STEPS) -> None:
        self.extractor = extractor
        self.steps = steps
        self._fitted: tuple[FeatureExtractor, GaussianProcess, RankGaussian] | None = None

    def fit(self, architectures: Sequence[Architecture], values: Vector) -> Self:
        """Fits on finite `values`, shape `(n,)`, n ≥ 1.

        Raises:
            InvalidShapeError: No architectures, another number of values, or values that are not finite.
        """
        values = np.asarray(values, dtype=np.float64)
        if len(architectures) == 0 or values.shape != (len(architectures),) or not np.isfinite(values).all():
            expected = f"one finite value for each of {len(architectures)} (at least one) architectures"
            raise InvalidShapeError("GpPredictor.fit", f"values of shape {values.shape}", expected)
        extractor = self.extractor or FeatureExtractor.fit(architectures)
        ranks = RankGaussian.fit(values)
        x = extractor.features(architectures)
        hyper = fit_hyper(x, extractor.slices, ranks.z, self.steps)
        self._fitted = extractor, GaussianProcess.condition(hyper, extractor.slices, x, ranks.z), ranks
        return self

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Vector, Vector]:
        """Mean and standard deviation, `(n,)` each, in the units of the values."""
        extractor, _, ranks = self._state()
        if len(architectures) == 0:
            return np.zeros(0), np.zeros(0)
        return ranks.moments(*self.predict_latent(extractor.features(architectures)))

    def predict_latent(self, x: Floats) -> tuple[Vector, Vector]:
        """Mean and standard deviation on the rank-Gaussian scale at features `x`, `(n,)` each."""
        return self._state()[1].predict(x)

    def _state(self) -> tuple[FeatureExtractor, GaussianProcess, RankGaussian]:
        if self._fitted is None:
            raise InvalidShapeError("GpPredictor.predict", "no fit", "a call of fit before predict")
        return self._fitted
