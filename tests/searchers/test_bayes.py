from __future__ import annotations

from gnas.searchers.bayes import BayesianOptimisation
from gnas.testing.searchers import SearcherTestCase


class TestConformance(SearcherTestCase):
    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=128)


class TestConformanceOfUcb(SearcherTestCase):
    trials = 15

    def searcher(self) -> BayesianOptimisation:
        return BayesianOptimisation(n_initial=6, pool=64, acquisition="ucb")
