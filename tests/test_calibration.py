"""The calibration of a run: kept, found again, and the same calibration gives the same numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gnas.calibration import CALIBRATION, Calibration
from gnas.errors import StudyError
from gnas.evaluation import Evaluation
from gnas.numerics import PLAIN, Numerics
from gnas.results import FinalRow, read_results
from gnas.run import run
from gnas.study import JOURNAL, read_evaluations
from gnas.testing.toy import ToySpace, toy_problem

LAST = Numerics("fp32", "channels_last")
BOTH = Numerics("bf16", "channels_last")


def evaluation(digest: str, numerics: Numerics | None) -> Evaluation:
    return Evaluation(0, digest, (), "ok", numerics=numerics)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    calibration = Calibration(tmp_path, [evaluation("d", LAST)])
    calibration.add(evaluation("a", BOTH))
    calibration.add(evaluation("a", PLAIN))
    calibration.add(FinalRow("default_network", "default network", 0, digest="b", numerics=PLAIN))
    calibration.add(evaluation("c", None))
    calibration.add(FinalRow("baseline", "e", 0, numerics=LAST))
    again = Calibration(tmp_path)
    assert [again.find(name) for name in "abcdef"] == [BOTH, PLAIN, None, LAST, LAST, None]
    assert Calibration(tmp_path, [evaluation("a", PLAIN)]).find("a") == BOTH


def test_nothing_measured_writes_nothing(tmp_path: Path) -> None:
    Calibration(tmp_path).add(evaluation("a", None))
    assert not (tmp_path / CALIBRATION).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {"precision": "fp8"}}', '{"a": 3}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION).write_text(text)
    with pytest.raises(StudyError, match=r"numerics\.json.*cannot be read.*remove it"):
        Calibration(tmp_path)


def test_the_same_calibration_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gnas.export.export_best", "gnas.report.write_report"):
        monkeypatch.setattr(name, lambda *args: None)
    monkeypatch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {"latency_ms": 1.0})
    options = iter([LAST, PLAIN, BOTH] * 20)
    measured: list[Numerics] = []

    def measure(network: Any, *args: Any, **kwargs: Any) -> Numerics | None:
        """As a clock would, without regard to anything that repeats."""
        if not any("Conv" in type(module).__name__ for module in network.modules()):
            return None
        measured.append(next(options))
        return measured[-1]

    monkeypatch.setattr("gnas.evaluate.train.measured_numerics", measure)
    problem = toy_problem(
        ToySpace(ops=("convolved", "relu"), depth=2, widths=(4, 8)),
        budget={"trials": 6},
        final={"finalists": 2, "seeds": 2, "default_network": False, "baselines": []},
    )
    first = run(problem, tmp_path / "first")
    times = len(measured)
    known = json.loads((tmp_path / "first" / CALIBRATION).read_text())
    assert 0 < times == len(known) and {value["precision"] for value in known.values()} == {"fp32", "bf16"}
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / CALIBRATION).write_text(json.dumps(known))
    second = run(problem, tmp_path / "second")
    assert len(measured) == times
    for name in ("search", "random"):
        assert content(tmp_path / "first", name) == content(tmp_path / "second", name)
    assert [(r.validation, r.test) for r in first.finals] == [(r.validation, r.test) for r in second.finals]
    assert read_results(tmp_path / "first") == first
    finals = [row for row in first.finals if row.digest]
    assert all((row.numerics is None) == (row.digest not in known) for row in finals)


def content(out: Path, name: str) -> list[Evaluation]:
    found = read_evaluations(out / JOURNAL, name)
    assert any(e.numerics is not None for e in found)
    return [replace(e, seconds=0.0, cpu_seconds=0.0) for e in found]
