"""The study on Optuna's storage: whole, durable, and refused to another spec."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from gnas.architecture import Architecture
from gnas.errors import StudyError
from gnas.evaluation import Constraint, Evaluation, Objective
from gnas.journal import repair_journal
from gnas.runfolder import RunLock
from gnas.searchers.protocol import StudyView
from gnas.study import JOURNAL, Study, exceeded, open_storage, read_evaluations
from gnas.testing.chain import ChainSpace

SPACE = ChainSpace()
OBJECTIVE = Objective("rmse", "minimize")
FACTS = {"space": "a", "recipe": {"epochs": 3, "loss": "auto"}}


def open_study(place: Path | str, *, facts: object = FACTS, name: str = "search") -> Study:
    storage, _ = open_storage(place)
    assert isinstance(facts, dict)
    return Study(SPACE, OBJECTIVE, (), storage=storage, name=name, facts=facts, place=place)


def some(n: int, seed: int = 0) -> list[Evaluation]:
    rng = np.random.default_rng(seed)
    rows = [SPACE.decode(row) for row in SPACE.sample_codes(rng, n)]
    statuses = ("ok", "ok", "failed", "infeasible", "pruned")
    return [
        Evaluation(
            i,
            arch.digest,
            arch.assignment,
            statuses[i % 5],  # type: ignore[arg-type]
            {"rmse": 1.0 / (i + 1), "n_params": 10.0 * i} if i % 5 in (0, 1, 4) else {"n_params": 5.0},
            reason="" if i % 5 < 2 else "ValueError: no (x.py:1)",
            fidelity=2.0,
            seed=7,
            seconds=1.5,
            cpu_seconds=1.25,
            versions={"torch": "2"},
            curve=(2.0, 1.0 / (i + 1)) if i % 5 < 2 else (),
            step=i,
        )
        for i, arch in enumerate(rows)
    ]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_everything_comes_back(tmp_path: Path, kind: str) -> None:
    place = tmp_path / JOURNAL if kind == "journal" else f"sqlite:///{tmp_path}/s.db"
    study = open_study(place)
    assert isinstance(study, StudyView)
    for evaluation in some(10):
        assert study.record(evaluation) == evaluation
    assert list(open_study(place).evaluations) == some(10)
    assert read_evaluations(place) == tuple(some(10))
    assert read_evaluations(place, "random") == ()


@pytest.mark.filterwarnings("ignore:Some regimes for parameter:UserWarning")  # Few trials, on purpose.
def test_optuna_reads_it_as_its_own(tmp_path: Path) -> None:
    study = open_study(tmp_path / JOURNAL)
    for evaluation in some(30):
        study.record(evaluation)
    storage, _ = open_storage(tmp_path / JOURNAL)
    theirs = optuna.load_study(study_name="search", storage=storage)
    states = [trial.state.name for trial in theirs.trials[:5]]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "PRUNED"]
    best = min((e for e in some(30) if e.status == "ok"), key=lambda e: e.values["rmse"])
    assert theirs.best_trial.number == best.number
    assert theirs.trials[0].params == dict(some(1)[0].assignment)
    assert theirs.trials[0].intermediate_values == {1: 2.0, 2: 1.0}
    assert set(optuna.importance.get_param_importances(theirs)) <= {choice.name for choice in SPACE.choices}


def test_numbers_and_steps(tmp_path: Path) -> None:
    study = open_study(tmp_path / JOURNAL)
    first, second, third = some(3)
    assert study.next_step() == 0
    study.record(replace(first, number=99, step=0))
    study.record(replace(second, step=2))
    assert [evaluation.number for evaluation in study.evaluations] == [0, 1]
    assert study.next_step() == 1  # The hole that a killed run left.
    architecture = SPACE.decode(SPACE.encode(dict(third.assignment)))
    study.begin(architecture, 1)
    assert study.next_step() == 3 and list(study.pending) == [architecture] and study.known(third.digest)
    study.record(replace(third, step=1))
    assert not study.pending and study.known(third.digest)


def test_two_studies_share_a_journal(tmp_path: Path) -> None:
    a, b = open_study(tmp_path / JOURNAL), open_study(tmp_path / JOURNAL, name="random")
    for i, evaluation in enumerate(some(6)):
        (a if i % 2 else b).record(evaluation)
    assert len(read_evaluations(tmp_path / JOURNAL)) == len(read_evaluations(tmp_path / JOURNAL, "random")) == 3
    assert [e.number for e in read_evaluations(tmp_path / JOURNAL)] == [0, 1, 2]


def test_another_spec_is_refused_with_what_differs(tmp_path: Path) -> None:
    open_study(tmp_path / JOURNAL).record(some(1)[0])
    with pytest.raises(StudyError) as caught:
        open_study(tmp_path / JOURNAL, facts={"space": "a", "recipe": {"epochs": 4, "loss": "auto"}})
    assert "recipe.epochs was 3, is now 4" in str(caught.value)
    assert "--out" in str(caught.value) and "loss" not in str(caught.value)
    assert len(open_study(tmp_path / JOURNAL).evaluations) == 1


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_half_written_record_is_set_aside(tmp_path: Path, cut: int) -> None:
    path = tmp_path / JOURNAL
    study = open_study(path)
    for evaluation in some(4):
        study.record(evaluation)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    storage, note = open_storage(path)
    assert "study.journal.broken-1" in note and "everything before it is kept" in note
    broken = (tmp_path / "study.journal.broken-1").read_bytes()
    assert path.read_bytes() + broken == whole[:-cut]
    again = Study(SPACE, OBJECTIVE, (), storage=storage, facts=FACTS)
    assert list(again.evaluations) == some(3)
    again.record(some(4)[3])
    assert path.read_bytes().count(b"\n") == whole.count(b"\n")
    assert repair_journal(path) == ""


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"\xff\xfe garbage\n{not json}\n", b'{"op_code": 4}\n', b"[]\n\n"])
def test_garbage_at_the_end_is_set_aside(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / JOURNAL
    study = open_study(path)
    for evaluation in some(2):
        study.record(evaluation)
    whole = path.read_bytes()
    path.write_bytes(whole + garbage)
    assert list(open_study(path).evaluations) == some(2)
    assert path.read_bytes() == whole


def test_damage_in_the_middle_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    study = open_study(path)
    for evaluation in some(3):
        study.record(evaluation)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"garbage\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(StudyError, match=r"study\.journal:4: .*damaged in the middle.*garbage"):
        open_storage(path)
    assert path.read_bytes() == b"".join(lines)


def test_stale_locks_do_not_block(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    open_study(path).record(some(1)[0])
    (tmp_path / (JOURNAL + ".lock")).touch()
    study = open_study(path)
    study.record(some(2)[1])
    assert len(study.evaluations) == 2


def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with RunLock(out), pytest.raises(StudyError, match=rf"another run.*{os.getpid()}.*--out"):
        RunLock(out)
    RunLock(out).close()


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = open_study(tmp_path / JOURNAL)
    for evaluation in some(3):
        study.record(evaluation)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StudyError, match=r"no space left.*up to trial 2 is kept.*free space"):
            study.record(some(4)[3])
    assert list(read_evaluations(tmp_path / JOURNAL))[:3] == some(3)


def test_constraints_and_costs_are_counted_once(tmp_path: Path) -> None:
    counted: list[str] = []

    def costs(architecture: Architecture) -> dict[str, float]:
        counted.append(architecture.digest)
        return {"n_params": 812_000.0, "macs": 5.0}

    storage, _ = open_storage(tmp_path / JOURNAL)
    limits = (Constraint("n_params", 500_000), Constraint("macs", 10), Constraint("latency_ms", 1))
    study = Study(SPACE, OBJECTIVE, limits, storage=storage, facts=FACTS, costs=costs)
    architecture = SPACE.sample(np.random.default_rng(0))
    assert study.infeasible(architecture) == "n_params 812,000 > 500,000"
    assert study.costs(architecture) == {"n_params": 812_000.0, "macs": 5.0} and len(counted) == 1
    assert exceeded({"latency_ms": 2.5}, limits) == "latency_ms 2.5 > 1"


def test_nothing_is_counted_before_it_is_needed(tmp_path: Path) -> None:
    counted: list[str] = []

    def costs(architecture: Architecture) -> dict[str, float]:
        counted.append(architecture.digest)
        return {"n_params": 5.0}

    storage, _ = open_storage(tmp_path / JOURNAL)
    study = Study(SPACE, OBJECTIVE, (Constraint("latency_ms", 1),), storage=storage, facts=FACTS, costs=costs)
    architecture = SPACE.sample(np.random.default_rng(0))
    assert study.infeasible(architecture) == "" and study.counted(architecture) == {} and not counted
    assert study.costs(architecture) == study.counted(architecture) == {"n_params": 5.0}


def test_a_count_that_fails_is_no_reason(tmp_path: Path) -> None:
    def costs(architecture: Architecture) -> dict[str, float]:
        raise RuntimeError("no forward")

    storage, _ = open_storage(tmp_path / JOURNAL)
    study = Study(SPACE, OBJECTIVE, (Constraint("macs", 1),), storage=storage, facts=FACTS, costs=costs)
    assert study.infeasible(SPACE.sample(np.random.default_rng(0))) == ""


def test_records_reject_unknown_keys() -> None:
    data = some(1)[0].to_json()
    assert Evaluation.from_json(json.dumps(data)) == some(1)[0]
    with pytest.raises(ValueError, match="Evaluation: sed"):
        Evaluation.from_json({**data, "sed": 1})
    with pytest.raises(ValueError, match="status"):
        Evaluation.from_json({**data, "status": "fine"})
