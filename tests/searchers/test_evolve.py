from __future__ import annotations

import numpy as np

from gnas.predictors.protocol import Vector
from gnas.searchers.evolve import evolved
from gnas.space.protocol import Codes
from gnas.testing.chain import ChainSpace, chain_value

SPACE = ChainSpace(depth=5)


def value(rows: Codes) -> Vector:
    return np.array([chain_value(SPACE.decode(row)) for row in rows])


def test_offspring_are_distinct_members_in_order() -> None:
    start = np.unique(SPACE.sample_codes(np.random.default_rng(0), 12), axis=0)
    rows = evolved(SPACE, start, value, np.random.default_rng(1), generations=3, brood=16)
    assert SPACE.contains_codes(rows).all()
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert (np.diff(value(rows)) <= 0).all()
    assert {row.tobytes() for row in start} <= {row.tobytes() for row in rows}


def test_generations_climb() -> None:
    start = np.unique(SPACE.sample_codes(np.random.default_rng(0), 12), axis=0)
    best = [
        value(evolved(SPACE, start, value, np.random.default_rng(1), generations=g, brood=32))[0] for g in (0, 2, 8)
    ]
    assert best[0] < best[1] < best[2]


def test_what_is_taken_is_not_bred() -> None:
    start = SPACE.sample_codes(np.random.default_rng(0), 1)
    everything = evolved(SPACE, start, value, np.random.default_rng(1), generations=1, brood=16)[1:]
    taken = frozenset(row.tobytes() for row in everything if not np.array_equal(row, start[0]))
    rows = evolved(SPACE, start, value, np.random.default_rng(1), generations=1, brood=16, taken=taken)
    assert taken.isdisjoint(row.tobytes() for row in rows)
