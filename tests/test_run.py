"""A whole run on the toy task: search, random search, finals; continued, refused, failing in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gnas.errors import DataError, SpecError, StudyError
from gnas.evaluate.candidate import CandidateWork
from gnas.evaluation import Evaluation
from gnas.finals import FinalsFile, choose
from gnas.progress import SilentProgress, Snapshot
from gnas.results import FinalRow, RunResults
from gnas.run import final_limits, run
from gnas.study import JOURNAL, read_evaluations
from gnas.testing.toy import OBJECTIVE, KnownPerceptron, ToySpace, ToyTask, toy_problem

FINAL = {"finalists": 2, "seeds": 2, "default_network": False}


class StopError(Exception):
    """Stands for the end of the process."""


class Recorder(SilentProgress):
    """Keeps what it is told; stops after some evaluations or final rows."""

    def __init__(self, *, evaluations: int = 10**6, rows: int = 10**6) -> None:
        self.told: list[Evaluation] = []
        self.rows: list[FinalRow] = []
        self.messages: list[str] = []
        self._evaluations, self._rows = evaluations, rows

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        self.told.append(evaluation)
        if len(self.told) >= self._evaluations:
            raise StopError

    def retrained(self, row: FinalRow, snapshot: Snapshot) -> None:
        self.rows.append(row)
        if len(self.rows) >= self._rows:
            raise StopError

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture(autouse=True)
def no_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency is measured in tests of its own; here it would only take time and vary."""
    monkeypatch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {"latency_ms": 1.0})
    monkeypatch.setattr("gnas.export.export_best", lambda problem, out: None)
    monkeypatch.setattr("gnas.report.write_report", lambda out: None)


def content(out: Path, name: str = "search") -> list[Evaluation]:
    """What a study holds, without timings."""
    return [replace(e, seconds=0.0, cpu_seconds=0.0) for e in read_evaluations(out / JOURNAL, name)]


def shown(results: RunResults) -> list[tuple[Any, ...]]:
    return [(r.kind, r.name, r.seed, r.digest, r.trial, dict(r.validation), dict(r.test)) for r in results.finals]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResults]:
    out = tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {"latency_ms": 1.0})
        patch.setattr("gnas.export.export_best", lambda problem, out: None)
        patch.setattr("gnas.report.write_report", lambda out: None)
        return out, run(toy_problem(final=FINAL), out)


def test_results_are_complete(straight: tuple[Path, RunResults]) -> None:
    out, results = straight
    assert RunResults.from_json((out / "results.json").read_bytes()) == results
    kinds = [row.kind for row in results.finals]
    assert kinds.count("finalist") == kinds.count("random_search") == 4
    assert kinds.count("baseline") == kinds.count("ensemble") == kinds.count("random_ensemble") == 2
    assert all(row.test["rmse"] > 0 and not row.reason for row in results.finals)
    best = sorted(content(out), key=lambda e: e.values["rmse"])[:2]
    assert [row.digest for row in results.finals if row.kind == "finalist"][::2] == [e.digest for e in best]
    assert results.chosen == choose(results.finals, "finalist", OBJECTIVE)
    assert {"search", "random_search", "finals"} <= set(results.stages)
    assert results.cpu_seconds > 0 and results.protocol["parts"] == "train 192, validation 96, test 96"
    rows = [FinalRow.from_json(line) for line in (out / "finals.jsonl").read_text().splitlines()]
    assert len(rows) == 10
    for row in rows:
        assert not row.digest or (out / "weights" / f"{row.digest}-{row.seed}.safetensors").exists()


def test_random_search_has_the_same_number_of_trainings(straight: tuple[Path, RunResults]) -> None:
    out, _ = straight
    assert len(content(out)) == len(content(out, "random")) == 8


