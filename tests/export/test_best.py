"""Models of a run of the toy task: the chosen finalist, a trial, and what cannot be exported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gnas.errors import StudyError
from gnas.export.best import choose, export_best, restore, retrain
from gnas.problem import Problem
from gnas.results import RunResults
from gnas.run import run
from gnas.study import JOURNAL, read_evaluations
from gnas.testing.toy import ToySpace, ToyTask, toy_problem

FAST: dict[str, Any] = {"budget": {"trials": 6}, "search": {"algorithm": "random"}}
FINAL = {"finalists": 2, "seeds": 2, "default_network": False, "random_search": False}


def finished(out: Path, monkeypatch: pytest.MonkeyPatch, problem: Problem) -> RunResults:
    with monkeypatch.context() as patch:
        patch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {})
        patch.setattr("gnas.export.export_best", lambda problem, out: None)
        patch.setattr("gnas.report.write_report", lambda out: None)
        return run(problem, out)


@pytest.fixture(scope="module")
def problem() -> Problem:
    space = ToySpace(ops=("relu", "tanh", "raises"))
    return toy_problem(space, budget={"trials": 12}, search={"algorithm": "random"}, final=FINAL)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, problem: Problem) -> tuple[Path, RunResults]:
    out = tmp_path_factory.mktemp("toy") / "run"
    with pytest.MonkeyPatch.context() as patch:
        return out, finished(out, patch, problem)


def test_the_chosen_finalist_is_exported_with_its_best_weights(
    done: tuple[Path, RunResults], problem: Problem, tmp_path: Path
) -> None:
    out, results = done
    rows = [row for row in results.finals if row.name == results.chosen]
    best = min(rows, key=lambda row: row.validation["rmse"])
    report = export_best(problem, out, formats=("model.py",), folder=tmp_path / "best")
    weights = load_file(report.folder / "weights.safetensors")
    kept = load_file(out / "weights" / f"{best.digest}-{best.seed}.safetensors")
    assert all(torch.equal(weights[name], kept[name]) for name in kept)
    readme = (report.folder / "README.md").read_text(encoding="utf-8")
    assert f"{best.test['rmse']:.4g}" in readme


def test_the_folder_is_best_or_named_after_the_trial(done: tuple[Path, RunResults], problem: Problem) -> None:
    out, results = done
    assert export_best(problem, out, formats=("model.py",)).folder == out / "best"
    trial = next(row.trial for row in results.finals if row.trial >= 0)
    assert export_best(problem, out, trial, ("model.py",)).folder == out / f"trial-{trial}"


def test_a_trial_without_weights_is_trained_as_the_search_trained_it(
    done: tuple[Path, RunResults], problem: Problem, tmp_path: Path
) -> None:
    out, results = done
    finalists = {row.digest for row in results.finals}
    other = next(
        evaluation
        for evaluation in read_evaluations(out / JOURNAL)
        if evaluation.status == "ok" and evaluation.digest not in finalists
    )
    told: list[str] = []
    export_best(problem, out, other.number, ("model.py",), folder=tmp_path / "other", told=told.append)
    assert len(told) == 1
    assert "training it again" in told[0]
    network = retrain(problem, choose(problem, out, other.number))
    x, _ = problem.task.data["validation"]  # type: ignore[attr-defined]
    with torch.no_grad():
        again = problem.task.score("validation", network(x))["rmse"]
    assert again == pytest.approx(other.values["rmse"], rel=1e-6)


def test_a_failed_or_absent_trial_is_refused(done: tuple[Path, RunResults], problem: Problem) -> None:
    out, _ = done
    evaluations = read_evaluations(out / JOURNAL)
    failed = next(evaluation for evaluation in evaluations if evaluation.status == "failed")
    with pytest.raises(StudyError, match=f"trial {failed.number} is failed.*on purpose"):
        export_best(problem, out, failed.number)
    with pytest.raises(StudyError, match=rf"no such trial.*got 999.*0 to {len(evaluations) - 1}"):
        export_best(problem, out, 999)


def test_a_run_that_has_chosen_nothing_is_told(problem: Problem, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has not chosen a finalist"):
        export_best(problem, tmp_path)
    (tmp_path / "results.json").write_text('{"objective": 3', encoding="utf-8")
    with pytest.raises(StudyError, match=r"results\.json: cannot be read"):
        export_best(problem, tmp_path)


def test_weights_of_something_else_are_refused(done: tuple[Path, RunResults], problem: Problem) -> None:
    out, _ = done
    chosen = choose(problem, out)
    assert chosen.weights is not None
    content = chosen.weights.read_bytes()
    try:
        save_file({"other": torch.zeros(2)}, chosen.weights)
        with pytest.raises(StudyError, match="do not fit the architecture"):
            restore(problem, chosen)
    finally:
        chosen.weights.write_bytes(content)


def test_a_half_written_row_is_passed_over(done: tuple[Path, RunResults], problem: Problem) -> None:
    out, _ = done
    finals = out / "finals.jsonl"
    content = finals.read_bytes()
    try:
        finals.write_bytes(content + content[:40])
        assert choose(problem, out).weights is not None
    finally:
        finals.write_bytes(content)


def test_a_refit_model_goes_with_the_scalers_it_was_trained_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = toy_problem(**FAST, final={**FINAL, "finalists": 1, "seeds": 1, "refit": True})
    finished(tmp_path / "run", monkeypatch, problem)
    merged: list[int] = []
    original = ToyTask.takeaway

    def counting(task: ToyTask) -> Mapping[str, str]:
        merged.append(task.size("train"))
        return original(task)

    monkeypatch.setattr(ToyTask, "takeaway", counting)
    report = export_best(problem, tmp_path / "run", formats=("model.py",))
    assert merged == [problem.task.size("train") + problem.task.size("validation")]
    assert "validation data together" in (report.folder / "README.md").read_text(encoding="utf-8")
    assert json.loads((report.folder / "parity.json").read_text(encoding="utf-8"))["differences"] == {"model.py": 0.0}
