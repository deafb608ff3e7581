"""The application: help, version, speed, and how errors leave it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from gnas import __version__
from gnas.cli.guard import guarded, known_os_error
from gnas.errors import DataError
from gnas.testing.command_line import invoke, spawn


def test_help_names_every_verb() -> None:
    outcome = invoke("--help")
    assert outcome.code == 0
    for verb in ("plan", "run", "report", "export", "init", "space"):
        assert f"  {verb} " in outcome.out


@pytest.mark.parametrize("verb", ["plan", "run", "report", "export", "init", "space"])
def test_every_verb_has_help(verb: str) -> None:
    outcome = invoke(verb, "--help")
    assert outcome.code == 0
    assert "Usage: gnas" in outcome.out


def test_version() -> None:
    assert invoke("--version").out == f"gnas {__version__}\n"


def test_module_is_the_command() -> None:
    assert spawn("--version").out == f"gnas {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\ntry:\n    from gnas.cli import main\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'rdkit', 'optuna', 'pydantic', 'sklearn', 'yaml', 'plotly', 'rich'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_answers_in_half_a_second() -> None:
    """In CPU seconds, which a busy machine changes little: it is one thread, and waits for nothing."""
    seconds = []
    for _ in range(5):
        before = os.times()
        assert spawn("--help").code == 0
        after = os.times()
        user, system = after.children_user - before.children_user, after.children_system - before.children_system
        seconds.append(user + system)
    assert 0.01 < min(seconds) < 0.5


def test_unknown_verb_and_option() -> None:
    assert invoke("plam").code == 2
    assert invoke("run", "x.yaml", "--worker", "2").code == 2


def test_an_expected_error_is_one_line_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, guarded():
        raise DataError("no such column", place="a.csv", value="x", accepted="y", remedy="look again")
    assert left.value.code == 4
    assert capsys.readouterr().err == "error: a.csv: no such column; got 'x'; accepted: y; look again\n"


def test_an_unexpected_error_is_one_line_and_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, guarded():
        raise ZeroDivisionError("three\nlines\nlong")
    assert left.value.code == 70
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    path = told.split("the traceback is in ")[1].split(";")[0]
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        assert "Traceback" in file.read()
    os.unlink(path)  # noqa: PTH108


def test_debug_lets_errors_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNAS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError), guarded():
        raise ZeroDivisionError


def test_interruption_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, guarded():
        raise KeyboardInterrupt
    assert left.value.code == 130
    assert capsys.readouterr().err == "stopped\n"


def test_errors_of_the_file_system_are_told() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/full/study.journal")
    known = known_os_error(RuntimeError("outer"))
    assert known is None
    try:
        raise RuntimeError("wrapped") from error
    except RuntimeError as outer:
        known = known_os_error(outer)
    assert known is not None
    assert str(known).startswith("/full/study.journal: cannot be written or read: no space left on device; free some")
    assert known_os_error(FileNotFoundError(errno.ENOENT, "x")) is None
