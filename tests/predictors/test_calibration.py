from __future__ import annotations

import numpy as np
import pytest

from gnas.predictors.calibration import LEVELS, Conformal, coverages_left_out, rmsce
from gnas.predictors.protocol import Vector


def coverage(conformal: Conformal, residuals: Vector, level: float) -> float:
    return float((np.abs(residuals) <= conformal.factor(level)).mean())


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n", [30, 400])
def test_new_residuals_fall_inside_as_often_as_claimed(scale: float, n: int) -> None:
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        conformal = Conformal.fit(scale * rng.standard_t(4, size=n), np.ones(n))
        found.append([coverage(conformal, scale * rng.standard_t(4, size=1000), q) for q in (0.5, 0.9)])
    # Few residuals do not outweigh the prior that the spread is about right.
    np.testing.assert_allclose(np.mean(found, axis=0), [0.5, 0.9], atol=0.06 if n == 30 else 0.03)


def test_the_fitted_distribution_beats_quantiles_of_few_residuals() -> None:
    fitted, quantiles = [], []
    truth = np.abs(np.random.default_rng(99).standard_t(6, size=4000))
    for seed in range(30):
        conformal = Conformal.fit(np.random.default_rng(seed).standard_t(6, size=40), np.ones(40))
        fitted.append(rmsce(np.array([(truth <= conformal.factor(float(q))).mean() for q in LEVELS])))
        quantiles.append(rmsce(np.array([(truth <= np.quantile(conformal.ratios, q)).mean() for q in LEVELS])))
    assert np.mean(fitted) < 0.7 * np.mean(quantiles)


@pytest.mark.parametrize("freedom", [3.0, 30.0])
def test_tails_are_learnt(freedom: float) -> None:
    conformal = Conformal.fit(1.5 * np.random.default_rng(0).standard_t(freedom, size=3000), np.ones(3000))
    assert conformal.scale == pytest.approx(1.5, rel=0.06)
    assert (conformal.freedom < 5.0) == (freedom < 5.0)


def test_many_residuals_share_one_distribution() -> None:
    residuals = np.random.default_rng(1).standard_t(5, size=320)
    np.testing.assert_allclose(
        coverages_left_out(residuals, np.ones(320)),
        coverages_left_out(residuals[:300], np.ones(300)),
        atol=0.05,
    )


def test_factors_grow_with_the_level() -> None:
    conformal = Conformal.fit(np.random.default_rng(0).normal(size=50), np.ones(50))
    factors = [conformal.factor(float(level)) for level in np.arange(0.05, 0.999, 0.01)]
    assert (np.diff(factors) >= 0).all()


def test_without_residuals_it_is_gaussian() -> None:
    assert Conformal.of_ratios(np.zeros(0)).factor(0.9) == pytest.approx(1.6449, abs=1e-4)


def test_left_out_coverage_is_honest() -> None:
    residuals = np.random.default_rng(0).normal(size=300)
    assert rmsce(coverages_left_out(5 * residuals, np.ones(300))) < 0.02


def test_rmsce() -> None:
    assert rmsce(LEVELS) == 0.0
    shifted: Vector = LEVELS + 0.1
    assert rmsce(shifted) == pytest.approx(0.1)
