from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gnas.predictors.codes import code_features
from gnas.predictors.kernels import Floats
from gnas.searchers import harvest as module
from gnas.searchers.harvest import Harvest, harvest
from gnas.searchers.history import ranked
from gnas.searchers.random_search import RandomSearch
from gnas.space.protocol import Codes
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value

SPACE = ChainSpace(depth=4)


def encoder(codes: Codes) -> tuple[Floats, tuple[slice, ...]]:
    return code_features(SPACE.choices, codes)


def grown(n: int) -> MemoryStudy:
    study = MemoryStudy(SPACE)
    for architecture in RandomSearch().ask(study, n, np.random.default_rng(3)):
        study = study.told(architecture, chain_value(architecture))
    return study


def gathered(study: MemoryStudy, per_label: int = 20) -> Harvest:
    found = harvest(study, encoder, per_label)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    module._memo.clear()
    yield
    module._memo.clear()


def test_no_two_are_isomorphic_and_all_evaluated_ones_are_there() -> None:
    study = grown(12)
    pool = gathered(study).pool
    assert len(set(SPACE.digests(pool.codes).tolist())) == len(pool.codes)
    assert pool.rows_of(study.evaluations).tolist() == list(range(12))
    assert [pool.index[digest] for digest in SPACE.digests(pool.codes).tolist()] == list(range(len(pool.codes)))
    np.testing.assert_allclose(pool.x, encoder(pool.codes)[0], rtol=1e-6)


def test_all_that_the_best_lead_to_is_there() -> None:
    study = grown(18)
    pool = gathered(study).pool
    best = SPACE.encode(dict(ranked(study)[0].assignment))
    assert set(SPACE.digests(SPACE.neighbour_codes(best)).tolist()) <= set(pool.index)


def test_the_pool_stays_until_the_history_grew_by_a_quarter() -> None:
    study = grown(22)
    at_18 = MemoryStudy(SPACE, evaluations=study.evaluations[:18])
    at_21 = MemoryStudy(SPACE, evaluations=study.evaluations[:21])
    assert gathered(at_18) is gathered(at_21)
    assert gathered(at_21) is not gathered(study)


def test_a_pool_remembered_and_one_made_anew_are_the_same_to_the_bit() -> None:
    study = grown(27)
    for n in (18, 22, 27):
        after_others = gathered(MemoryStudy(SPACE, evaluations=study.evaluations[:n]))
    module._memo.clear()
    anew = gathered(study)
    np.testing.assert_array_equal(after_others.pool.codes, anew.pool.codes)
    np.testing.assert_array_equal(after_others.pool.x, anew.pool.x)
    np.testing.assert_array_equal(after_others.hyper.log_scales, anew.hyper.log_scales)


def test_it_grows_with_the_history_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    study = grown(12)
    monkeypatch.setattr(module, "_WIDTH", 1)
    few, many = (len(gathered(study, n).pool.codes) for n in (3, 12))
    assert 36 <= few < many
    monkeypatch.setattr(module, "MOST_ROWS", 36)
    assert 36 <= len(gathered(study, 13).pool.codes) < many


def test_a_small_space_ends_the_harvest() -> None:
    space = ChainSpace(depth=1, widths=(8, 16))
    study = MemoryStudy(space)
    for architecture in RandomSearch().ask(study, 4, np.random.default_rng(0)):
        study = study.told(architecture, chain_value(architecture))
    found = harvest(study, lambda codes: code_features(space.choices, codes), 100)
    assert found is not None
    assert len(found.pool.codes) == len({bytes(d) for rows in space.iterate_codes() for d in space.digests(rows)})


def test_nothing_is_gathered_from_failures_alone() -> None:
    study = MemoryStudy(SPACE)
    for architecture in RandomSearch().ask(study, 5, np.random.default_rng(0)):
        study = study.told(architecture, None, status="failed")
    assert harvest(study, encoder, 20) is None
