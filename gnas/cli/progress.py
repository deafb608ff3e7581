"""Progress of a run on the terminal: a live line where there is one, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.live import Live

    from gnas.evaluation import Evaluation, Objective
    from gnas.progress import Snapshot
    from gnas.results import FinalRow

_NAMES = {
    "search": "search",
    "random_search": "random search",
    "finals": "finals",
    "export": "export",
    "report": "report",
}
_BAR = 24


class PlainProgress:
    """One line for each thing that happens. `quiet` keeps only remarks and stages."""

    def __init__(self, objective: Objective, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.objective = objective
        self.quiet = quiet
        self.stream = stream or sys.stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def stage(self, snapshot: Snapshot) -> None:
        """A stage begins or is continued."""
        if not self.quiet:
            self._line(f"{headline(snapshot)}")

    def started(self, label: str, snapshot: Snapshot) -> None:
        """Nothing: a line comes when it has ended."""

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        """One line for an evaluation."""
        if not self.quiet:
            self._line(f"{headline(snapshot)}: {describe_evaluation(evaluation, self.objective, snapshot)}")

    def retrained(self, row: FinalRow, snapshot: Snapshot) -> None:
        """One line for a final row."""
        if not self.quiet:
            self._line(f"{headline(snapshot)}: {describe_row(row, self.objective)}")

    def tick(self, snapshot: Snapshot) -> None:
        """Nothing: plain lines would flood a log."""

    def message(self, text: str) -> None:
        """A remark, always."""
        self._line(text)

    def _line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class LiveProgress(PlainProgress):
    """A line at the bottom of the terminal that keeps moving; failures and remarks scroll above it."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        from rich.console import Console
        from rich.live import Live

        self.console = Console(stderr=True, highlight=False)
        self._live: Live = Live(console=self.console, refresh_per_second=4, transient=True)
        self._now: Snapshot | None = None
        self._label = ""
        self._seen = time.monotonic()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def stage(self, snapshot: Snapshot) -> None:
        """Closes the line of the stage before and begins a new one."""
        if self._now is not None and self._now.stage != snapshot.stage:
            self.console.print(f"{headline(self._now)}{standing(self._now, self.objective)}", markup=False)
        self._draw(snapshot)

    def started(self, label: str, snapshot: Snapshot) -> None:
        """Shows what runs."""
        self._label = label
        self._draw(snapshot)

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        """Failures and new bests scroll; the line moves on."""
        better = snapshot.best_number == evaluation.number and evaluation.status == "ok"
        if evaluation.status == "failed" or better:
            self.console.print(f"  {describe_evaluation(evaluation, self.objective, snapshot)}", markup=False)
        self._draw(snapshot)

    def retrained(self, row: FinalRow, snapshot: Snapshot) -> None:
        """A line for each final row."""
        self.console.print(f"  {describe_row(row, self.objective)}", markup=False)
        self._draw(snapshot)

    def tick(self, snapshot: Snapshot) -> None:
        """Moves the line."""
        self._draw(snapshot)

    def message(self, text: str) -> None:
        """A remark above the line."""
        self.console.print(text, markup=False)

    def _draw(self, snapshot: Snapshot) -> None:
        from rich.text import Text

        self._now = snapshot
        share = _share(snapshot)
        full = round(share * _BAR)
        line = Text.assemble(
            (headline(snapshot), "bold"),
            " ",
            ("━" * full, "green"),
            ("━" * (_BAR - full), "bright_black"),
            standing(snapshot, self.objective),
            (f"  {self._label}" if self._label and snapshot.running else "", "bright_black"),
        )
        self._live.update(line)


def headline(snapshot: Snapshot) -> str:
    """`search 12/50`."""
    name = _NAMES.get(snapshot.stage, snapshot.stage)
    if snapshot.total is not None:
        return f"{name} {snapshot.done}/{snapshot.total}"
    return f"{name} {snapshot.done}" if snapshot.done or snapshot.budget_seconds else name


def standing(snapshot: Snapshot, objective: Objective) -> str:
    """Best so far, failures, time, pace."""
    from gnas.report.text import duration, number

    parts = []
    if snapshot.best is not None:
        parts.append(f"best {objective.name} {number(snapshot.best)} (trial {snapshot.best_number})")
    if snapshot.failed:
        parts.append(f"{snapshot.failed} failed")
    if snapshot.pruned:
        parts.append(f"{snapshot.pruned} pruned")
    if snapshot.infeasible:
        parts.append(f"{snapshot.infeasible} infeasible")
    parts.append(duration(snapshot.seconds))
    if snapshot.per_hour is not None:
        parts.append(f"{snapshot.per_hour:,.0f} an hour")
    if snapshot.eta_seconds is not None:
        parts.append(f"{duration(snapshot.eta_seconds)} left")
    return "  " + ", ".join(parts)


def describe_evaluation(evaluation: Evaluation, objective: Objective, snapshot: Snapshot) -> str:
    """`trial 7: rmse 0.812, 12 s; best rmse 0.779 (trial 3), 1 failed, …`."""
    from gnas.report.text import duration, number, shorten

    if evaluation.status == "ok":
        said = f"{objective.name} {number(evaluation.values.get(objective.name))}"
    else:
        said = f"{evaluation.status}: {shorten(evaluation.reason, 160)}"
    text = f"trial {evaluation.number}: {said}, {duration(evaluation.seconds)}"
    return f"{text};{standing(snapshot, objective)[1:]}"


def describe_row(row: FinalRow, objective: Objective) -> str:
    """`finalist 1, seed 0: validation rmse 0.71, test 0.78`."""
    from gnas.report.text import number, shorten

    if row.reason:
        return f"{row.name}, seed {row.seed}: failed: {shorten(row.reason, 160)}"
    validation, test = row.validation.get(objective.name), row.test.get(objective.name)
    return f"{row.name}, seed {row.seed}: validation {objective.name} {number(validation)}, test {number(test)}"


def _share(snapshot: Snapshot) -> float:
    shares = [0.0]
    if snapshot.total:
        shares.append(snapshot.done / snapshot.total)
    if snapshot.budget_seconds:
        shares.append(snapshot.seconds / snapshot.budget_seconds)
    return min(max(shares), 1.0)
