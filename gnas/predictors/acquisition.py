"""Acquisition functions on a Gaussian belief, larger is better."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, log_ndtr

from gnas.predictors.protocol import Vector


def log_expected_improvement(mean: Vector, std: Vector, best: float) -> Vector:
    """Logarithm of the expected improvement over `best`, accurate far below it, where the improvement underflows.

    Source: Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023,
    arXiv:2310.20708, equation 9.
    """
    std = np.maximum(std, 1e-12)
    u = (mean - best) / std
    log_density = -0.5 * u**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(u, -1.0)
    direct = np.log(np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * np.exp(log_ndtr(near)))
    far = np.minimum(u, -1.0)
    # Beyond -1e3 the difference in log1p cancels; its expansion is 1/u².
    middle = np.maximum(far, -1e3)
    tail = np.log1p(np.sqrt(np.pi / 2) * middle * erfcx(-middle / np.sqrt(2)))
    tail = np.where(far < -1e3, -2.0 * np.log(-far), tail)
    out: Vector = np.log(std) + np.where(u > -1.0, direct, log_density + tail)
    return out


def upper_confidence_bound(mean: Vector, std: Vector, beta: float) -> Vector:
    """`mean + beta · std`."""
    return mean + beta * std


def log_probability_below(mean: Vector, std: Vector, upper: float) -> Vector:
    """Logarithm of the probability that a Gaussian belief lies below `upper`."""
    out: Vector = log_ndtr((upper - mean) / np.maximum(std, 1e-12))
    return out
