"""Every algorithm on spaces as they are shipped: conditions, constraints, isomorphic assignments."""

from __future__ import annotations

import numpy as np
import pytest

from gnas.searchers import ALGORITHMS, make_searcher
from gnas.space import load_space
from gnas.testing.chain import MemoryStudy


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "molecular/small"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_proposals_are_new_members_of_the_space(algorithm: str, name: str) -> None:
    space = load_space(name)
    searcher = make_searcher(algorithm)
    study = MemoryStudy(space=space)
    for architecture in make_searcher("random").ask(study, 24, np.random.default_rng(0)):
        study = study.told(architecture, float(len(architecture.nodes)))
    for step in range(3):
        found = searcher.ask(study, 2, np.random.default_rng(step))
        digests = {architecture.digest for architecture in found}
        assert len(digests) == 2
        assert not digests & {evaluation.digest for evaluation in study.evaluations}
        assert all(space.contains(architecture) for architecture in found)
        for architecture in found:
            study = study.told(architecture, float(len(architecture.nodes)))
