"""The `Executor` protocol: where evaluations run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gnas.architecture import Architecture
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Job:
    """One evaluation to run.

    Attributes:
        number: Position in the study.
        architecture: What to train.
        recipe: How.
        step: The `ask` it came from.
        costs: Already counted (`n_params`, …), to be kept in the evaluation's values.
    """

    number: int
    architecture: Architecture
    recipe: Recipe
    step: int = 0
    costs: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class Executor(Protocol):
    """Runs jobs, several at a time. A job that dies (memory, time, a signal) comes back as a failed evaluation."""

    @property
    def slots(self) -> int:
        """Jobs that can be in flight."""
        ...

    def submit(self, job: Job) -> None:
        """Starts a job; at most `slots` are in flight."""
        ...

    def wait(self, timeout: float | None = None) -> list[Evaluation]:
        """Evaluations finished since the last call; blocks until at least one or the timeout."""
        ...

    def close(self) -> None:
        """Ends the workers; jobs in flight are dropped."""
        ...
