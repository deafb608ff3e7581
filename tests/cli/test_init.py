"""`gnas init`."""

from __future__ import annotations

from pathlib import Path

from gnas.spec import load_spec
from gnas.testing.command_line import invoke


def test_prints_or_writes_a_good_spec(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    outcome = invoke("init", "molecular", "--out", path)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"next: gnas plan {path}" in outcome.out
    assert load_spec(path).domain == "molecular"
    assert invoke("init", "molecular").out == path.read_text(encoding="utf-8")


def test_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious", encoding="utf-8")
    outcome = invoke("init", "molecular", "--out", path)
    assert outcome.code == 2
    assert outcome.err == f"error: {path}: the file is already there; choose another name with --out\n"
    assert path.read_text(encoding="utf-8") == "precious"


def test_unknown_domain_and_folder(tmp_path: Path) -> None:
    outcome = invoke("init", "moleclar")
    assert outcome.code == 2
    assert "got 'moleclar'" in outcome.err
    assert "did you mean 'molecular'?" in outcome.err
    assert invoke("init", "molecular", "--out", tmp_path / "no" / "x.yaml").code == 2
