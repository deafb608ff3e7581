"""`gnas auto` with a task: smaller models, their files, a search that is killed and goes on, and bad specs."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from gnas.testing.command_line import Outcome, invoke, spawn
from tests.auto.task import trainings, write_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("task")


@pytest.fixture(scope="module")
def first(folder: Path) -> Outcome:
    return invoke("auto", "--spec", write_task(folder), "--out", folder / "out", "--json")


@pytest.fixture(scope="module")
def results(first: Outcome) -> dict[str, Any]:
    assert first.code == 0, first.err
    found: dict[str, Any] = json.loads(first.out)["results"]
    return found


def weights(out: Path) -> str:
    return hashlib.sha256((out / "n_params-0.5" / "weights.safetensors").read_bytes()).hexdigest()


def test_half_the_parameters_are_left(results: dict[str, Any]) -> None:
    whole, (outcome,) = results["whole"], results["outcomes"]
    assert outcome["point"]["costs"]["n_params"] <= 0.5 * whole["costs"]["n_params"] * 1.001
    assert outcome["point"]["epochs"] == 4
    assert outcome["point"]["costs"]["latency_share"] > 0
    assert 0.0 <= outcome["point"]["score"] <= 1.0
    assert outcome["zero_error"] < 1e-5
    assert outcome["shapes_proved"] == ["evaluation", "training"]
    assert outcome["differences"]["model.py"] == 0.0


def test_the_front(results: dict[str, Any]) -> None:
    points = [results["whole"], *results["outcomes"][0]["way"], results["outcomes"][0]["point"]]
    assert len(results["on_front"]) == len(points)
    for point, front in zip(points, results["on_front"], strict=True):
        beaten = [
            p
            for p in points
            if p["costs"]["n_params"] <= point["costs"]["n_params"]
            and p["score"] >= point["score"]
            and (p["costs"]["n_params"], p["score"]) != (point["costs"]["n_params"], point["score"])
        ]
        assert front == (not beaten)


def test_the_folder(folder: Path, results: dict[str, Any]) -> None:
    out = folder / "out"
    assert {p.name for p in out.iterdir()} == {
        "coverage.json", "n_params-0.5", "report.html", "request.json", "run.lock", "segments.svg", "whole",
    }  # fmt: skip
    names = {p.name for p in (out / "n_params-0.5").iterdir()}
    assert {"model.py", "weights.safetensors", "certificate.json", "result.json", "README.md"} <= names
    assert "calls" not in names
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Smaller models" in page
    assert results["outcomes"][0]["point"]["digest"][:12] in page
    told = json.loads((out / "n_params-0.5" / "certificate.json").read_text(encoding="utf-8"))
    assert told["weights"]["sha256"] == weights(out)
    assert told["digest"] == results["outcomes"][0]["point"]["digest"]


def test_again_keeps_what_is_finished(folder: Path, results: dict[str, Any]) -> None:
    before = trainings(folder)
    outcome = invoke("auto", "--spec", folder / "spec.yaml", "--out", folder / "out", "--json")
    assert outcome.code == 0, outcome.err
    assert "finished before, kept" in outcome.err
    assert json.loads(outcome.out)["results"] == results
    assert trainings(folder) == before


def test_as_text(folder: Path, results: dict[str, Any]) -> None:
    outcome = invoke("auto", "--spec", folder / "spec.yaml", "--out", folder / "out")
    assert outcome.code == 0, outcome.err
    assert "n_params=0.5" in outcome.out
    assert "accuracy" in outcome.out
    assert "shapes proved: evaluation and training" in outcome.out
    assert results["metric"] == "accuracy"


def test_another_request_is_refused(folder: Path, results: dict[str, Any]) -> None:
    assert results
    (folder / "other").mkdir()
    spec = write_task(folder / "other", seed=7)
    outcome = invoke("auto", "--spec", spec, "--out", folder / "out")
    assert outcome.code == 5
    assert "another request" in outcome.err
    assert "seed" in outcome.err
    assert "choose another --out" in outcome.err


def test_killed_it_goes_on_where_it_was(folder: Path, results: dict[str, Any], tmp_path: Path) -> None:
    at = 3
    spec = write_task(tmp_path)
    (tmp_path / "kill").write_text(str(at), encoding="utf-8")
    killed = spawn("auto", "--spec", spec, "--out", tmp_path / "out", "--json")
    assert killed.code == -signal.SIGKILL
    assert len(trainings(tmp_path)) == at
    outcome = spawn("auto", "--spec", spec, "--out", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.err
    assert "were known from before" in outcome.err
    done = trainings(folder)
    # NOTE: the one that was killed is carried out again, those before it are not.
    assert trainings(tmp_path) == [*done[:at], *done[at - 1 :]]
    got = json.loads(outcome.out)["results"]
    assert weights(tmp_path / "out") == weights(folder / "out")
    assert [p["score"] for p in got["outcomes"][0]["way"]] == [p["score"] for p in results["outcomes"][0]["way"]]


def test_smaller_numbers_may_be_better(tmp_path: Path) -> None:
    spec = write_task(tmp_path, evaluate="model.py:evaluate_error", metric="error", direction="minimize", epochs=3)
    outcome = invoke("auto", "--spec", spec, "--out", tmp_path / "out", "--reduce", "macs=0.7", "--json")
    assert outcome.code == 0, outcome.err
    results = json.loads(outcome.out)["results"]
    assert 0.0 <= results["whole"]["score"] <= 1.0
    assert [o["reduction"] for o in results["outcomes"]] == ["macs=0.7"]
    assert results["outcomes"][0]["point"]["costs"]["macs"] <= 0.7 * results["whole"]["costs"]["macs"] * 1.001


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"evaluate": "model.py:broken"}, 2, "evaluate failed (KeyError: 'labels')"),
        ({"evaluate": "model.py:nothing"}, 2, "does not return a number; got 'NoneType'"),
        ({"evaluate": "model.py:evalute"}, 2, "did you mean 'evaluate'"),
        ({"evaluate": "model.py:factory"}, 2, "evaluate cannot be called with 1 argument"),
        ({"evaluate": None}, 2, "a task needs both"),
        ({"reduce": ["n_param=0.5"]}, 2, "did you mean 'n_params'"),
        ({"reduce": ["n_params=2"]}, 2, "a share must lie between 0 and 1"),
        ({"reduce": "half"}, 2, "a reduction that cannot be read"),
        ({"epochs": 0}, 2, "epochs"),
        ({"epochz": 3}, 2, "did you mean 'epochs'"),
        ({"target": "model.py:Net", "example": "4x9"}, 3, "does not run on the example inputs"),
        ({"target": None}, 2, "target"),
        ({"reduce": ["n_params<2"]}, 3, "n_params"),
    ],
    ids=str,
)
def test_bad_specs(tmp_path: Path, changes: dict[str, Any], code: int, told: str) -> None:
    outcome = invoke("auto", "--spec", write_task(tmp_path, **changes), "--out", tmp_path / "out", "--quiet")
    assert outcome.code == code, outcome.err
    assert told in outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.out == ""
    assert "Traceback" not in outcome.err


def test_broken_yaml(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("target: model.py:factory\ntrain: [\n", encoding="utf-8")
    outcome = invoke("auto", "--spec", path)
    assert outcome.code == 2
    assert outcome.err.startswith("error: spec.yaml:")
    assert "not valid YAML" in outcome.err


def test_a_reduction_needs_a_task(tmp_path: Path) -> None:
    spec = write_task(tmp_path, train=None, evaluate=None, reduce=None)
    outcome = invoke("auto", "--spec", spec, "--reduce", "n_params=0.5")
    assert outcome.code == 2
    assert "a reduction needs a task" in outcome.err


def test_no_search_without_weights(tmp_path: Path) -> None:
    spec = write_task(tmp_path, target="model.py:on_meta", example="4x8")
    with (tmp_path / "model.py").open("a", encoding="utf-8") as file:
        file.write("\ndef on_meta():\n    with torch.device('meta'):\n        return Net()\n")
    outcome = invoke("auto", "--spec", spec, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "no weights to inherit" in outcome.err
