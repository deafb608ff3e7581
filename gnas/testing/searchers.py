"""Conformance suite for searchers: subclass `SearcherTestCase`, return yours from `searcher`, and run pytest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gnas.architecture import Architecture
from gnas.evaluation import Constraint, Objective
from gnas.searchers.protocol import Searcher, StudyView
from gnas.testing.chain import ChainSpace, MemoryStudy, chain_value


def play(
    searcher: Searcher,
    study: MemoryStudy,
    trials: int,
    seed: int = 0,
    value: Callable[[Architecture], float | None] = chain_value,
) -> MemoryStudy:
    """Asks one at a time and tells `value`; `None` is recorded as a failure. An exhausted space ends it early."""
    for step in range(trials):
        for architecture in searcher.ask(study, 1, np.random.default_rng((seed, step))):
            told = value(architecture)
            study = study.told(architecture, told, status="failed" if told is None else "ok")
    return study


def digests(architectures: list[Architecture]) -> list[str]:
    """Their digests."""
    return [architecture.digest for architecture in architectures]


class SearcherTestCase:
    """What every searcher must do. Histories hold `trials` evaluations; raise it if yours starts to model later."""

    trials: int = 25

    def searcher(self) -> Searcher:
        """The searcher under test, a fresh object at every call."""
        raise TypeError(f"{type(self).__name__} must define searcher()")

    def check(self, study: StudyView, found: list[Architecture]) -> None:
        """What `ask` promises about its answer."""
        names = digests(found)
        assert len(set(names)) == len(names)
        assert not set(names) & {evaluation.digest for evaluation in study.evaluations}
        assert not set(names) & {architecture.digest for architecture in study.pending}
        assert all(study.space.contains(architecture) for architecture in found)
        assert not any(study.infeasible(architecture) for architecture in found)

    @pytest.mark.parametrize("n", [1, 4])
    @pytest.mark.parametrize("trials", [0, 1, 2, 25])
    def test_ask_keeps_its_promises(self, trials: int, n: int) -> None:
        study = play(self.searcher(), MemoryStudy(), min(trials, self.trials))
        found = self.searcher().ask(study, n, np.random.default_rng(1))
        assert len(found) == n
        self.check(study, found)

    def test_ask_is_a_pure_function(self) -> None:
        study = play(self.searcher(), MemoryStudy(), self.trials)
        used = self.searcher()
        first = digests(used.ask(study, 3, np.random.default_rng(5)))
        used.ask(play(used, study, 2, seed=9), 2, np.random.default_rng(6))
        assert digests(used.ask(study, 3, np.random.default_rng(5))) == first
        assert digests(self.searcher().ask(study, 3, np.random.default_rng(5))) == first

    def test_resumed_equals_straight(self) -> None:
        straight = play(self.searcher(), MemoryStudy(), self.trials)
        resumed = MemoryStudy()
        for step in range(self.trials):
            (architecture,) = self.searcher().ask(resumed, 1, np.random.default_rng((0, step)))
            resumed = resumed.told(architecture, chain_value(architecture))
        assert [e.digest for e in resumed.evaluations] == [e.digest for e in straight.evaluations]

    def test_generator_matters(self) -> None:
        asked = {tuple(digests(self.searcher().ask(MemoryStudy(), 3, np.random.default_rng(i)))) for i in range(5)}
        assert len(asked) > 1

    def test_pending_is_not_asked_again(self) -> None:
        study = play(self.searcher(), MemoryStudy(), self.trials)
        for step in range(4):
            found = self.searcher().ask(study, 2, np.random.default_rng(7))
            assert len(found) == 2, step
            self.check(study, found)
            study = study.waiting(*found)

    def test_everything_pending_at_the_start(self) -> None:
        study = MemoryStudy()
        for step in range(4):
            found = self.searcher().ask(study, 5, np.random.default_rng(step))
            assert len(found) == 5
            self.check(study, found)
            study = study.waiting(*found)

    def test_infeasible_is_not_asked(self) -> None:
        study = MemoryStudy(
            constraints=(Constraint("n_params", 3),),
            refuses=lambda a: "too wide" if dict(a.assignment)["width"] not in (8, 16) else "",
        )
        study = play(self.searcher(), study, self.trials)
        found = self.searcher().ask(study, 4, np.random.default_rng(1))
        assert len(found) == 4
        self.check(study, found)

    def test_unsatisfiable_constraints_end(self) -> None:
        study = MemoryStudy(space=ChainSpace(depth=2), refuses=lambda architecture: "never")
        assert self.searcher().ask(study, 2, np.random.default_rng(0)) == []

    def test_tiny_space_is_exhausted(self) -> None:
        space = ChainSpace(depth=2, ops=("conv3", "pool"), widths=(8, 16))
        classes = {bytes(d) for rows in space.iterate_codes() for d in space.digests(rows)}
        study = play(self.searcher(), MemoryStudy(space=space), len(classes) - 3)
        assert len(study.evaluations) == len(classes) - 3
        rest = self.searcher().ask(study, 10, np.random.default_rng(2))
        assert len(rest) == 3
        self.check(study, rest)
        for architecture in rest:
            study = study.told(architecture, 0.0)
        assert self.searcher().ask(study, 2, np.random.default_rng(3)) == []

    def test_space_of_one(self) -> None:
        space = ChainSpace(depth=1, ops=(), widths=(8,))
        assert len(self.searcher().ask(MemoryStudy(space=space), 3, np.random.default_rng(0))) == 1

    def test_all_failed(self) -> None:
        study = play(self.searcher(), MemoryStudy(), self.trials, value=lambda architecture: None)
        assert len(study.evaluations) == self.trials
        found = self.searcher().ask(study, 3, np.random.default_rng(1))
        assert len(found) == 3
        self.check(study, found)

    def test_some_failed_some_not_a_number(self) -> None:
        def value(architecture: Architecture) -> float | None:
            kind = int(architecture.digest, 16) % 4
            return (None, float("nan"), float("inf"), chain_value(architecture))[kind]

        study = play(self.searcher(), MemoryStudy(), self.trials, value=value)
        found = self.searcher().ask(study, 3, np.random.default_rng(1))
        assert len(found) == 3
        self.check(study, found)

    def test_constant_values(self) -> None:
        study = play(self.searcher(), MemoryStudy(), self.trials, value=lambda architecture: 1.0)
        found = self.searcher().ask(study, 3, np.random.default_rng(1))
        assert len(found) == 3
        self.check(study, found)

    def test_measured_constraint(self) -> None:
        study = MemoryStudy(constraints=(Constraint("latency_ms", 2.0),))
        for step in range(self.trials):
            (architecture,) = self.searcher().ask(study, 1, np.random.default_rng((0, step)))
            latency = float(len(architecture.nodes))
            if latency > 2.0:
                study = study.told(architecture, None, status="infeasible", costs={"latency_ms": latency})
            else:
                study = study.told(architecture, chain_value(architecture), costs={"latency_ms": latency})
        found = self.searcher().ask(study, 3, np.random.default_rng(1))
        assert len(found) == 3
        self.check(study, found)

    def test_minimising_mirrors_maximising(self) -> None:
        up = play(self.searcher(), MemoryStudy(), self.trials)
        down = MemoryStudy(objective=Objective("score", "minimize"))
        down = play(self.searcher(), down, self.trials, value=lambda architecture: -chain_value(architecture))
        assert [e.digest for e in down.evaluations] == [e.digest for e in up.evaluations]
