"""The command line from tests: in this process, or in a fresh one."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gnas.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


def invoke(*arguments: str | Path) -> Outcome:
    """Runs `gnas` in this process, as the shell would: errors are told and become exit codes."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code
    return Outcome(code if isinstance(code, int) else 0 if code is None else 1, out.getvalue(), err.getvalue())


def spawn(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, timeout: float = 240.0, prefix: str = ""
) -> Outcome:
    """Runs `gnas` in a fresh process.

    Args:
        arguments: Of the command line.
        environment: Variables beside those of this process.
        timeout: Seconds.
        prefix: Shell text in front of the command (`ulimit -f 100; exec`).
    """
    command = [sys.executable, "-m", "gnas", *[str(argument) for argument in arguments]]
    if prefix:
        command = ["sh", "-c", f'{prefix} "$@"', "sh", *command]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
