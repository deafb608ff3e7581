from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gnas.evaluation import Constraint
from gnas.predictors.gp import GaussianProcess, fit_hyper
from gnas.predictors.ranks import rank_gaussian
from gnas.searchers import pool as pools
from gnas.searchers import tracker as trackers
from gnas.searchers.pool import Pool, whole_space
from gnas.searchers.pool_outlook import pool_feasibility, pool_outlook
from gnas.searchers.tracker import Tracker, tracked
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value

SPACE = ChainSpace(depth=3)


def whole(space: ChainSpace = SPACE) -> Pool:
    found = whole_space(space)
    assert found is not None
    return found


def some_rows(n: int) -> list[int]:
    return [int(row) for row in np.random.default_rng(0).permutation(len(whole().codes))[:n]]


def test_each_class_is_there_once() -> None:
    pool = whole()
    digests = {bytes(digest) for rows in SPACE.iterate_codes() for digest in SPACE.digests(rows)}
    assert set(pool.index) == digests
    assert len(pool.codes) == len(digests)
    assert [pool.index[bytes(digest)] for digest in SPACE.digests(pool.codes)] == list(range(len(digests)))


def test_large_spaces_are_not_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_CLASSES", 10)
    assert whole_space(ChainSpace(depth=2, widths=(8, 16))) is None


def test_spaces_without_features_are_left_to_chance() -> None:
    assert whole_space(ChainSpace(depth=1, ops=(), widths=(8,))) is None


def test_beliefs_are_those_of_the_process() -> None:
    pool, rows = whole(), some_rows(30)
    z = rank_gaussian(np.random.default_rng(1).normal(size=30))
    x = pool.x.astype(np.float64)
    hyper = fit_hyper(x[rows], pool.slices, z)
    tracker = Tracker(pool, hyper)
    tracker.start(rows[:20])
    for row in rows[20:]:
        tracker.add(row)
    mean, std = GaussianProcess.condition(hyper, pool.slices, x[rows], z).predict(x)
    np.testing.assert_allclose(tracker.mean(z), mean, atol=1e-3)
    np.testing.assert_allclose(np.sqrt(tracker.variance), std, atol=5e-3)
    some = np.array(some_rows(60)[50:])
    np.testing.assert_allclose(np.diag(tracker.posterior(some)), tracker.variance[some], atol=5e-3)


def test_grown_equals_made_anew_to_the_bit() -> None:
    pool, rows = whole(), some_rows(23)
    labels = np.random.default_rng(2).normal(size=23)
    for n in range(4, 24):
        grown = tracked(pool, rows[:n], labels[:n], ranks=True)
    trackers._memo.clear()
    anew = tracked(pool, rows, labels, ranks=True)
    assert grown is not None
    assert anew is not None
    np.testing.assert_array_equal(grown[0].mean(grown[1]), anew[0].mean(anew[1]))
    np.testing.assert_array_equal(grown[0].variance, anew[0].variance)


def test_a_copy_grows_on_its_own() -> None:
    pool, rows = whole(), some_rows(12)
    found = tracked(pool, rows[:10], np.linspace(0.0, 9.0, 10), ranks=True)
    assert found is not None
    tracker, z = found
    before = tracker.mean(z), tracker.variance.copy()
    copy = tracker.copy()
    copy.add(rows[10])
    copy.add(rows[11])
    np.testing.assert_array_equal(tracker.mean(z), before[0])
    np.testing.assert_array_equal(tracker.variance, before[1])
    assert copy.variance[rows[10]] < before[1][rows[10]]


def test_what_would_not_fit_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "_MOST_CELLS", 100)
    assert tracked(whole(), some_rows(10), np.linspace(0.0, 9.0, 10), ranks=True) is None


def told(n: int, **costs: float) -> MemoryStudy:
    study = MemoryStudy(space=SPACE)
    for row in some_rows(n):
        architecture = SPACE.decode(whole().codes[row])
        study = study.told(architecture, chain_value(architecture), costs=costs)
    return study


def test_pending_rows_are_taken_and_their_spread_shrinks() -> None:
    study, pool = told(20), whole()
    row = some_rows(21)[20]
    before, after = (pool_outlook(s, pool) for s in (study, study.waiting(SPACE.decode(pool.codes[row]))))
    assert before is not None
    assert after is not None
    assert set(after.taken) - set(before.taken) == {row}
    np.testing.assert_array_equal(after.mean, before.mean)
    assert after.variance[row] < 0.6 * before.variance[row]


def test_evaluations_of_another_space_are_left_out() -> None:
    study = told(20)
    other = ChainSpace(depth=3, widths=(128, 256)).sample(np.random.default_rng(0))
    found, expected = (pool_outlook(s, whole()) for s in (study.told(other, 99.0), study))
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert pool_outlook(MemoryStudy(space=SPACE).told(other, 1.0), whole()) is None


def test_feasibility_follows_the_limit() -> None:
    study = MemoryStudy(space=SPACE, constraints=(Constraint("n_params", 1000.0),))
    pool = whole()
    widths = np.array([float(dict(SPACE.decode(row).assignment)["width"]) for row in pool.codes])  # type: ignore[arg-type]
    for row in some_rows(40):
        study = study.told(SPACE.decode(pool.codes[row]), 0.0, costs={"n_params": 40.0 * widths[row]})
    feasible = pool_feasibility(study, pool)
    assert feasible[widths == 8].min() > np.log(0.8)
    assert feasible[widths == 64].max() < np.log(0.2)
    assert not pool_feasibility(replace(study, constraints=(Constraint("n_params", 1e6),)), pool).any()
