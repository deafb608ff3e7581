from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from gnas.errors import GnasError
from gnas.predictors import gp
from gnas.predictors.gp import GaussianProcess, GpPredictor, Hyper, fit_hyper
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.testing.predictors import PredictorTestCase, labelled


class TestConformance(PredictorTestCase):
    def predictor(self) -> GpPredictor:
        return GpPredictor()


SLICES = (slice(0, 2), slice(2, 5))


def data(n: int = 12, seed: int = 0) -> tuple[Floats, Vector]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 5)), rng.normal(size=n)


def hyper(noise: float = 0.05) -> Hyper:
    return Hyper(np.log([0.7, 1.3, 1.0, 0.6]), np.log([0.5, 0.2, 0.1, 0.9]), float(np.log(noise)))


def kernel(a: Vector, b: Vector) -> float:
    """The covariance written out for one pair, straight from its definition."""
    total = 0.0
    for i, (block, kind) in enumerate([(0, "rbf"), (0, "matern"), (1, "rbf"), (1, "matern")]):
        r = float(np.linalg.norm(a[SLICES[block]] - b[SLICES[block]])) / np.exp(hyper().log_scales[i])
        k = np.exp(-(r**2) / 2) if kind == "rbf" else (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r)
        total += np.exp(hyper().log_amplitudes[i]) * k
    return total


def gram(a: Floats, b: Floats) -> Floats:
    return np.array([[kernel(p, q) for q in b] for p in a])


def test_prediction_equals_the_closed_form() -> None:
    x, z = data()
    at, _ = data(5, seed=1)
    mean, std = GaussianProcess.condition(hyper(), SLICES, x, z).predict(at)
    inverse = np.linalg.inv(gram(x, x) + 0.05 * np.eye(len(x)))
    cross = gram(at, x)
    np.testing.assert_allclose(mean, cross @ inverse @ z, rtol=1e-9)
    np.testing.assert_allclose(std**2, np.diag(gram(at, at) - cross @ inverse @ cross.T), rtol=1e-7)


def test_density_is_the_multivariate_normals() -> None:
    x, z = data()
    posterior = gp._Posterior(x, SLICES, z)
    theta = np.concatenate([hyper().log_scales, hyper().log_amplitudes, [hyper().log_noise]])
    prior = 0.5 * (((theta - posterior.centre) / posterior.sd) ** 2).sum()
    exact = -multivariate_normal.logpdf(z, cov=gram(x, x) + 0.05 * np.eye(len(x)))
    constant = 0.5 * len(z) * np.log(2 * np.pi)
    assert posterior(theta)[0] == pytest.approx(exact - constant + prior, rel=1e-10)


def value_of(posterior: gp._Posterior, theta: Vector) -> float:
    return posterior(theta)[0]


def test_gradient_equals_finite_differences() -> None:
    x, z = data()
    posterior = gp._Posterior(x, SLICES, z)
    for seed in range(3):
        theta = posterior.centre + np.random.default_rng(seed).normal(size=len(posterior.centre))
        numeric = approx_fprime(theta, partial(value_of, posterior), 1e-6)
        np.testing.assert_allclose(posterior(theta)[1], numeric, rtol=1e-4, atol=1e-4)


def test_fit_lowers_the_objective_to_a_stationary_point() -> None:
    x, z = data(30)
    posterior = gp._Posterior(x, SLICES, z)
    fitted = fit_hyper(x, SLICES, z, steps=200)
    theta = np.concatenate([fitted.log_scales, fitted.log_amplitudes, [fitted.log_noise]])
    assert posterior(theta)[0] < posterior(posterior.centre)[0]
    assert np.abs(posterior(theta)[1]).max() < 0.02


def test_noise_is_recovered() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 5))
    smooth = np.sin(x[:, 0]) + 0.5 * x[:, 3]
    smooth = smooth / smooth.std()
    quiet = fit_hyper(x, SLICES, smooth + 0.05 * rng.normal(size=150))
    loud = fit_hyper(x, SLICES, smooth + 0.7 * rng.normal(size=150))
    assert np.exp(quiet.log_noise) < 0.05
    assert 0.3 < np.exp(loud.log_noise) < 0.8


def test_believing_equals_conditioning_on_the_mean() -> None:
    x, z = data()
    at, _ = data(6, seed=1)
    process = GaussianProcess.condition(hyper(), SLICES, x, z)
    beliefs = process.believe(at).believing(2).believing(4)
    means = process.predict(at)[0]
    grown = GaussianProcess.condition(
        hyper(), SLICES, np.concatenate([x, at[[2, 4]]]), np.concatenate([z, means[[2, 4]]])
    )
    mean, std = grown.predict(at)
    np.testing.assert_allclose(beliefs.mean, mean, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(beliefs.variance, std**2, rtol=1e-6)


def test_singular_covariances_are_survived() -> None:
    x = np.repeat(data(3)[0], 40, axis=0)
    z = np.tile([0.0, 1.0, -1.0], 40)
    process = GaussianProcess.condition(hyper(noise=1e-30), SLICES, x, z)
    assert np.isfinite(process.alpha).all()
    assert np.isfinite(fit_hyper(x, SLICES, z).log_noise)


def test_intervals_hold_what_they_promise() -> None:
    known, values = labelled(60)
    asked, truth = labelled(300, seed=5)
    mean, std = GpPredictor().fit(known, values).predict(asked)
    new = ~np.isin([a.digest for a in asked], [a.digest for a in known])
    inside = np.abs(truth - mean)[new] < 1.645 * std[new]
    assert inside.mean() > 0.75


def test_predict_before_fit() -> None:
    with pytest.raises(GnasError, match="fit before predict"):
        GpPredictor().predict(labelled(2)[0])


def test_no_architectures() -> None:
    with pytest.raises(GnasError, match="at least one"):
        GpPredictor().fit([], np.zeros(0))
