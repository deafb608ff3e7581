"""Ours: the executor of a search, N worker processes of one thread each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from gnas.evaluate.candidate import CandidateWork
from gnas.evaluate.job import Job
from gnas.evaluation import Evaluation
from gnas.executors.processes import ProcessExecutor
from gnas.hardware.counter import CostCounter
from loops.subject import Subject


class Engine:
    """Workers that are up and have trained before, as in a search that runs.

    Args:
        subject: What they train.
        workers: How many.
        device: Where.
    """

    def __init__(self, subject: Subject, workers: int, device: str) -> None:
        self._subject, self._device = subject, device
        self._executor: ProcessExecutor[Job, Evaluation] = ProcessExecutor(self.work(), workers=workers)
        short = subject.recipe.model_copy(update={"epochs": 1})
        jobs = [replace(job, recipe=short) for job in self.jobs(range(len(subject.candidates)))]
        self._seconds = [e.seconds for e in sorted(self._run(jobs), key=lambda e: e.number)]

    def work(self) -> CandidateWork:
        """The work of its workers."""
        subject = self._subject
        count = CostCounter(subject.task)
        return CandidateWork(subject.space, subject.task, subject.objective, self._device, count=count)

    def jobs(self, order: Sequence[int]) -> list[Job]:
        """A job for each candidate."""
        return [Job(i, self._subject.candidates[i], self._subject.recipe) for i in order]

    def run(self) -> tuple[list[Evaluation], float, float]:
        """Evaluations of all candidates, wall and CPU seconds.

        The longest begin: a search always has a next candidate for an idle worker, this bench has not.
        """
        order = sorted(range(len(self._seconds)), key=lambda i: -self._seconds[i])
        wall, cpu = time.perf_counter(), self._executor.cpu_seconds + time.process_time()
        found = self._run(self.jobs(order))
        wall, cpu = time.perf_counter() - wall, self._executor.cpu_seconds + time.process_time() - cpu
        return sorted(found, key=lambda e: e.number), wall, cpu

    def close(self) -> None:
        """Ends the workers."""
        self._executor.close()

    def _run(self, jobs: Sequence[Job]) -> list[Evaluation]:
        waiting, found, running = list(jobs), list[Evaluation](), 0
        while waiting or running:
            while waiting and running < self._executor.slots:
                self._executor.submit(waiting.pop(0))
                running += 1
            done = self._executor.wait()
            running -= len(done)
            found += done
        return found
