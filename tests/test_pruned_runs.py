"""Runs with a pruner: continued as they would have gone on, cheaper, and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnas.evaluation import Evaluation
from gnas.problem import Problem
from gnas.progress import SilentProgress, Snapshot
from gnas.results import RunResults
from gnas.run import run
from gnas.search_stage import ranked
from gnas.searchers import make_searcher
from gnas.searchers.history import score
from gnas.study import JOURNAL, Study, open_storage, read_evaluations, read_facts
from gnas.testing.toy import OBJECTIVE, ToySpace, toy_problem


class StopError(Exception):
    """Stands for the end of the process."""


class Stopping(SilentProgress):
    """Stops after some evaluations."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.last = Snapshot("search")

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        self.left, self.last = self.left - 1, snapshot
        if not self.left:
            raise StopError


def problem(pruner: str, **spec: Any) -> Problem:
    return toy_problem(
        search={"algorithm": "evolution", "pruner": pruner},
        budget={"trials": 12},
        recipe={"epochs": 9},
        final={"finalists": 1, "seeds": 1, "default_network": False, "baselines": []},
        **spec,
    )


@pytest.fixture(autouse=True)
def only_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gnas.export.export_best", "gnas.report.write_report"):
        monkeypatch.setattr(name, lambda *args: None)
    monkeypatch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {"latency_ms": 1.0})


def content(out: Path, name: str = "search") -> list[Evaluation]:
    return [replace(e, seconds=0.0, cpu_seconds=0.0) for e in read_evaluations(out / JOURNAL, name)]


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_stopped_and_continued_equals_straight(pruner: str, tmp_path: Path) -> None:
    results = run(problem(pruner), tmp_path / "straight")
    with pytest.raises(StopError):
        run(problem(pruner), tmp_path / "killed", progress=Stopping(8))
    continued = run(problem(pruner), tmp_path / "killed")
    for name in ("search", "random"):
        evaluations = content(tmp_path / "straight", name)
        assert evaluations == content(tmp_path / "killed", name)
        pruned = [e for e in evaluations if e.status == "pruned"]
        assert len(evaluations) == 12 and 0 < len(pruned) < 12
        assert all(e.fidelity == len(e.curve) < 9 and e.estimate is not None for e in pruned)
        assert all(e.fidelity == 9 and e.estimate is None for e in evaluations if e.status == "ok")
    assert "pruned" in results.protocol["search"]
    assert [r.test for r in results.finals] == [r.test for r in continued.finals]
    assert RunResults.from_json((tmp_path / "straight" / "results.json").read_bytes()) == results
    finalist = next(row for row in results.finals if row.kind == "finalist")
    assert finalist.digest == ranked(content(tmp_path / "straight"), OBJECTIVE)[0].digest


def test_a_worker_process_prunes_alike(tmp_path: Path) -> None:
    for kind in ("inline", "processes"):
        with pytest.raises(StopError):
            run(problem("median"), tmp_path / kind, executor=kind, workers=1, progress=Stopping(9))
    assert content(tmp_path / "inline") == content(tmp_path / "processes")
    assert any(e.status == "pruned" for e in content(tmp_path / "processes"))


def test_without_a_pruner_a_study_has_the_facts_it_always_had(tmp_path: Path) -> None:
    for pruner in ("none", "median"):
        with pytest.raises(StopError):
            run(problem(pruner), tmp_path / pruner, progress=Stopping(1))
    facts = [dict(read_facts(tmp_path / pruner / JOURNAL)) for pruner in ("none", "median")]
    assert "pruner" not in json.dumps(facts[0]) and "precision" not in json.dumps(facts[0])
    search = facts[1].pop("search")
    assert isinstance(search, dict) and search.pop("pruner") == "median"
    assert search == facts[0].pop("search") and facts[0] == facts[1]


def test_progress_counts_the_pruned(tmp_path: Path) -> None:
    progress = Stopping(12)
    with pytest.raises(StopError):
        run(problem("median"), tmp_path, progress=progress)
    count = sum(e.status == "pruned" for e in content(tmp_path))
    assert progress.last.pruned == count > 0 and progress.last.done == 12
    assert progress.last.per_hour == pytest.approx(12 * 3600 / progress.last.seconds)


@pytest.mark.parametrize("algorithm", ["bayes", "local", "tpe"])
def test_searchers_learn_from_estimates(algorithm: str, tmp_path: Path) -> None:
    """What they propose depends on them, and what was pruned is not proposed again."""
    space = ToySpace()
    proposals = []
    for sign in (1.0, -1.0):
        storage, _ = open_storage(tmp_path / str(sign))
        study = Study(space, OBJECTIVE, (), storage=storage)
        for code in space.sample_codes(np.random.default_rng(0), 24):
            architecture = space.decode(code)
            if study.known(architecture.digest):
                continue
            number = len(study.evaluations)
            held = Evaluation(number, architecture.digest, architecture.assignment, "ok", {"rmse": 4.0}, step=number)
            estimate = 2.0 + sign * float(np.sin(float(code.sum())))
            pruned = replace(held, status="pruned", values={}, estimate=estimate)
            study.record(held if number % 2 else pruned)
        assert score(study, study.evaluations[0]) == -(study.evaluations[0].estimate or 0.0)
        known = {evaluation.digest for evaluation in study.evaluations}
        asked = [a.digest for k in range(3) for a in make_searcher(algorithm).ask(study, 3, np.random.default_rng(k))]
        assert not known & set(asked)
        proposals.append(asked)
    assert proposals[0] != proposals[1]
