"""Jobs one after another in this process: for debugging, and for the smallest machines."""

from __future__ import annotations

from typing import Generic

from gnas.executors.protocol import J, R, Work


class InlineExecutor(Generic[J, R]):
    """Runs a job when it is waited for. Time and memory are checked between steps and epochs only."""

    def __init__(self, work: Work[J, R]) -> None:
        self._work = work
        self._jobs: list[J] = []
        self._prepared = False

    @property
    def slots(self) -> int:
        """One."""
        return 1

    @property
    def cpu_seconds(self) -> float:
        """None outside this process."""
        return 0.0

    def submit(self, job: J) -> None:
        """Keeps the job for the next `wait`."""
        self._jobs.append(job)

    def wait(self, timeout: float | None = None) -> list[R]:
        """Runs the job to its end, whatever the timeout."""
        if not self._prepared:
            self._work.prepare()
            self._prepared = True
        jobs, self._jobs = self._jobs, []
        return [self._work.run(job) for job in jobs]

    def close(self) -> None:
        """Drops what was not started."""
        self._jobs.clear()
