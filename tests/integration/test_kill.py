"""Law 1: kill -9 at any moment, the same command again, and the run is the one that was never killed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from kill import kill_and_continue, toy_spec

pytestmark = pytest.mark.integration


def test_a_kill(tmp_path: Path) -> None:
    report = kill_and_continue(tmp_path, *toy_spec(tmp_path, 6, "evolution"), kills=1)
    assert "nothing lost" in report


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("algorithm", "executor"), [("bayes", "inline"), ("evolution", "processes")])
def test_twenty_kills(tmp_path: Path, algorithm: str, executor: str) -> None:
    report = kill_and_continue(tmp_path, *toy_spec(tmp_path, 60, algorithm, executor=executor), kills=20)
    assert "nothing lost" in report
