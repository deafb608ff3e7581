from __future__ import annotations

import numpy as np
import pytest

from gnas.predictors.crossval import folds, simplex_weights, tau


@pytest.mark.parametrize("n", [2, 5, 8, 31])
def test_folds_leave_each_row_out_once(n: int) -> None:
    parts = list(folds(n, seed=3))
    assert sorted(int(i) for _, test in parts for i in test) == list(range(n))
    for train, test in parts:
        assert len(test) > 0
        assert sorted([*train, *test]) == list(range(n))


def test_weights_find_the_mixture() -> None:
    rng = np.random.default_rng(0)
    held_out = rng.normal(size=(500, 3))
    z = held_out @ [0.7, 0.3, 0.0] + 0.01 * rng.normal(size=500)
    weights = simplex_weights(held_out, z, np.full(3, 1 / 3), 1.0)
    np.testing.assert_allclose(weights, [0.7, 0.3, 0.0], atol=0.02)


def test_weights_without_evidence_are_the_prior() -> None:
    prior = np.array([0.5, 0.3, 0.2])
    weights = simplex_weights(1e-3 * np.random.default_rng(0).normal(size=(4, 3)), np.zeros(4), prior, 50.0)
    np.testing.assert_allclose(weights, prior, atol=0.01)
    assert weights.sum() == pytest.approx(1.0)


def test_tau() -> None:
    assert tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == pytest.approx(1 / 3)
    assert tau(np.ones(3), np.array([0.0, 1.0, 2.0])) == 0.0
