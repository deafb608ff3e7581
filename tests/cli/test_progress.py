"""Progress on the terminal."""

from __future__ import annotations

import io

import pytest

from gnas.cli.output import print_json, table
from gnas.cli.progress import LiveProgress, PlainProgress
from gnas.evaluation import Evaluation, Objective
from gnas.progress import Progress, Snapshot
from gnas.results import FinalRow

OBJECTIVE = Objective("rmse", "minimize")
SNAPSHOT = Snapshot(
    "search",
    done=12,
    total=50,
    pruned=3,
    seconds=61.0,
    eta_seconds=130.0,
    best=0.7791,
    best_number=7,
    failed=1,
    running=2,
)
GOOD = Evaluation(11, "d", (), "ok", values={"rmse": 0.8123}, seconds=2.0)
BAD = Evaluation(12, "e", (), "failed", reason="OutOfMemoryError: 9,000 MB", seconds=1.0)


def play(progress: Progress) -> None:
    progress.stage(SNAPSHOT)
    progress.started("trial 13", SNAPSHOT)
    progress.evaluated(GOOD, SNAPSHOT)
    progress.evaluated(BAD, SNAPSHOT)
    progress.tick(SNAPSHOT)
    progress.stage(Snapshot("finals", total=3))
    progress.retrained(FinalRow("finalist", "finalist 1", 0, validation={"rmse": 0.7}, test={"rmse": 0.75}), SNAPSHOT)
    progress.retrained(FinalRow("baseline", "forest", 1, reason="ValueError: no"), SNAPSHOT)
    progress.message("a remark")


def test_plain_lines() -> None:
    stream = io.StringIO()
    progress = PlainProgress(OBJECTIVE, stream=stream)
    assert isinstance(progress, Progress)
    with progress:
        play(progress)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "search 12/50"
    assert "trial 11: rmse 0.812, 2.0 s; best rmse 0.779 (trial 7), 1 failed, 3 pruned, 1 min 01 s, " in lines[1]
    assert lines[1].endswith(", 708 an hour, 2 min 10 s left")
    assert "trial 12: failed: OutOfMemoryError: 9,000 MB" in lines[2]
    assert "finalist 1, seed 0: validation rmse 0.700, test 0.750" in lines[4]
    assert "forest, seed 1: failed: ValueError: no" in lines[5]
    assert lines[6] == "a remark"


def test_quiet_keeps_remarks_only() -> None:
    stream = io.StringIO()
    play(PlainProgress(OBJECTIVE, quiet=True, stream=stream))
    assert stream.getvalue() == "a remark\n"


def test_live_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LiveProgress(OBJECTIVE)
    assert isinstance(progress, Progress)
    with progress:
        play(progress)
    told = capsys.readouterr().err
    for words in ("trial 12: failed", "finalist 1, seed 0", "a remark", "search 12/50"):
        assert words in told


def test_table_is_aligned() -> None:
    assert table(["name", "n"], [["a", "10"], ["long", "2"]]).splitlines() == [
        "name   n",
        "────  ──",
        "a     10",
        "long   2",
    ]


def test_json_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": (1, float("inf"))})
    assert capsys.readouterr().out == '{\n  "a": null,\n  "b": [\n    1,\n    null\n  ]\n}\n'
