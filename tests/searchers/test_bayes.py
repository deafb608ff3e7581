from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from gnas.architecture import Architecture
from gnas.errors import SpecError
from gnas.evaluation import Constraint, Status
from gnas.predictors.acquisition import log_expected_improvement
from gnas.predictors.codes import code_features
from gnas.searchers import bayes
from gnas.searchers.bayes import BayesianOptimisation
from gnas.searchers.harvest import Harvest, harvest
from gnas.searchers.outlook import Encoder, Evidence, label, log_feasibility, outlook
from gnas.searchers.pool import whole_space
from gnas.searchers.pool_outlook import pool_outlook
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Codes
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value
from gnas.testing.searchers import SearcherTestCase, digests, play


class TestConformance(SearcherTestCase):
    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=128, shortlist=32)


class TestConformanceOfUcb(SearcherTestCase):
    trials = 15

    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=64, acquisition="ucb")


class TestConformanceOfThompson(SearcherTestCase):
    trials = 15

    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=64, acquisition="thompson")


class TestConformanceInSpacesTooLargeToRankWhole(SearcherTestCase):
    trials = 12
    acquisition: Literal["ei", "ucb", "thompson"] = "ei"

    @pytest.fixture(autouse=True)
    def _large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bayes, "whole_space", lambda space: None)

    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=32, shortlist=8, generations=1, acquisition=self.acquisition)


class TestConformanceOfThompsonInSpacesTooLargeToRankWhole(TestConformanceInSpacesTooLargeToRankWhole):
    acquisition = "thompson"


class TestConformanceWithAStandingPool(TestConformanceInSpacesTooLargeToRankWhole):
    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=32, shortlist=8, generations=1, standing=6, standing_from=8)


def encoder(space: ChainSpace) -> Callable[[Codes], tuple[np.ndarray, tuple[slice, ...]]]:
    return lambda codes: code_features(space.choices, codes)


def test_the_start_fills_the_space() -> None:
    """Twelve first proposals are further apart than twelve random ones."""
    space = ChainSpace(depth=5)
    searcher = BayesianOptimisation(n_initial=12)

    def closest(codes: Codes) -> float:
        apart = (codes[:, None, :] != codes[None, :, :]).mean(axis=2)
        return float(apart[np.triu_indices(len(codes), k=1)].min())

    spread = [
        (
            closest(np.stack([space.encode(dict(a.assignment)) for a in searcher.ask(study, 12, rng)])),
            closest(space.sample_codes(rng, 12)),
        )
        for study in [MemoryStudy(space=space)]
        for rng in map(np.random.default_rng, range(15))
    ]
    assert np.mean([ours for ours, _ in spread]) > np.mean([random for _, random in spread])


def latency_ms(architecture: Architecture) -> float:
    return sum(3.0 if node.op == "conv3" else 1.0 for node in architecture.nodes[1:]) + 0.5


def test_a_measured_constraint_is_learnt() -> None:
    """The best part of the landscape is too slow: more proposals than at random are fast, the best fast is found."""
    space, limit = ChainSpace(depth=5), Constraint("latency_ms", 6.0)
    decoded = [space.decode(row) for rows in space.iterate_codes() for row in rows]
    optimum = max(chain_value(architecture) for architecture in decoded if latency_ms(architecture) <= limit.upper)
    random = np.mean([latency_ms(architecture) <= limit.upper for architecture in decoded])
    study = MemoryStudy(space=space, constraints=(limit,))
    for step in range(45):
        (architecture,) = BayesianOptimisation(pool=200).ask(study, 1, np.random.default_rng((0, step)))
        costs = {"latency_ms": latency_ms(architecture)}
        if costs["latency_ms"] <= limit.upper:
            study = study.told(architecture, chain_value(architecture), costs=costs)
        else:
            study = study.told(architecture, None, status="infeasible", costs=costs)
    late = [evaluation.status == "ok" for evaluation in study.evaluations[15:]]
    assert np.mean(late) > random + 0.05
    assert max(evaluation.values.get("score", -9.0) for evaluation in study.evaluations) > optimum - 0.15


def test_feasibility_follows_the_limit() -> None:
    space = ChainSpace()
    rng = np.random.default_rng(0)
    study = MemoryStudy(space=space, constraints=(Constraint("n_params", 1000.0),))
    for row in space.sample_codes(rng, 40):
        architecture = space.decode(row)
        width = dict(architecture.assignment)["width"]
        study = study.told(architecture, 0.0, costs={"n_params": 40.0 * float(width)})  # type: ignore[arg-type]
    narrow, wide = (
        np.stack([space.encode({"depth": 1, "width": width, "op.1": "pool"})]) for width in space.widths[::3]
    )
    assert log_feasibility(study, encoder(space), narrow)[0] > np.log(0.9)
    assert log_feasibility(study, encoder(space), wide)[0] < np.log(0.1)
    far = MemoryStudy(space=space, constraints=(Constraint("n_params", 1e6),), evaluations=study.evaluations)
    assert log_feasibility(far, encoder(space), wide)[0] == 0.0


