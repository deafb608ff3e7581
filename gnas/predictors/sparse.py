"""A Gaussian process on inducing rows, for more labels than an exact one can take.

Source: Quiñonero-Candela and Rasmussen, "A Unifying View of Sparse Approximate Gaussian Process Regression", JMLR 6,
2005, section 5 (deterministic training conditional, equation 20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from gnas.predictors.gp import Hyper, cholesky, covariance
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector


@dataclass(frozen=True, slots=True)
class SparseProcess:
    """A process conditioned on labels through inducing rows.

    Attributes:
        hyper: Its hyper-parameters.
        slices: Columns of each block.
        inducing: Features of the inducing rows, `(m, column)`.
        chol: Lower Cholesky factor of their covariance, `(m, m)`.
        chol_b: Lower Cholesky factor of `I + V Vᵀ / noise`, `(m, m)`.
        weights: Mean is `k(inducing, ·)ᵀ weights`, `(m,)`.
        whitened: `V = chol⁻¹ k(inducing, labels)`, `(m, n)`.
    """

    hyper: Hyper
    slices: tuple[slice, ...]
    inducing: Floats
    chol: Floats
    chol_b: Floats
    weights: Vector
    whitened: Floats

    @classmethod
    def condition(cls, hyper: Hyper, slices: Sequence[slice], inducing: Floats, x: Floats, z: Vector) -> SparseProcess:
        """The process given labels `z`, `(n,)`, at `x`, `(n, column)`."""
        noise = float(np.exp(hyper.log_noise))
        chol = cholesky(covariance(hyper, slices, inducing, inducing))
        whitened = solve_triangular(chol, covariance(hyper, slices, inducing, x), lower=True, check_finite=False)
        chol_b = cholesky(np.eye(len(inducing)) + whitened @ whitened.T / noise)
        inner = cho_solve((chol_b, True), whitened @ z) / noise
        weights = solve_triangular(chol, inner, lower=True, trans=1)
        return cls(hyper, tuple(slices), inducing, chol, chol_b, weights, whitened)

    def predict(self, x: Floats) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the noise-free function at `x`, `(k,)` each."""
        cross = covariance(self.hyper, self.slices, self.inducing, x)
        v = solve_triangular(self.chol, cross, lower=True, check_finite=False)
        u = solve_triangular(self.chol_b, v, lower=True, check_finite=False)
        prior = float(np.exp(self.hyper.log_amplitudes).sum())
        variance = np.maximum(prior - (v**2).sum(axis=0) + (u**2).sum(axis=0), 1e-12)
        return cross.T @ self.weights, np.sqrt(variance)

    def leave_one_out(self, z: Vector) -> tuple[Vector, Vector]:
        """Mean and variance, noise included, of each label given the others, `(n,)` each; `z` as conditioned on.

        The approximation is Bayesian linear regression on `V`, whose leverages give both.
        """
        noise = float(np.exp(self.hyper.log_noise))
        u = solve_triangular(self.chol_b, self.whitened, lower=True, check_finite=False)
        leverage = np.minimum((u**2).sum(axis=0) / noise, 1.0 - 1e-6)
        fitted = self.whitened.T @ solve_triangular(self.chol_b, u @ z, lower=True, trans=1) / noise
        left = z - (z - fitted) / (1.0 - leverage)
        prior = float(np.exp(self.hyper.log_amplitudes).sum())
        lost = np.maximum(prior - (self.whitened**2).sum(axis=0), 0.0)
        return left, noise / (1.0 - leverage) + lost
