from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from gnas.errors import DataError
from gnas.evaluation import Direction, Objective
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.screening import screen as module
from gnas.screening.conditions import Condition
from gnas.screening.costs import CostBook, CostModel
from gnas.screening.pool import Chunk, FilePool, Pool, SampledPool, WholePool
from gnas.screening.result import Candidate, Screened
from gnas.screening.screen import Limits, nearest_better, screen
from gnas.space import Codes, load_space
from tests.screening.samples import Oracle, some_codes, space, truth

FREE = Limits((), {}, CostBook(None))


def run(
    pool: Pool,
    top: int = 10,
    direction: Direction = "maximize",
    limits: Limits = FREE,
    seen: Codes | None = None,
    workers: int = 1,
    direct: int = module.DIRECT,
) -> tuple[tuple[Candidate, ...], Screened]:
    return screen(
        space(),
        Oracle(),
        pool,
        objective=Objective("y", direction),
        limits=limits,
        seen=some_codes(0) if seen is None else seen,
        best_label=5.0,
        top=top,
        workers=workers,
        direct=direct,
    )


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_best_of_the_whole_space_in_order(direction: Direction) -> None:
    best, figures = run(WholePool(space()), direction=direction)
    everything = np.sort(truth(some_codes(288)))
    expected = everything[::-1][:10] if direction == "maximize" else everything[:10]
    assert [c.mean for c in best] == pytest.approx(expected.tolist())
    assert [c.rank for c in best] == list(range(1, 11))
    assert [(c.low, c.high) for c in best] == [(c.mean - 2, c.mean + 2) for c in best]
    assert (figures.drawn, figures.distinct, figures.kept, figures.student_tau) == (288, 288, 288, None)
    reaching = everything + 2 > 5.0 if direction == "maximize" else everything - 2 < 5.0
    assert figures.beating == reaching.sum()


def test_evaluated_rows_do_not_come_back() -> None:
    rows = some_codes(288)
    order = np.argsort(-truth(rows), kind="stable")
    best, figures = run(WholePool(space()), seen=rows[order[:50]])
    assert best[0].mean == pytest.approx(truth(rows)[order[50]])
    assert figures.distinct == 238


def test_isomorphic_twins_come_once() -> None:
    one = load_space("nasbench201")

    class Flat:
        """Ranks all rows alike."""

        def predict_codes(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
            return np.zeros(len(codes)), np.ones(len(codes))

        predict_latent = predict_codes

        def interval_of_latent(self, mean: Vector, std: Vector, level: float) -> tuple[Vector, Vector]:
            return mean - std, mean + std

    best, figures = screen(
        one,
        Flat(),
        WholePool(one),
        objective=Objective("y", "maximize"),
        limits=FREE,
        seen=one.sample_codes(np.random.default_rng(0), 10),
        best_label=0.0,
        top=400,
    )
    assert len({c.digest for c in best}) == 400
    assert 9400 < figures.distinct < 9445


def test_the_number_of_workers_changes_nothing() -> None:
    first, _ = run(SampledPool(space(), 20_000, 0), top=30, workers=1)
    second, _ = run(SampledPool(space(), 20_000, 0), top=30, workers=3)
    assert first == second


def test_a_pool_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Chunk(some_codes(20))
    with pytest.raises(DataError, match="holds only 15 different"):
        run(FilePool(rows), top=16, seen=some_codes(5))
    with pytest.raises(DataError, match="all of the pool has been evaluated"):
        run(FilePool(rows), top=1, seen=rows.codes)


class Counted:
    """Costs that are a function of the choices, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, row: Codes) -> Mapping[str, float]:
        self.asked += 1
        size = float((32 * (row[0] + 1)) ** 2 * (row[1] + 1))
        return {"n_params": size, "macs": 2 * size, "memory_bytes": size}


def limited(condition: Condition, counting: Counted) -> Limits:
    book = CostBook(counting, ("n_params", "macs", "memory_bytes"))
    rows = some_codes(100, seed=1)
    model = CostModel.fit(space(), condition.name, rows, book.column(rows, condition.name))
    return Limits((condition,), {condition.name: model}, book)


def test_conditions_are_kept_by_every_row_and_lose_none_of_the_best() -> None:
    condition, counting = Condition("n_params", "<", 4000.0), Counted()
    best, figures = run(WholePool(space()), top=24, limits=limited(condition, counting))
    assert all(c.costs["n_params"] < 4000 for c in best)
    rows = some_codes(288)
    kept = np.array([Counted()(row)["n_params"] < 4000 for row in rows])
    expected = np.sort(truth(rows[kept]))[::-1][:24]
    assert [c.mean for c in best] == pytest.approx(expected.tolist())
    # Far from all were counted: the estimate left out what would have broken the limit.
    assert kept.sum() <= figures.kept < 288
    assert counting.asked <= 100 + 2 * 24


def test_fewer_than_asked_where_few_keep_the_conditions() -> None:
    best, _ = run(WholePool(space()), top=200, limits=limited(Condition("n_params", ">", 12_000.0), Counted()))
    assert len(best) == 48


def test_a_cost_that_cannot_be_counted_is_estimated() -> None:
    rows = some_codes(60, seed=1)
    model = CostModel.fit(space(), "ms", rows, np.array([Counted()(row)["macs"] for row in rows]))
    best, _ = run(WholePool(space()), limits=Limits((Condition("ms", "<", 9000.0),), {"ms": model}, CostBook(None)))
    assert all(not c.costs and c.estimates["ms"] < 9000 for c in best)
    assert model.tau > 0.9


def test_a_student_finds_what_the_predictor_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 32)
    monkeypatch.setattr(module, "_TAUGHT", 2048)
    own, _ = run(WholePool(space()), top=12)
    best, figures = run(WholePool(space()), top=12, direct=100)
    assert figures.student_tau is not None
    assert figures.student_tau > 0.9
    assert figures.exact < 288
    assert [c.mean for c in best] == [c.mean for c in own]
    limits = limited(Condition("n_params", "<", 4000.0), Counted())
    limited_best, _ = run(WholePool(space()), top=12, limits=limits, direct=100)
    assert all(c.costs["n_params"] < 4000 for c in limited_best)
    assert limited_best[0].mean == own[0].mean


def test_distance_to_the_nearest_better_one() -> None:
    codes = np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 0]], dtype=np.int16)
    assert nearest_better(codes) == [None, 2, 1, 0]
