from __future__ import annotations

import numpy as np
import pytest

from gnas.predictors.views import View

SLICES = (slice(0, 3), slice(3, 7))


def data(n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 7))
    return x, 2 * x[:, 1] - x[:, 5], rng.uniform(0.1, 2.0, size=7)


@pytest.mark.parametrize("view", [View(), View(1.0), View(0.0, 1.0), View(1.0, 1.0), View(0.5, 2.0)])
def test_blocks_keep_their_spread(view: View) -> None:
    x, z, spreads = data()
    weighed = x * view.weights(x, SLICES, spreads, z)
    for part in SLICES:
        assert weighed[:, part].var(axis=0).sum() == pytest.approx(x[:, part].var(axis=0).sum())


def test_columns_that_tell_count_more() -> None:
    x, z, spreads = data()
    weights = View(relevance=1.0).weights(x, SLICES, spreads, z)
    assert weights[1] > 2 * weights[[0, 2]].max()
    assert weights[5] > 2 * weights[[3, 4, 6]].max()


def test_spread_undoes_the_scaling() -> None:
    x, z, spreads = data()
    weights = View(spread=1.0).weights(x, SLICES, spreads, z)
    np.testing.assert_allclose(weights[:3] / weights[0], spreads[:3] / spreads[0])


def test_without_spread_or_labels_that_differ_all_stay_finite() -> None:
    x, _, spreads = data(5)
    x[:, :3] = 1.0
    weights = View(1.0, 1.0).weights(x, SLICES, spreads, np.zeros(5))
    assert np.isfinite(weights).all()
    assert (weights[:3] == 1.0).all()
