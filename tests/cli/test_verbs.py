"""`gnas plan`, `run`, `report` and `export` on forty molecules."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from gnas.domain import domain_names, load_domain
from gnas.feasible import check_feasible
from gnas.problem import load_problem
from gnas.testing.command_line import Outcome, invoke
from tests.integration.bad_input import numbers, rows, spec, write_spec, write_table

pytestmark = pytest.mark.usefixtures("module_cache")
FINAL = {"finalists": 1, "seeds": 2, "baselines": ["random forest"], "default_network": False}
CHANGES: dict[str, Any] = {"final": FINAL, "constraints": {"n_params": 60_000}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verbs")


@pytest.fixture(scope="module")
def first(folder: Path) -> Outcome:
    """The first run of the spec, as text."""
    return invoke("run", write_spec(folder, spec(**CHANGES)), "--out", folder / "out")


def test_plan_as_json(folder: Path) -> None:
    outcome = invoke("plan", write_spec(folder, spec(**CHANGES)), "--json", "--samples", "3")
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["data"]["parts"] == {"train": 32, "validation": 4, "test": 4}
    assert report["space_size"] == 288
    assert 0 < report["feasibility"]["feasible"] <= report["feasibility"]["sampled"]
    assert len(report["samples"]) == 3
    assert all(sample["costs"]["n_params"] > 0 for sample in report["samples"])
    assert report["estimate"]["trial_seconds"] > 0
    parts = ("search_seconds", "random_search_seconds", "finals_seconds", "baselines_seconds")
    assert report["estimate"]["total_seconds"] == pytest.approx(sum(report["estimate"][part] for part in parts))
    assert list(report["baselines"]) == ["random forest"]


def test_plan_as_text_writes_nothing(folder: Path, tmp_path: Path) -> None:
    path = write_spec(tmp_path, spec())
    before = sorted(tmp_path.iterdir())
    outcome = invoke("plan", path, "--no-baselines")
    for words in (
        "40 rows read, 40 used",
        "molecular/small, 6 choices, 288 assignments",
        "time: at most",
        "next: gnas run",
    ):
        assert words in outcome.out
    assert sorted(tmp_path.iterdir()) == before


def test_run_prints_the_comparison(first: Outcome, folder: Path) -> None:
    assert first.code == 0, first.err
    for words in (
        "finalist 1 (chosen)",
        "random forest",
        "validation rmse",
        "± ",
        f"report: {folder / 'out'}/report.html",
    ):
        assert words in first.out
    for words in ("search 1/2: trial 0: rmse", "random search", "finals"):
        assert words in first.err
    for name in (
        "spec.yaml",
        "study.journal",
        "results.json",
        "report.html",
        "best/model.py",
        "best/weights.safetensors",
    ):
        assert (folder / "out" / name).is_file(), name


def test_run_again_continues_and_is_pure_json(first: Outcome, folder: Path) -> None:
    held = numbers(folder / "out")
    outcome = invoke("run", folder / "spec.yaml", "--out", folder / "out", "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, f"continuing {folder / 'out'}\n")
    results = json.loads(outcome.out)
    assert results["objective"] == "rmse"
    assert results["chosen"] == "finalist 1"
    assert results["verdict"]
    assert {row["name"] for row in results["finals"]} >= {"finalist 1", "random forest"}
    assert numbers(folder / "out") == held


def test_report(first: Outcome, folder: Path) -> None:
    (folder / "out" / "report.html").unlink()
    outcome = invoke("report", folder / "out")
    assert outcome.code == 0, outcome.err
    assert "finalist 1 (chosen)" in outcome.out
    assert (folder / "out" / "report.html").stat().st_size > 10_000
    assert json.loads(invoke("report", folder / "out", "--json").out)["report"].endswith("report.html")


def test_export_of_any_trial_from_anywhere(
    first: Outcome, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The data file is named relative to the first spec, not to the copy in the run folder or to the working folder.
    monkeypatch.chdir(tmp_path)
    outcome = invoke(
        "export", folder / "out", "--trial", "0", "--to", "model.py,onnx", "--out", tmp_path / "mine", "--json"
    )
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert {"model.py", "model.onnx", "weights.safetensors"} <= set(report["files"])
    assert all(difference <= 1e-5 for difference in report["differences"].values())
    assert (tmp_path / "mine" / "model.py").is_file()


def test_an_ensemble_that_a_run_does_not_have_is_told(first: Outcome, folder: Path) -> None:
    outcome = invoke("export", folder / "out", "--ensemble")
    assert outcome.code != 0
    assert "no ensemble" in outcome.err
    assert "final.finalists" in outcome.err
    both = invoke("export", folder / "out", "--ensemble", "--trial", "0")
    assert both.code != 0
    assert "give --trial or --ensemble" in both.err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_and_tell_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(sent)
        time.sleep(30)  # The handler may run a few instructions after the signal.

    monkeypatch.setattr("gnas.run._Run._finals", interrupted)
    path = write_spec(tmp_path, spec())
    outcome = invoke("run", path, "--out", tmp_path / "out")
    assert outcome.code == 130
    assert f"to continue: gnas run {path} --out {tmp_path / 'out'}" in outcome.err
    assert "Traceback" not in outcome.err
    assert numbers(tmp_path / "out") == [0, 1]


def test_feasible_share_is_counted_and_a_rare_one_is_found(tmp_path: Path) -> None:
    problem = load_problem(write_spec(tmp_path, spec(constraints={"n_params": 5_000})))
    found = check_feasible(problem, samples=2)
    assert found.sampled == 2
    assert found.least["n_params"] <= 5_000


def test_the_template_plans_cleanly_with_a_table_of_ones_own(tmp_path: Path) -> None:
    template = load_domain("molecular").template()
    assert template.count("  dataset: solubility") == 1
    path = write_spec(tmp_path, template.replace("  dataset: solubility", "  file: molecules.csv\n  targets: [y]\n  #"))
    outcome = invoke("plan", path, "--no-baselines", "--samples", "1")
    assert outcome.code == 0, outcome.err


def test_the_spec_of_the_readme_plans_cleanly(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(domain:.*?)```", readme, flags=re.DOTALL)
    write_table(tmp_path / "measurements.csv", [{"smiles": row["smiles"], "logS": row["y"]} for row in rows()])
    outcome = invoke("plan", write_spec(tmp_path, text), "--no-baselines", "--samples", "1")
    assert outcome.code == 0, outcome.err


def test_a_study_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas.run._Run._export", lambda self: None)
    path, out = write_spec(tmp_path, spec(storage=f"sqlite:///{tmp_path / 'study.db'}")), tmp_path / "out"
    assert invoke("run", path, "--out", out).code == 0
    assert (tmp_path / "study.db").is_file()
    assert not (out / "study.journal").exists()
    again = invoke("run", path, "--out", out)
    assert (again.code, f"continuing {out}" in again.err) == (0, True)
    assert invoke("report", out).code == 0
    outcome = invoke("export", out, "--trial", "1", "--to", "model.py")
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
def test_templates_plan_cleanly_as_they_are(tmp_path: Path) -> None:
    for name in domain_names():
        path = tmp_path / f"{name}.yaml"
        path.write_text(load_domain(name).template(), encoding="utf-8")
        outcome = invoke("plan", path, "--no-baselines", "--samples", "1")
        assert outcome.code == 0, outcome.err
