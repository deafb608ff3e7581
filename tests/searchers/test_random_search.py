from __future__ import annotations

import numpy as np

from gnas.searchers.random_search import RandomSearch
from gnas.testing.chain import ChainSpace, MemoryStudy
from gnas.testing.searchers import SearcherTestCase


class TestConformance(SearcherTestCase):
    def searcher(self) -> RandomSearch:
        return RandomSearch()


def test_it_ignores_values() -> None:
    space = ChainSpace()
    first = space.sample(np.random.default_rng(3))
    good, bad = MemoryStudy(space=space).told(first, 9.0), MemoryStudy(space=space).told(first, -9.0)
    asked = [RandomSearch().ask(study, 8, np.random.default_rng(0)) for study in (good, bad)]
    assert asked[0] == asked[1]


def test_it_is_uniform_over_assignments() -> None:
    space = ChainSpace(depth=2)
    widths = [
        dict(a.assignment)["width"]
        for seed in range(400)
        for a in RandomSearch().ask(MemoryStudy(space=space), 1, np.random.default_rng(seed))
    ]
    counts = np.array([widths.count(width) for width in space.widths])
    # 400 draws over four equally likely widths: 100 each, standard deviation 8.7.
    assert abs(counts - 100).max() < 45
