"""A progress bar on stderr: live on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 10.0


class Bar:
    """One task after another, each with its own bar.

    Args:
        quiet: Show nothing.
        stream: By default stderr.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, name: str, done: int, total: int | None) -> None:
        """Shows how far a task is; a new name begins a new one."""
        if self._progress is not None:
            if self._task is None or name != self._name:
                if self._task is not None:
                    self._progress.remove_task(self._task)
                self._task = self._progress.add_task(name, total=total)
            self._progress.update(self._task, completed=done, total=total)
        elif not self._quiet and (name != self._name or done == total or time.monotonic() - self._said > _EVERY):
            of = f"/{total:,}" if total is not None else ""
            print(f"{name} {done:,}{of}", file=self._stream, flush=True)
            self._said = time.monotonic()
        self._name = name

    def message(self, text: str) -> None:
        """A remark, above the bar."""
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            print(text, file=self._stream, flush=True)
