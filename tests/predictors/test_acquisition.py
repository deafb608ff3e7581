from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from gnas.predictors.acquisition import log_expected_improvement, log_probability_below, upper_confidence_bound


@pytest.mark.parametrize(("mean", "std", "best"), [(0.0, 1.0, 0.0), (2.0, 0.5, 1.0), (-1.0, 0.7, 1.5), (0.3, 2.0, 5.0)])
def test_expected_improvement_equals_its_integral(mean: float, std: float, best: float) -> None:
    exact, _ = quad(lambda y: (y - best) * norm.pdf(y, mean, std), best, mean + 12 * std, epsabs=1e-14)
    got = log_expected_improvement(np.array([mean]), np.array([std]), best)[0]
    assert np.exp(got) == pytest.approx(exact, rel=1e-8)


def test_expected_improvement_far_below_the_best_keeps_its_order() -> None:
    mean = -np.array([0.5, 0.99, 1.01, 5.0, 50.0, 999.0, 1001.0, 1e6, 1e8])
    got = log_expected_improvement(mean, np.ones(len(mean)), 0.0)
    assert np.isfinite(got).all()
    assert (np.diff(got) < 0).all()


def test_expected_improvement_is_smooth_where_its_forms_meet() -> None:
    for meet in (-1.0, -1e3):
        left, right = log_expected_improvement(np.array([meet - 1e-9, meet + 1e-9]), np.ones(2), 0.0)
        assert left == pytest.approx(right, rel=1e-5)


def test_no_spread() -> None:
    got = log_expected_improvement(np.array([1.0, -1.0]), np.zeros(2), 0.0)
    assert got[0] == pytest.approx(0.0)
    assert got[1] < -1e6


def test_bound_and_probability() -> None:
    mean, std = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    np.testing.assert_allclose(upper_confidence_bound(mean, std, 2.0), [2.0, 5.0])
    np.testing.assert_allclose(np.exp(log_probability_below(mean, std, 1.0)), norm.cdf([1.0, 0.0]))
