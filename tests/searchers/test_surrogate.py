from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gnas.predictors.gp import GaussianProcess, Hyper, fit_hyper
from gnas.predictors.ranks import rank_gaussian
from gnas.searchers import surrogate as module
from gnas.searchers.surrogate import refit_point, surrogate

SLICES = (slice(0, 3),)


def test_refit_points_grow_by_a_quarter() -> None:
    points = sorted({refit_point(n) for n in range(1, 400)})
    assert points[:6] == [1, 2, 3, 4, 5, 6]
    steps = [b / a for a, b in pairwise(points[10:])]
    assert all(1.15 < step <= 1.25 for step in steps)
    assert all(refit_point(n) <= n for n in range(1, 400))


def test_hyper_parameters_come_from_the_refit_point_whatever_came_after() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    m = refit_point(40)
    assert m < 40
    expected = fit_hyper(x[:m], SLICES, rank_gaussian(y[:m]), kinds=module.KINDS)
    process, latent = surrogate(x, SLICES, y, ranks=True)
    np.testing.assert_array_equal(process.hyper.log_scales, expected.log_scales)
    np.testing.assert_array_equal(latent, rank_gaussian(y))


def test_the_memo_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    first, _ = surrogate(x, SLICES, y, ranks=False)
    module._memo.clear()
    again, _ = surrogate(x, SLICES, y, ranks=False)
    np.testing.assert_array_equal(first.alpha, again.alpha)


def test_failures_are_the_worst_labels() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(20, 3))
    y = np.where(x[:, 0] > 0.5, -np.inf, x[:, 1])
    process, latent = surrogate(x, SLICES, y, ranks=True)
    assert np.isfinite(latent).all()
    mean, _ = process.predict(x)
    assert mean[np.isinf(y)].max() < mean[np.isfinite(y)].mean()


def test_a_process_that_grew_is_the_one_made_at_once() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    module._memo.clear()
    for n in range(45, 61):
        grown, _ = surrogate(x[:n], SLICES, y[:n], ranks=True)
    shorter, _ = surrogate(x[:57], SLICES, y[:57], ranks=True)
    module._memo.clear()
    again, _ = surrogate(x[:57], SLICES, y[:57], ranks=True)
    at_once, latent = surrogate(x, SLICES, y, ranks=True)
    np.testing.assert_array_equal(grown.chol, at_once.chol)
    np.testing.assert_array_equal(shorter.alpha, again.alpha)
    direct = GaussianProcess.condition(at_once.hyper, SLICES, x, latent)
    np.testing.assert_allclose(at_once.chol, direct.chol, atol=1e-10)


def test_another_history_after_the_refit_point_is_not_mixed_up() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    other = x.copy()
    other[-1] += 1.0
    surrogate(x, SLICES, y, ranks=True)
    process, _ = surrogate(other, SLICES, y, ranks=True)
    module._memo.clear()
    fresh, _ = surrogate(other, SLICES, y, ranks=True)
    np.testing.assert_array_equal(process.chol, fresh.chol)


def test_rows_that_repeat_without_noise_are_conditioned_on_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 3))
    x[-4:] = x[:4]
    y = x[:, 0]
    silent = Hyper(np.zeros(1), np.zeros(1), -40.0, module.KINDS)
    monkeypatch.setattr(module, "fit_hyper", lambda *_, **__: silent)
    module._memo.clear()
    process, latent = surrogate(x, SLICES, y, ranks=False)
    again, _ = surrogate(x, SLICES, y, ranks=False)
    module._memo.clear()
    np.testing.assert_allclose(process.predict(x)[0], latent, atol=1e-2)
    np.testing.assert_array_equal(process.chol, again.chol)
