from __future__ import annotations

import numpy as np
import optuna
import pytest

from gnas.errors import SpecError
from gnas.evaluation import Constraint
from gnas.searchers.optuna_samplers import OptunaNsga2, OptunaTpe, _finished, _suggested
from gnas.searchers.protocol import Searcher
from gnas.searchers.random_search import RandomSearch
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value
from gnas.testing.searchers import SearcherTestCase


class TestConformanceOfTpe(SearcherTestCase):
    trials = 15

    def searcher(self) -> OptunaTpe:
        return OptunaTpe(n_startup=6)


class TestConformanceOfNsga2(SearcherTestCase):
    trials = 15

    def searcher(self) -> OptunaNsga2:
        return OptunaNsga2(population=6)


def test_only_active_choices_are_suggested() -> None:
    space = ChainSpace(depth=3)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    model = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = model.ask()
        row = _suggested(MemoryStudy(space=space), trial)
        assert space.contains_codes(row[None])[0]
        assert set(trial.params) == {choice.name for choice, code in zip(space.choices, row, strict=True) if code >= 0}


def test_unusable_ones_are_worse_than_any_by_their_violation() -> None:
    rng, space = np.random.default_rng(0), ChainSpace()
    study = MemoryStudy(space=space, constraints=(Constraint("latency_ms", 10.0),))
    study = study.told(space.sample(rng), 3.0).told(space.sample(rng), 1.0)
    study = study.told(space.sample(rng), None, status="infeasible", costs={"latency_ms": 11.0})
    study = study.told(space.sample(rng), None, status="infeasible", costs={"latency_ms": 15.0})
    study = study.told(space.sample(rng), None, status="failed")
    values = np.array(_finished(study, ())[1])[:, 0]
    assert values[0] < values[1] < values[2] < values[3] < values[4]


def hypervolume(study: MemoryStudy) -> float:
    """Area dominated by (score, size), with reference score −4 and six nodes."""
    points = sorted((e.values["n_params"], e.values["score"]) for e in study.evaluations)
    area, best = 0.0, -4.0
    for i, (_, value) in enumerate(points):
        best = max(best, value)
        following = points[i + 1][0] if i + 1 < len(points) else 6.0
        area += (following - points[i][0]) * (best + 4.0)
    return area


def test_nsga2_finds_a_better_front_than_random_search() -> None:
    areas: dict[str, list[float]] = {"nsga2": [], "random": []}
    searchers: dict[str, Searcher] = {
        "nsga2": OptunaNsga2(population=10, costs=("n_params",)),
        "random": RandomSearch(),
    }
    for seed in range(2):
        for name, searcher in searchers.items():
            study = MemoryStudy(space=ChainSpace(depth=5))
            for step in range(50):
                (architecture,) = searcher.ask(study, 1, np.random.default_rng((seed, step)))
                costs = {"n_params": float(len(architecture.nodes))}
                study = study.told(architecture, chain_value(architecture), costs=costs)
            areas[name].append(hypervolume(study))
    assert np.mean(areas["nsga2"]) > np.mean(areas["random"])


@pytest.mark.parametrize("options", [{"n_startup": 0}, {"n_candidates": 0}])
def test_range(options: dict[str, int]) -> None:
    with pytest.raises(SpecError, match="out of range"):
        OptunaTpe(**options)
