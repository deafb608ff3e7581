from __future__ import annotations

import numpy as np
import pytest

from gnas.errors import SpecError
from gnas.searchers.history import encode_rows
from gnas.searchers.local_search import LocalSearch
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value
from gnas.testing.searchers import SearcherTestCase, play


class TestConformance(SearcherTestCase):
    def searcher(self) -> LocalSearch:
        return LocalSearch(n_initial=5)


def neighbours(study: MemoryStudy, number: int) -> set[bytes]:
    row = encode_rows(study.space, [study.evaluations[number].assignment])[0]
    return {bytes(digest) for digest in study.space.digests(study.space.neighbour_codes(row))}


def test_it_asks_for_neighbours_of_the_best() -> None:
    study = play(LocalSearch(n_initial=5), MemoryStudy(), 6)
    best = max(study.evaluations, key=lambda evaluation: evaluation.values["score"])
    found = LocalSearch(n_initial=5).ask(study, 3, np.random.default_rng(0))
    assert {a.digest.encode() for a in found} <= neighbours(study, best.number)


def test_it_starts_again_at_a_local_optimum() -> None:
    space = ChainSpace(depth=3, widths=(8, 16))
    study = MemoryStudy(space=space)
    top = space.decode(space.encode({"depth": 1, "width": 8, "op.1": "conv3"}))
    study = study.told(top, 50.0)
    seen = {top.digest}
    for row in space.neighbour_codes(space.encode(dict(top.assignment))):
        architecture = space.decode(row)
        if architecture.digest not in seen:
            seen.add(architecture.digest)
            study = study.told(architecture, 0.0)
    # All neighbours are known, so the next ones are random: not all next to one of the plateau's members.
    asked = LocalSearch(n_initial=1).ask(study, 1, np.random.default_rng(3))
    assert asked == LocalSearch(n_initial=100).ask(study, 1, np.random.default_rng(3))
    # The climb after the restart is led by its own best, not by the old optimum.
    far = space.decode(space.encode({"depth": 3, "width": 16, "op.1": "pool", "op.2": "pool", "op.3": "pool"}))
    assert far.digest not in seen
    study = study.told(far, 1.0)
    found = LocalSearch(n_initial=1).ask(study, 2, np.random.default_rng(0))
    assert {a.digest.encode() for a in found} <= neighbours(study, len(study.evaluations) - 1)


def test_it_reaches_the_optimum() -> None:
    space = ChainSpace()
    best = max(chain_value(space.decode(row)) for rows in space.iterate_codes() for row in rows)
    study = play(LocalSearch(n_initial=5), MemoryStudy(space=space), 120)
    assert max(evaluation.values["score"] for evaluation in study.evaluations) == pytest.approx(best)


def test_range() -> None:
    with pytest.raises(SpecError, match="out of range"):
        LocalSearch(n_initial=0)
