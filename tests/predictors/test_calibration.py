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
    np.testing.assert_allclose(np.mean(found, axis=0), [0.5, 0.9], atol=0.03)


def test_factors_grow_with_the_level() -> None:
    conformal = Conformal.fit(np.random.default_rng(0).normal(size=50), np.ones(50))
    factors = [conformal.factor(float(level)) for level in np.arange(0.05, 0.999, 0.01)]
    assert (np.diff(factors) >= 0).all()


def test_without_residuals_it_is_gaussian() -> None:
    assert Conformal(np.zeros(0)).factor(0.9) == pytest.approx(1.6449, abs=1e-4)


def test_left_out_coverage_is_honest() -> None:
    residuals = np.random.default_rng(0).normal(size=300)
    assert rmsce(coverages_left_out(5 * residuals, np.ones(300))) < 0.02


def test_rmsce() -> None:
    assert rmsce(LEVELS) == 0.0
    shifted: Vector = LEVELS + 0.1
    assert rmsce(shifted) == pytest.approx(0.1)