def test_failures_are_avoided() -> None:
    """Everything with a pool fails: later proposals have few of them."""
    study = play(
        BayesianOptimisation(pool=200),
        MemoryStudy(space=ChainSpace(depth=5)),
        50,
        value=lambda a: None if any(node.op == "pool" for node in a.nodes) else chain_value(a),
    )
    late = [evaluation.status == "failed" for evaluation in study.evaluations[20:]]
    assert np.mean(late) < 0.3


@pytest.mark.parametrize(
    ("status", "values", "expected"),
    [
        ("ok", {"score": 2.0}, 2.0),
        ("ok", {"score": float("nan")}, -np.inf),
        ("failed", {}, -np.inf),
        ("pruned", {"score": 5.0}, -np.inf),
        ("infeasible", {"score": 3.0, "latency_ms": 9.0}, 3.0),
        ("infeasible", {"latency_ms": 9.0}, np.nan),
        ("infeasible", {}, -np.inf),
    ],
)
def test_labels(status: Status, values: dict[str, float], expected: float) -> None:
    study = MemoryStudy(constraints=(Constraint("latency_ms", 2.0),))
    study = study.told(study.space.sample(np.random.default_rng(0)), None, status=status, costs=values)
    np.testing.assert_equal(label(study, study.evaluations[0]), expected)


def test_pending_ones_lower_the_spread_near_them_and_keep_the_mean() -> None:
    study = play(BayesianOptimisation(pool=64), MemoryStudy(), 20)
    space = ChainSpace()
    candidates = space.sample_codes(np.random.default_rng(3), 20)
    before = outlook(Evidence.of(study), encoder(space), candidates).beliefs
    after = outlook(Evidence.of(study.waiting(space.decode(candidates[0]))), encoder(space), candidates).beliefs
    np.testing.assert_allclose(after.mean[:20], before.mean, atol=1e-9)
    assert (after.variance[:20] <= before.variance + 1e-9).all()
    assert after.variance[0] < 0.6 * before.variance[0]


def test_a_batch_begins_with_what_one_would_ask() -> None:
    study = play(BayesianOptimisation(pool=64), MemoryStudy(space=ChainSpace(depth=5)), 20)
    searcher = BayesianOptimisation()
    one = searcher.ask(study, 1, np.random.default_rng(0))
    four = searcher.ask(study, 4, np.random.default_rng(0))
    assert digests(four)[0] == digests(one)[0]


def test_a_standing_pool_is_asked_once_the_history_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayes, "whole_space", lambda space: None)
    made: list[int] = []

    def counted(study: StudyView, encoder: Encoder, per_label: int) -> Harvest | None:
        made.append(len(study.evaluations))
        return harvest(study, encoder, per_label)

    monkeypatch.setattr(bayes, "harvest", counted)
    play(BayesianOptimisation(pool=32, shortlist=8, standing=6, standing_from=10), MemoryStudy(), 13)
    assert made == [10, 11, 12]
    play(BayesianOptimisation(pool=32, shortlist=8, standing=0, standing_from=2), MemoryStudy(), 8)
    assert made == [10, 11, 12]


def test_the_best_value_seen_can_be_what_is_to_be_improved_on() -> None:
    study = play(BayesianOptimisation(pool=64), MemoryStudy(), 14)
    pool = whole_space(study.space)
    assert pool is not None
    expected = pool_outlook(study, pool)
    assert expected is not None
    assert expected.noise > 0.0
    value = log_expected_improvement(expected.mean, np.sqrt(expected.variance + expected.noise**2), expected.observed)
    value[list(expected.taken)] = -np.inf
    (asked,) = BayesianOptimisation(observed=True, standing_from=14).ask(study, 1, np.random.default_rng(0))
    assert pool.index[asked.digest.encode()] == int(value.argmax())
    early = BayesianOptimisation(observed=True, standing_from=15).ask(study, 1, np.random.default_rng(0))
    assert digests(early) == digests(BayesianOptimisation().ask(study, 1, np.random.default_rng(0)))


@pytest.mark.parametrize(
    "options",
    [
        {"n_initial": 1},
        {"beta": -1.0},
        {"beta": float("nan")},
        {"pool": 2},
        {"shortlist": 0},
        {"incumbents": 0},
        {"standing": -1},
        {"standing_from": 1},
    ],
)
def test_range(options: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="out of range"):
        BayesianOptimisation(**options)  # type: ignore[arg-type]
