from __future__ import annotations

import numpy as np
import pytest

from gnas.errors import SpecError
from gnas.searchers.history import encode_rows
from gnas.searchers.regularized_evolution import RegularizedEvolution
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value
from gnas.testing.searchers import SearcherTestCase, play


class TestConformance(SearcherTestCase):
    def searcher(self) -> RegularizedEvolution:
        return RegularizedEvolution(population=8, tournament=3)


def grown(n: int) -> MemoryStudy:
    return play(RegularizedEvolution(population=n), MemoryStudy(), n)


def test_the_child_is_one_mutation_from_the_winner() -> None:
    study = grown(8)
    best = max(study.evaluations, key=lambda evaluation: evaluation.values["score"])
    # A tournament of 200 out of 8 always contains the best.
    searcher = RegularizedEvolution(population=8, tournament=200)
    space = study.space
    around = {bytes(d) for d in space.digests(space.neighbour_codes(encode_rows(space, [best.assignment])[0]))}
    children = [searcher.ask(study, 1, np.random.default_rng(seed))[0] for seed in range(20)]
    assert sum(child.digest.encode() in around for child in children) >= 15


def test_the_old_die() -> None:
    space = ChainSpace()
    rng = np.random.default_rng(0)
    study = MemoryStudy(space=space)
    old = [a for a in (space.sample(rng) for _ in range(200)) if dict(a.assignment)["width"] == 64]
    young = [a for a in (space.sample(rng) for _ in range(200)) if dict(a.assignment)["width"] == 8]
    distinct_old = list({a.digest: a for a in old}.values())[:6]
    distinct_young = list({a.digest: a for a in young}.values())[:6]
    for architecture in distinct_old:
        study = study.told(architecture, 100.0)
    for architecture in distinct_young:
        study = study.told(architecture, chain_value(architecture))
    children = RegularizedEvolution(population=6).ask(study, 20, np.random.default_rng(1))
    widths = [dict(child.assignment)["width"] for child in children]
    assert widths.count(8) >= 10
    assert widths.count(64) < widths.count(8)


@pytest.mark.parametrize("options", [{"population": 1}, {"tournament": 0}])
def test_range(options: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="out of range"):
        RegularizedEvolution(**options)
