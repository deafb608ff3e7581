from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from gnas.predictors.ranks import RankGaussian, rank_gaussian

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@settings(deadline=None, max_examples=30)
@given(FLOATS)
def test_order_is_kept_and_the_map_inverts(values: list[float]) -> None:
    y = np.array(values)
    ranks = RankGaussian.fit(y)
    assert (np.argsort(ranks.z, kind="stable") == np.argsort(y, kind="stable")).all()
    np.testing.assert_allclose(ranks.to_units(ranks.z), y, rtol=1e-9, atol=1e-9)


def test_quantiles() -> None:
    np.testing.assert_allclose(rank_gaussian(np.array([5.0, 1.0, 3.0])), norm.ppf([5 / 6, 1 / 6, 3 / 6]))


def test_ties_and_failures() -> None:
    z = rank_gaussian(np.array([-np.inf, 2.0, -np.inf, 7.0]))
    assert z[0] == z[2] < z[1] < z[3]


def test_beyond_the_labels_it_is_straight() -> None:
    ranks = RankGaussian.fit(np.array([0.0, 1.0, 2.0, 10.0]))
    top = ranks.z[-1]
    assert ranks.to_units(np.array([top + 1.0]))[0] == 10.0 + ranks.slope


def test_constant_labels() -> None:
    ranks = RankGaussian.fit(np.full(5, 2.0))
    assert (ranks.to_units(np.array([-3.0, 0.0, 3.0])) == 2.0).all()


def test_moments_equal_sampling() -> None:
    rng = np.random.default_rng(0)
    ranks = RankGaussian.fit(np.exp(rng.normal(size=50)))
    mean, std = ranks.moments(np.array([0.3]), np.array([0.5]))
    sample = ranks.to_units(rng.normal(0.3, 0.5, size=200_000))
    np.testing.assert_allclose(mean, sample.mean(), rtol=0.02)
    np.testing.assert_allclose(std, sample.std(), rtol=0.05)
