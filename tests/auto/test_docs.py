"""What docs/auto.md shows is what happens."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from gnas.auto.reduction import COSTS, read_reduction
from gnas.auto.spec import AutoSpec, read_auto_spec
from gnas.specdoc import explanations
from gnas.testing.command_line import invoke

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "auto"
TEXT = (ROOT / "docs" / "auto.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, flags=re.M | re.S)


def test_the_spec_shown_is_the_example() -> None:
    (shown,) = blocks("yaml")
    assert shown == (EXAMPLE / "spec.yaml").read_text(encoding="utf-8")
    assert [str(r) for r in read_auto_spec(EXAMPLE / "spec.yaml").reductions] == ["n_params=0.5", "n_params=0.2"]


def test_every_key_is_explained() -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, flags=re.M))
    assert {key: shown.get(key) for key in AutoSpec.model_fields} == explanations(AutoSpec)


def test_the_reductions_shown_can_be_read() -> None:
    shown = set(re.findall(rf"`((?:{'|'.join(COSTS)})[=<][\w.]+)`", TEXT))
    assert {read_reduction(text).cost for text in shown} == set(COSTS)


def test_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    command, told = blocks("")[:2]
    assert command.strip().startswith("gnas auto digits.py:Digits")
    arguments = command.split()[1:-1]
    outcome = invoke(*arguments, tmp_path / "look", "--no-latency")
    assert outcome.code == 0, outcome.err
    for line in told.splitlines():
        assert line.strip() == "…" or line in outcome.out, line
    assert (tmp_path / "look" / "report.html").is_file()


def test_the_library(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    (code,) = blocks("python")
    try:
        exec(code, {})
    finally:
        sys.modules.pop("digits", None)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("262144 ['blocks.0.body.4 into add of blocks.0'")
    assert "n_params" in last