def test_started_again_it_is_done(straight: tuple[Path, RunResults]) -> None:
    out, results = straight
    before = (out / JOURNAL).read_bytes(), (out / "finals.jsonl").read_bytes()
    told = Recorder()
    again = run(toy_problem(final=FINAL), out, progress=told)
    assert not told.told and not told.rows
    assert shown(again) == shown(results)
    assert before == ((out / JOURNAL).read_bytes(), (out / "finals.jsonl").read_bytes())


@pytest.mark.parametrize("stops", [{"evaluations": 1}, {"evaluations": 5}, {"evaluations": 8}, {"rows": 3}])
def test_stopped_and_continued_equals_straight(
    straight: tuple[Path, RunResults], tmp_path: Path, stops: dict[str, int]
) -> None:
    out, results = straight
    with pytest.raises(StopError):
        run(toy_problem(final=FINAL), tmp_path, progress=Recorder(**stops))
    continued = run(toy_problem(final=FINAL), tmp_path)
    assert content(tmp_path) == content(out) and content(tmp_path, "random") == content(out, "random")
    assert shown(continued) == shown(results)


def test_the_search_begins_with_the_known_networks_its_space_has(
    straight: tuple[Path, RunResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [dict(e.assignment) for e in content(straight[0])[3:5]]
    foreign = {**points[0], "no such choice": 1}
    monkeypatch.setattr("gnas.testing.toy.ToyTask.starting_points", (foreign, *points))
    run(toy_problem(final=FINAL), tmp_path / "known")
    assert [dict(e.assignment) for e in content(tmp_path / "known")[:2]] == points
    run(toy_problem(final=FINAL, search={"algorithm": "evolution", "start": "none"}), tmp_path / "none")
    assert content(tmp_path / "none") == content(straight[0])


def test_known_networks_take_at_most_half_of_a_search(
    straight: tuple[Path, RunResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [dict(e.assignment) for e in content(straight[0])[4:]]
    monkeypatch.setattr("gnas.testing.toy.ToyTask.starting_points", tuple(points))
    run(toy_problem(final=FINAL, budget={"trials": 4}), tmp_path)
    found = [dict(e.assignment) for e in content(tmp_path)]
    assert len(found) == 4 and found[:2] == points[:2] and not any(other in points for other in found[2:])


def test_more_trials_continue_the_same_proposals(straight: tuple[Path, RunResults], tmp_path: Path) -> None:
    out, _ = straight
    run(toy_problem(final=FINAL, budget={"trials": 3}), tmp_path)
    run(toy_problem(final=FINAL), tmp_path)
    assert content(tmp_path) == content(out)


def test_failing_candidates_are_data(tmp_path: Path) -> None:
    space = ToySpace(ops=("relu", "raises", "diverges"))
    results = run(toy_problem(space, final=FINAL, budget={"trials": 20}), tmp_path)
    evaluations = content(tmp_path)
    failed = [e for e in evaluations if e.status == "failed"]
    assert len(evaluations) == 20 and 0 < len(failed) < 20
    assert {e.reason.split(":")[0] for e in failed} == {"ValueError", "DivergedError"}
    assert "failed" in results.protocol["search"]


def test_all_candidates_failing_is_told(tmp_path: Path) -> None:
    space = ToySpace(ops=("raises",), depth=1)
    with pytest.raises(StudyError, match=r"none of \d+ candidates.*this op raises on purpose"):
        run(_only_failures(space), tmp_path)


def _only_failures(space: ToySpace) -> Any:
    class Failing(ToySpace):
        def build(self, architecture: Any) -> Any:
            raise ValueError("this op raises on purpose")

    return toy_problem(Failing(ops=space.ops, depth=1), budget={"trials": 3})


def test_free_constraints_are_never_trained(tmp_path: Path) -> None:
    results = run(toy_problem(final=FINAL, constraints={"n_params": 120}), tmp_path)
    assert all(e.values["n_params"] <= 120 for e in content(tmp_path) if e.status == "ok")
    assert all(row.costs["n_params"] <= 120 for row in results.finals if row.kind == "finalist")


def test_a_measured_constraint_makes_infeasible_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(space: Any, task: Any, out: Any) -> Any:
        return lambda architecture: {"latency_ms": float(len(architecture.nodes))}

    monkeypatch.setattr("gnas.run.latency_measure", measure)
    run(toy_problem(final=FINAL, constraints={"latency_ms": 3.5}, budget={"trials": 6}), tmp_path)
    statuses = [e.status for e in content(tmp_path)]
    assert statuses.count("ok") == 6 and "infeasible" in statuses
    assert all(e.fidelity == 0 and "latency_ms" in e.reason for e in content(tmp_path) if e.status == "infeasible")


def test_impossible_constraints_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"constraints: no architecture .*n_params <= 1"):
        run(toy_problem(constraints={"n_params": 1}), tmp_path)


def test_another_spec_in_the_folder_is_refused(straight: tuple[Path, RunResults]) -> None:
    out, _ = straight
    before = (out / JOURNAL).read_bytes()
    with pytest.raises(StudyError, match=r"recipe.epochs was 3, is now 4.*--out"):
        run(toy_problem(final=FINAL, recipe={"epochs": 4}), out)
    with pytest.raises(StudyError, match="seed was 0, is now 1"):
        run(toy_problem(final=FINAL, seed=1), out)
    assert (out / JOURNAL).read_bytes() == before


def test_refit_trains_on_validation_too_and_sets_other_rows_aside(tmp_path: Path) -> None:
    plain = run(toy_problem(final=FINAL, budget={"trials": 3}), tmp_path)
    refitted = run(toy_problem(final={**FINAL, "refit": True}, budget={"trials": 3}), tmp_path)
    assert (tmp_path / "finals-refit-false.jsonl").exists()
    for a, b in zip(plain.finals, refitted.finals, strict=True):
        assert a.name == b.name and a.test != b.test
        assert a.kind == "baseline" or a.validation == b.validation
    assert "training and validation" in refitted.protocol["test part"]


def test_turns_let_each_seed_validate_on_other_rows(tmp_path: Path) -> None:
    plain = run(toy_problem(final=FINAL, budget={"trials": 3}), tmp_path)
    turned = run(toy_problem(final={**FINAL, "turns": True}, budget={"trials": 3}), tmp_path)
    assert (tmp_path / "finals-turns-false.jsonl").exists()
    first = min(row.seed for row in plain.finals)
    assert any(row.seed > first for row in plain.finals)
    for a, b in zip(plain.finals, turned.finals, strict=True):
        assert (a.name, a.seed) == (b.name, b.seed)
        assert (a.validation == b.validation and a.test == b.test) == (a.seed == first)
    assert "another part of the learning data" in turned.protocol["turns"]


def test_known_networks_are_trained_as_finalists_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyTask, "baselines", {"known": KnownPerceptron()})
    budget, final = {"trials": 2}, {"finalists": 1, "seeds": 2, "default_network": False, "random_search": False}
    short, longer = (
        run(toy_problem(budget=budget, final=final, recipe={"epochs": epochs}), tmp_path / str(epochs))
        for epochs in (1, 4)
    )
    rows, others = ([row for row in results.finals if row.kind == "baseline"] for results in (short, longer))
    assert [(row.name, row.seed, row.reason) for row in rows] == [("known", 0, ""), ("known", 1, "")]
    assert all(row.costs["n_params"] == 7 and row.costs["macs"] == 6 for row in rows)
    assert rows[0].test != rows[1].test and rows[0].test != others[0].test
    assert run(toy_problem(budget=budget, final=final, recipe={"epochs": 1}), tmp_path / "1").finals == short.finals


def test_a_time_budget_ends_both_searches(tmp_path: Path) -> None:
    space = ToySpace(ops=("relu", "slow"), depth=2)
    problem = toy_problem(space, final=FINAL, budget={"minutes": 0.02})
    results = run(problem, tmp_path)
    search, random = content(tmp_path), content(tmp_path, "random")
    assert 0 < len(search) < space.count() and random
    assert results.stages["search"] >= 1.2
    assert "CPU seconds" in results.protocol["random search at equal cost"]


def test_a_budget_of_cpu_time_ends_both_searches(tmp_path: Path) -> None:
    space = ToySpace(ops=("relu", "tanh"), depth=3)
    problem = toy_problem(space, final={**FINAL, "baselines": []}, budget={"cpu_minutes": 0.002})
    results = run(problem, tmp_path)
    limit = 0.12
    for study in ("search", "random"):
        spent = [evaluation.cpu_seconds for evaluation in read_evaluations(tmp_path / JOURNAL, study)]
        assert 0 < len(spent) < space.count()
        assert sum(spent[:-1]) < limit <= sum(spent)
        limit = sum(spent)
    assert "CPU seconds" in results.protocol["random search at equal cost"]


def test_searchers_never_see_the_test_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(*args: Any) -> CandidateWork:
        seen.append(args)
        return CandidateWork(*args)

    monkeypatch.setattr("gnas.run.CandidateWork", spy)
    run(toy_problem(final=FINAL, budget={"trials": 2}), tmp_path)
    (args,) = seen
    with pytest.raises(DataError, match="sealed"):
        args[1].size("test")


def test_a_failing_report_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(out: Path) -> None:
        raise RuntimeError("no plotting today")

    monkeypatch.setattr("gnas.report.write_report", broken)
    told = Recorder()
    run(toy_problem(final=FINAL, budget={"trials": 2}), tmp_path, progress=told)
    assert json.loads((tmp_path / "results.json").read_text())["finals"]
    assert any("report failed: RuntimeError: no plotting today" in message for message in told.messages)


def test_a_half_written_final_row_is_cut_off(tmp_path: Path) -> None:
    file = FinalsFile(tmp_path)
    row = FinalRow("baseline", "ridge", 0, test={"rmse": 1.0})
    file.add(row)
    file.add(replace(row, seed=1))
    path = tmp_path / "finals.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert FinalsFile(tmp_path).rows == (row,)
    assert path.read_text().count("\n") == 1


def test_choice_follows_mean_validation_of_complete_networks() -> None:
    def row(name: str, seed: int, value: float, reason: str = "") -> FinalRow:
        return FinalRow("finalist", name, seed, validation={"rmse": value}, test={"rmse": 9 - value}, reason=reason)

    rows = [
        row("a", 0, 1.0),
        row("a", 1, 3.0),
        row("b", 0, 1.5),
        row("b", 1, 1.6),
        row("c", 0, 0.1),
        row("c", 1, 9, "no"),
    ]
    assert choose(rows, "finalist", OBJECTIVE) == "b"
    assert choose(rows, "random_search", OBJECTIVE) == ""


def test_candidates_train_for_the_epochs_of_the_search_and_finalists_for_the_recipe(tmp_path: Path) -> None:
    search = {"algorithm": "evolution", "epochs": 1}
    results = run(toy_problem(final=FINAL, search=search, budget={"trials": 3}), tmp_path)
    assert {e.fidelity for e in content(tmp_path) if e.status == "ok"} == {1.0}
    straight = {r.digest: r.validation for r in results.finals if r.kind == "finalist"}
    searched = {e.digest: e.values for e in content(tmp_path)}
    assert all(straight[digest]["rmse"] != searched[digest]["rmse"] for digest in straight)
    assert toy_problem(search=search).recipe.epochs == 3


def test_finalists_and_baselines_are_not_cut_at_the_limit_of_a_trial() -> None:
    limited = {"trials": 3, "trial_minutes": 1.0}
    assert final_limits(toy_problem(budget=limited)).seconds == 30 * 60
    longer = toy_problem(budget={"trials": 3, "trial_minutes": 20.0}, search={"algorithm": "random", "epochs": 1})
    assert final_limits(longer).seconds == 3 * 20 * 60
    assert final_limits(toy_problem(budget={**limited, "trial_memory_mb": 2000})).memory_mb == 6000
