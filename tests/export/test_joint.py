"""The ensemble of a run as one exported network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gnas.errors import StudyError
from gnas.export import export_ensemble
from gnas.export.written import load_written
from gnas.problem import Problem
from gnas.results import RunResults
from gnas.run import run
from gnas.runfolder import write_json
from gnas.testing.toy import toy_problem

FINAL = {"finalists": 3, "seeds": 2, "default_network": False, "random_search": False}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return toy_problem(budget={"trials": 6}, search={"algorithm": "random"}, final=FINAL)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, problem: Problem) -> tuple[Path, RunResults]:
    out = tmp_path_factory.mktemp("toy") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {})
        patch.setattr("gnas.export.export_best", lambda problem, out: None)
        patch.setattr("gnas.report.write_report", lambda out: None)
        return out, run(problem, out)


def test_the_written_network_has_the_test_value_of_the_ensemble(
    done: tuple[Path, RunResults], problem: Problem
) -> None:
    out, results = done
    report = export_ensemble(problem, out, ("model.py",))
    assert report.folder == out / "ensemble"
    best = min((row for row in results.finals if row.kind == "ensemble"), key=lambda row: row.validation["rmse"])
    model = load_written(report.folder / "model.py")
    x, _ = problem.task.data["test"]  # type: ignore[attr-defined]
    with torch.no_grad():
        value = problem.task.score("test", model(x))["rmse"]
    assert value == pytest.approx(best.test["rmse"], rel=1e-5)
    members = [row for row in results.finals if row.kind == "finalist" and row.seed == best.seed]
    kept = [load_file(out / "weights" / f"{row.digest}-{row.seed}.safetensors") for row in members]
    written = load_file(report.folder / "weights.safetensors")
    assert sum(tensor.numel() for tensor in written.values()) == sum(t.numel() for m in kept for t in m.values())
    readme = (report.folder / "README.md").read_text(encoding="utf-8")
    assert "mean of the outputs of 3 networks" in readme
    assert f"{best.test['rmse']:.4g}" in readme
    assert json.loads((report.folder / "parity.json").read_text(encoding="utf-8"))["differences"]["model.py"] < 1e-6


def test_runs_without_an_ensemble_are_told(done: tuple[Path, RunResults], problem: Problem, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has not ended"):
        export_ensemble(problem, tmp_path)
    _, results = done
    record = results.to_json()
    record["finals"] = [row for row in record["finals"] if row["kind"] != "ensemble"]
    write_json(tmp_path / "results.json", record)
    with pytest.raises(StudyError, match=r"no ensemble.*final\.finalists"):
        export_ensemble(problem, tmp_path)


def test_lost_weights_are_told(done: tuple[Path, RunResults], problem: Problem) -> None:
    out, results = done
    lost = next(row for row in results.finals if row.kind == "finalist")
    paths = [out / "weights" / f"{lost.digest}-{seed}.safetensors" for seed in (0, 1)]
    for path in paths:
        path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(StudyError, match=f"weights of a member.*{lost.trial}"):
            export_ensemble(problem, out)
    finally:
        for path in paths:
            path.with_suffix(".away").rename(path)
