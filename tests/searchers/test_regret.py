"""Every algorithm that learns must beat random search on a landscape with structure."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from gnas.searchers import make_searcher
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value
from gnas.testing.searchers import play

SPACE = ChainSpace(depth=5)
TRIALS = 60


@cache
def optimum() -> float:
    return max(chain_value(SPACE.decode(row)) for rows in SPACE.iterate_codes() for row in rows)


@cache
def mean_regret(algorithm: str, seeds: int) -> float:
    options = {"bayes": {"pool": 200}, "evolution": {"population": 15}}.get(algorithm, {})
    searcher = make_searcher(algorithm, options)
    best = []
    for seed in range(seeds):
        study = play(searcher, MemoryStudy(space=SPACE), TRIALS, seed=seed)
        best.append(max(evaluation.values["score"] for evaluation in study.evaluations))
    return optimum() - float(np.mean(best))


@pytest.mark.parametrize(
    ("algorithm", "seeds", "share"), [("evolution", 20, 0.8), ("local", 20, 0.8), ("bayes", 3, 0.2)]
)
def test_regret_after_60_evaluations(algorithm: str, seeds: int, share: float) -> None:
    """Regret is at most `share` of random search's. Seeds are fixed, so this passes or fails always."""
    assert mean_regret(algorithm, seeds) < share * mean_regret("random", 20)
