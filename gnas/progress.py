"""Progress: what a run tells while it goes on. The command line draws it; tests and scripts use `SilentProgress`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from gnas.evaluation import Evaluation
from gnas.results import FinalRow

Stage = Literal["search", "random_search", "finals", "export", "report"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a stage stands.

    Attributes:
        stage: Which stage.
        done: Units finished: evaluations (infeasible ones not counted), retrainings in `finals`.
        total: Units planned; None where only a time ends the stage.
        seconds: Wall-clock seconds spent in the stage, summed over resumptions.
        budget_seconds: Seconds the stage may take; None where only a count ends it.
        eta_seconds: Estimated seconds left; None while unknown.
        best: Best validation value of the objective so far; None while there is none.
        best_number: Number of the evaluation that has it, −1 while there is none.
        failed, infeasible, pruned: Evaluations that failed, that a constraint refused, that fell behind.
        running: Jobs in flight.
    """

    stage: Stage
    done: int = 0
    total: int | None = None
    seconds: float = 0.0
    budget_seconds: float | None = None
    eta_seconds: float | None = None
    best: float | None = None
    best_number: int = -1
    failed: int = 0
    infeasible: int = 0
    running: int = 0
    pruned: int = 0

    @property
    def per_hour(self) -> float | None:
        """Units finished in an hour at the pace so far; None before the first."""
        return 3600 * self.done / self.seconds if self.done and self.seconds else None


@runtime_checkable
class Progress(Protocol):
    """Listens to a run. Calls come from one thread; an exception raised here ends the run."""

    def stage(self, snapshot: Snapshot) -> None:
        """A stage begins or is continued."""
        ...

    def started(self, label: str, snapshot: Snapshot) -> None:
        """A job starts: `trial 12`, `finalist 1, seed 0`."""
        ...

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        """An evaluation is recorded."""
        ...

    def retrained(self, row: FinalRow, snapshot: Snapshot) -> None:
        """A final row is recorded."""
        ...

    def tick(self, snapshot: Snapshot) -> None:
        """About once a second while jobs run."""
        ...

    def message(self, text: str) -> None:
        """A remark worth a line."""
        ...


class SilentProgress:
    """Tells nothing."""

    def stage(self, snapshot: Snapshot) -> None:
        """Ignored."""

    def started(self, label: str, snapshot: Snapshot) -> None:
        """Ignored."""

    def evaluated(self, evaluation: Evaluation, snapshot: Snapshot) -> None:
        """Ignored."""

    def retrained(self, row: FinalRow, snapshot: Snapshot) -> None:
        """Ignored."""

    def tick(self, snapshot: Snapshot) -> None:
        """Ignored."""

    def message(self, text: str) -> None:
        """Ignored."""
