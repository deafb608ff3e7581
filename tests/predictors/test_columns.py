from __future__ import annotations

import numpy as np

from gnas.predictors.columns import ColumnRanks


def test_any_monotone_scale_gives_the_same_features() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    stretched = np.stack([np.exp(3 * x[:, 0]), x[:, 1] ** 3], axis=1)
    np.testing.assert_allclose(ColumnRanks.fit(x).features(x), ColumnRanks.fit(stretched).features(stretched))


def test_scale_of_the_block_is_one() -> None:
    x = np.random.default_rng(0).normal(size=(400, 7))
    features = ColumnRanks.fit(x).features(x)
    np.testing.assert_allclose((features**2).sum(axis=1).mean(), 1.0, atol=0.05)


def test_missing_infinite_and_constant() -> None:
    reference = np.array([[1.0, 5.0, 0.0], [2.0, np.nan, 0.0], [np.inf, 7.0, 0.0], [-np.inf, 9.0, 0.0]])
    ranks = ColumnRanks.fit(reference)
    assert ranks.kept == (0, 1)
    features = ranks.features(np.array([[np.nan, 6.0, 1.0], [np.inf, np.nan, 2.0], [-np.inf, 100.0, 3.0]]))
    assert features.shape == (3, ranks.width) == (3, 3)
    assert np.isfinite(features).all()
    assert features[1, 0] == features[:, 0].max()
    np.testing.assert_array_equal(features[:, 2] > 0, [False, True, False])


def test_no_columns() -> None:
    assert ColumnRanks.fit(np.zeros((5, 0))).features(np.zeros((3, 0))).shape == (3, 0)
