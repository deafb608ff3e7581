"""The tabular domain: a task that answers, from the spec to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gnas_tabular.domain import DOMAIN
from gnas_tabular.options import TabularData
from gnas_tabular.table import read_table
from gnas_tabular.task import TableTask
from pydantic import ValidationError

from gnas.architecture import Architecture
from gnas.domain import AnsweringTask, Domain, Task, load_domain
from gnas.errors import CandidateError, DataError, SpecError
from gnas.space import load_space
from gnas.testing.command_line import invoke
from gnas.testing.toy import ToyTask
from tests.tabular.samples import CELLS, cells, write_csv

SPACE = load_space("nasbench201")


def task_of(folder: Path, **options: object) -> TableTask:
    cells(folder / "t.csv", val=[90.0, 80.0, 82.0, ""], test=[89.0, 81.0, 83.0, 71.0], params=[3, 2, 2, 1])
    data = TabularData.model_validate({"file": "t.csv", "target": "val", "report": "test", **options})
    return DOMAIN.task(data, metric=None, base=folder, cache=folder)


def test_the_entry_point_finds_the_domain(tmp_path: Path) -> None:
    assert load_domain("tabular") is DOMAIN
    assert isinstance(DOMAIN, Domain)
    task = task_of(tmp_path)
    assert isinstance(task, Task)
    assert isinstance(task, AnsweringTask)
    assert not hasattr(ToyTask, "answer")


@pytest.fixture
def architectures(tmp_path: Path) -> list[Architecture]:
    table = read_table(cells(tmp_path / "all.csv"))
    return [table.space.decode(row) for row in table.codes]


def test_isomorphic_rows_answer_alike(tmp_path: Path, architectures: list[Architecture]) -> None:
    task = task_of(tmp_path, costs={"n_params": "params"})
    assert task.answer("validation", architectures[1]) == {"val": 81.0}
    assert task.answer("validation", architectures[2]) == {"val": 81.0}
    assert task.answer("test", architectures[0]) == {"val": 89.0}
    assert task.costs(architectures[0]) == {"n_params": 3.0}


def test_the_report_column_is_not_in_a_sealed_task(tmp_path: Path, architectures: list[Architecture]) -> None:
    sealed = task_of(tmp_path).sealed()
    with pytest.raises(DataError, match="no such part; got 'test'"):
        sealed.answer("test", architectures[0])
    assert sealed.size("test") == 0
    assert 89.0 not in np.concatenate(list(sealed.values.values()))


def test_what_the_table_lacks_is_a_failed_candidate(tmp_path: Path, architectures: list[Architecture]) -> None:
    task = task_of(tmp_path)
    with pytest.raises(CandidateError, match="the table has no val of this architecture"):
        task.answer("validation", architectures[3])
    with pytest.raises(CandidateError, match="the table has no architecture"):
        task.answer("validation", SPACE.sample(np.random.default_rng(0)))


def test_the_fingerprint_follows_what_is_searched(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    assert task.fingerprint() == task_of(tmp_path).sealed().fingerprint()
    assert task.fingerprint() != task_of(tmp_path, target="test").fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "vall"}, r"no such column; got 'vall'.*did you mean 'val'"),
        ({"report": "tets"}, r"no such column; got 'tets'.*did you mean 'test'"),
        ({"costs": {"macs": "flops"}}, "no such column; got 'flops'"),
        ({"target": "arch_str"}, "no such column; got 'arch_str'"),
        ({"layout": "nasbench101"}, r"t\.csv line 2: choice 'cell.0->1' has no such value"),
    ],
    ids=["target", "report", "cost", "architecture", "layout"],
)
def test_wrong_columns_are_told(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        task_of(tmp_path, **options)


def test_a_column_without_values_is_told(tmp_path: Path) -> None:
    write_csv(tmp_path / "e.csv", [{"arch_str": cell, "val": ""} for cell in CELLS])
    data = TabularData(file="e.csv", target="val")
    with pytest.raises(DataError, match="the column holds no value"):
        DOMAIN.task(data, metric=None, base=tmp_path, cache=tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file": "a.csv", "benchmark": "toy"},
        {"benchmark": "nas-bench-graph"},
        {"benchmark": "toy", "dataset": "cora"},
        {"benchmark": "toy", "costs": {"dollars": "x"}},
    ],
    ids=["none", "both", "no dataset", "dataset", "cost"],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TabularData.model_validate({"target": "val", **options})


def test_the_metric_is_the_target(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="the metric of a table is its target column"):
        DOMAIN.task(TabularData(benchmark="toy", target="validation"), metric="test", base=tmp_path, cache=tmp_path)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    assert invoke("init", "tabular", "--out", path).code == 0
    return path


def test_a_spec_runs_from_plan_to_report(tmp_path: Path, spec: Path) -> None:
    text = spec.read_text(encoding="utf-8").replace("trials: 60", "trials: 12").replace("bayes ", "local ")
    spec.write_text(f"{text}\nconstraints: {{n_params: 2500}}\n", encoding="utf-8")
    planned = invoke("plan", spec)
    assert planned.code == 0
    assert "15625 rows are 8765 architectures" in planned.out
    out = tmp_path / "run"
    outcome = invoke("run", spec, "--out", out, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    finalists = [row for row in results["finals"] if row["kind"] == "finalist"]
    assert len(finalists) == 3
    assert all(row["costs"]["n_params"] <= 2500 for row in finalists)
    assert all(set(row["test"]) == {"validation"} and row["test"] != row["validation"] for row in finalists)
    assert results["chosen"] == "finalist 1"
    assert (out / "report.html").is_file()
    assert not (out / "best").exists()


def test_a_cost_that_the_table_lacks_is_told(spec: Path) -> None:
    spec.write_text(spec.read_text(encoding="utf-8") + "\nconstraints: {macs: 100}\n", encoding="utf-8")
    outcome = invoke("run", spec, "--out", spec.parent / "run")
    assert outcome.code == 2
    assert "the task knows no such cost; accepted: n_params" in outcome.err
