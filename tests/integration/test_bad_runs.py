"""The table of bad inputs, second half: what goes wrong while a run goes on, and folders that cannot be used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gnas.runfolder import RunLock
from gnas.study import read_evaluations
from gnas.testing.command_line import invoke, spawn
from tests.integration.bad_input import numbers, spec, told, write_spec

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("module_cache")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spec and its finished run `out` of two trials."""
    folder = tmp_path_factory.mktemp("finished")
    outcome = invoke("run", write_spec(folder, spec()), "--out", folder / "out")
    assert outcome.code == 0, outcome.err
    assert numbers(folder / "out") == [0, 1]
    return folder


@pytest.fixture(autouse=True)
def _no_export(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export takes most of a tiny run and is tested elsewhere; the run of `finished` has it."""
    monkeypatch.setattr("gnas.run._Run._export", lambda self: None)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


# Candidates that fail are data.


def _one_conv(conv: str) -> dict[str, object]:
    return {"name": "molecular/small", "restrict": {"conv": ["gcn", conv], "depth": [1], "hidden": [32]}}


def test_an_op_that_raises_is_a_failed_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> torch.Tensor:
        raise ValueError("this op is broken")

    monkeypatch.setattr("gnas_molecular.layers.GIN.forward", broken)
    path = write_spec(tmp_path, spec(space=_one_conv("gin"), budget={"trials": 6}))
    outcome = invoke("run", path, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    evaluations = read_evaluations(tmp_path / "out" / "study.journal")
    failed = [e for e in evaluations if e.status == "failed"]
    assert len(evaluations) == 6
    assert failed
    assert {dict(e.assignment)["conv"] for e in failed} == {"gin"}
    assert all("ValueError: this op is broken" in e.reason for e in failed)
    assert "failed: ValueError: this op is broken" in outcome.err
    told(
        invoke("plan", path, "--no-baselines", "--samples", "8"), 3, "molecular/small", "this op is broken", "conv=gin"
    )


def test_a_candidate_out_of_memory_is_a_failed_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> torch.Tensor:
        return torch.empty(10**15)

    monkeypatch.setattr("gnas_molecular.layers.GIN.forward", greedy)
    path = write_spec(tmp_path, spec(space=_one_conv("gin"), budget={"trials": 6}))
    outcome = invoke("run", path, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    failed = [e for e in read_evaluations(tmp_path / "out" / "study.journal") if e.status == "failed"]
    assert failed
    assert all("OutOfMemoryError: memory ran out with batches of" in e.reason for e in failed)


def test_a_time_limit_that_nothing_keeps(tmp_path: Path) -> None:
    path = write_spec(tmp_path, spec(budget={"trials": 2, "trial_minutes": 1e-7}))
    outcome = invoke("run", path, "--out", tmp_path / "out")
    told(outcome, 5, str(tmp_path / "out"), "none of 2 candidates could be trained", "OutOfTimeError", "mend the cause")
    assert numbers(tmp_path / "out") == [0, 1]


def test_a_memory_limit_that_nothing_keeps(tmp_path: Path) -> None:
    changes = spec(budget={"trials": 1, "trial_memory_mb": 1}, executor="processes", recipe={"epochs": 3})
    changes["space"] = {"name": "molecular/default"}
    outcome = invoke("run", write_spec(tmp_path, changes), "--out", tmp_path / "out")
    told(outcome, 5, "none of 1 candidates could be trained", "memory", "mend the cause")
    assert numbers(tmp_path / "out") == [0]


def test_ctrl_c_ends_a_run_cleanly(tmp_path: Path) -> None:
    path, out = (
        write_spec(tmp_path, spec(budget={"trials": 500}, recipe={"epochs": 5}, executor="processes")),
        tmp_path / "out",
    )
    command = [sys.executable, "-m", "gnas", "run", str(path), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "trial 1:" in line:
                # As a terminal does it: the workers hear of it, too.
                os.killpg(process.pid, signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert f"stopped; everything finished is kept; to continue: gnas run {path} --out {out}\n" in rest
    assert "Traceback" not in rest
    assert numbers(out)[:2] == [0, 1]


# Folders.


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = write_spec(tmp_path, spec())
    (tmp_path / "file").touch()
    told(invoke("run", path, "--out", tmp_path / "file" / "out"), 5, str(tmp_path / "file" / "out"), "--out")
    told(invoke("run", path, "--out", "/proc/gnas"), 5, "/proc/gnas", "choose another --out")


def test_a_read_only_folder(tmp_path: Path) -> None:
    path = write_spec(tmp_path, spec())
    mount = tmp_path / "sealed"
    mount.mkdir()
    if os.geteuid() != 0:
        mount.chmod(0o555)
        outcome = spawn("run", path, "--out", mount / "out")
    else:
        # Permissions do not bind root; a read-only mount does.
        seal = f"mount --bind {mount} {mount} && mount -o remount,bind,ro {mount}"
        if subprocess.run(["unshare", "-m", "sh", "-c", seal], capture_output=True, check=False).returncode:
            pytest.skip("root, and no mount is allowed here")
        command = f"unshare -m sh -c '{seal} && exec \"$@\"' sh"
        outcome = spawn("run", path, "--out", mount / "out", prefix=f"exec {command}")
    told(outcome, 5, str(mount / "out"), "no permission to write", "choose another --out")
    assert list(mount.iterdir()) == []


def test_a_full_disk_keeps_what_is_finished(copied: Path) -> None:
    """A limit on the size of files stands for the full disk: it holds for root, too, and needs no mount."""
    path, out = write_spec(copied, spec(budget={"trials": 30})), copied / "out"
    blocks = -(-(out / "study.journal").stat().st_size // 512) + 6
    outcome = spawn("run", path, "--out", out, prefix=f"ulimit -f {blocks};")
    told(outcome, 5, "no space left", "is kept", "free space and run the same command again")
    kept = numbers(out)
    assert kept[:2] == [0, 1]
    assert len(kept) < 30
    outcome = invoke("run", write_spec(copied, spec(budget={"trials": len(kept) + 1})), "--out", out)
    assert outcome.code == 0, outcome.err
    assert numbers(out) == [*kept, len(kept)]


def test_a_corrupt_tail_of_the_journal(copied: Path) -> None:
    path, journal = write_spec(copied, spec(budget={"trials": 3})), copied / "out" / "study.journal"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id": "half')
    outcome = invoke("run", path, "--out", copied / "out")
    assert outcome.code == 0, outcome.err
    assert "study.journal ended in the middle of a record" in outcome.err
    assert "everything before it is kept" in outcome.err
    assert numbers(copied / "out") == [0, 1, 2]
    assert list((copied / "out").glob("study.journal.broken-*"))


def test_a_journal_damaged_in_the_middle(copied: Path) -> None:
    journal = copied / "out" / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = b"\0" * 20 + b"\n"
    journal.write_bytes(b"".join(lines))
    before = journal.read_bytes()
    outcome = invoke("run", copied / "spec.yaml", "--out", copied / "out")
    told(outcome, 5, "study.journal:3", "damaged in the middle", "one JSON record a line", "choose another --out")
    assert journal.read_bytes() == before


def test_a_study_of_another_spec(copied: Path) -> None:
    journal = copied / "out" / "study.journal"
    before = journal.read_bytes()
    path = write_spec(copied, spec(recipe={"epochs": 2}))
    told(invoke("run", path, "--out", copied / "out"), 5, str(copied / "out"), "another spec", "epochs", "--out")
    assert journal.read_bytes() == before
    assert "epochs: 1" in (copied / "out" / "spec.yaml").read_text(encoding="utf-8")


def test_a_folder_in_use(copied: Path) -> None:
    with RunLock(copied / "out"):
        outcome = invoke("run", copied / "spec.yaml", "--out", copied / "out")
    told(outcome, 5, str(copied / "out"), "another run is writing this folder", f"process {os.getpid()}", "wait for it")
    assert numbers(copied / "out") == [0, 1]


def test_a_storage_that_cannot_be_opened(tmp_path: Path) -> None:
    path = write_spec(tmp_path, spec(storage="postgres//nowhere"))
    told(
        invoke("run", path, "--out", tmp_path / "out"), 5, "spec.yaml:24: storage", "'postgres//nowhere'", "sqlite:///"
    )


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    told(invoke("report", tmp_path / "none"), 5, str(tmp_path / "none"), "no such", "gnas run SPEC --out DIR")
    told(invoke("report", tmp_path), 5, str(tmp_path), "no run folder", "gnas run SPEC --out DIR")
    told(invoke("export", tmp_path), 5, str(tmp_path), "no run folder", "gnas run SPEC --out DIR")


def test_an_export_that_is_not_there(finished: Path) -> None:
    told(invoke("export", finished / "out", "--trial", "9"), 5, "no such trial", "got 9", "0 to 1")
    told(invoke("export", finished / "out", "--to", "onxx"), 7, "--to", "'onxx'", "did you mean 'onnx'?")


def test_damaged_results(copied: Path) -> None:
    (copied / "out" / "results.json").write_text("{", encoding="utf-8")
    told(invoke("report", copied / "out"), 5, "results.json", "cannot be read", "start the same gnas run again")
    outcome = invoke("run", copied / "spec.yaml", "--out", copied / "out")
    assert outcome.code == 0, outcome.err
    assert numbers(copied / "out") == [0, 1]
