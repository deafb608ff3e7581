"""The `Executor` protocol: where evaluations and final trainings run."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

J = TypeVar("J")
R = TypeVar("R")
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@runtime_checkable
class Work(Protocol[J_contra, R_co]):
    """What workers do: made once, sent to each worker once, then given one job after another. Picklable."""

    def prepare(self) -> None:
        """Called once in each worker before its first job."""
        ...

    def run(self, job: J_contra) -> R_co:
        """The result of a job (an `Evaluation` for a `Job`); never raises but for KeyboardInterrupt and SystemExit."""
        ...

    def failed(self, job: J_contra, reason: str, seconds: float) -> R_co:
        """The result of a job whose worker died after `seconds`."""
        ...


@runtime_checkable
class Executor(Protocol[J_contra, R]):
    """Runs jobs, several at a time. A job that dies (memory, time, a signal) comes back as a failed result."""

    @property
    def slots(self) -> int:
        """Jobs that can be in flight."""
        ...

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds spent outside this process so far, starting of workers included."""
        ...

    def submit(self, job: J_contra) -> None:
        """Starts a job; at most `slots` are in flight."""
        ...

    def wait(self, timeout: float | None = None) -> list[R]:
        """Results finished since the last call; blocks until at least one or the timeout."""
        ...

    def close(self) -> None:
        """Ends the workers; jobs in flight are dropped."""
        ...
