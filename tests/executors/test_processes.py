"""Worker processes: results, limits, deaths, orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from gnas.architecture import Architecture
from gnas.errors import GnasError
from gnas.evaluate.candidate import CandidateWork, evaluate_job
from gnas.evaluate.job import Job
from gnas.evaluate.limits import Limits
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Evaluation
from gnas.executors import processes
from gnas.executors.processes import ProcessExecutor
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask

SPACE = ToySpace(ops=("relu", "tanh", "raises", "fatal", "hungry", "slow"))
TASK = ToyTask.make().sealed()
WORK = CandidateWork(SPACE, TASK, OBJECTIVE, limits=Limits(seconds=120))


def architecture(op: str, width: int = 8) -> Architecture:
    return SPACE.decode(SPACE.encode({"depth": 1, "width": width, "op.1": op}))


def job(number: int, op: str, *, epochs: int = 2, width: int = 8) -> Job:
    return Job(number, architecture(op, width), Recipe(epochs=epochs))


Pool = ProcessExecutor[Job, Evaluation]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    executor: Pool = ProcessExecutor(WORK, workers=2, limits=Limits(seconds=120, memory_mb=300))
    yield executor
    executor.close()


def collect(pool: Pool, n: int) -> dict[int, Evaluation]:
    done: dict[int, Evaluation] = {}
    end = time.monotonic() + 120
    while len(done) < n and time.monotonic() < end:
        done.update({evaluation.number: evaluation for evaluation in pool.wait(1.0)})
    return done


def test_results_equal_those_of_this_process(pool: Pool) -> None:
    jobs = [job(0, "relu"), job(1, "tanh")]
    for each in jobs:
        pool.submit(each)
    with pytest.raises(GnasError, match="busy"):
        pool.submit(job(2, "relu"))
    done = collect(pool, 2)
    for each in jobs:
        here = evaluate_job(each, SPACE, TASK, OBJECTIVE)
        assert done[each.number].values == here.values and done[each.number].curve == here.curve
    assert pool.cpu_seconds > 0


def test_a_worker_that_is_still_starting_does_not_hear_ctrl_c() -> None:
    executor: Pool = ProcessExecutor(WORK, workers=1)
    try:
        executor.submit(job(0, "relu"))
        worker = executor._alive[0]
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGINT)
        assert collect(executor, 1)[0].status == "ok"
        assert executor._alive == [worker], "it is the one that was interrupted, not another in its place"
    finally:
        executor.close()


def test_failures_come_back_and_the_next_jobs_run(pool: Pool) -> None:
    pool.submit(job(0, "raises"))
    pool.submit(job(1, "fatal"))
    done = collect(pool, 2)
    assert done[0].reason.startswith("ValueError: this op raises on purpose")
    assert (done[1].status, done[1].reason) == ("failed", "worker died (signal 9)")
    pool.submit(job(2, "relu"))
    assert collect(pool, 1)[2].status == "ok"


def test_a_job_over_its_memory_is_killed(pool: Pool) -> None:
    pool.submit(job(0, "hungry", epochs=100_000))
    evaluation = collect(pool, 1)[0]
    assert evaluation.status == "failed"
    assert evaluation.reason.startswith("OutOfMemoryError: killed at ") and "> 300 MB" in evaluation.reason


def test_a_job_that_never_looks_at_the_clock_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_TIME_GRACE_SECONDS", 0.2)
    work = CandidateWork(SPACE, TASK, OBJECTIVE, limits=Limits())
    executor: Pool = ProcessExecutor(work, workers=1, limits=Limits(seconds=0.2))
    try:
        executor.submit(job(0, "slow", epochs=100_000))
        assert collect(executor, 1)[0].reason.startswith("OutOfTimeError: killed after ")
    finally:
        executor.close()


def test_workers_are_handed_over_to_other_work(pool: Pool) -> None:
    pool.submit(job(0, "relu"))
    collect(pool, 1)
    processes_before = {worker.process.pid for worker in pool._alive}
    other = ToyTask.make(seed=1).sealed()
    heir = pool.hand_over(CandidateWork(SPACE, other, OBJECTIVE), Limits())
    try:
        heir.submit(job(1, "relu"))
        assert collect(heir, 1)[1].values == evaluate_job(job(1, "relu"), SPACE, other, OBJECTIVE).values
        assert {worker.process.pid for worker in heir._alive} == processes_before
        assert not pool._alive
    finally:
        heir.close()


class Broken:
    """Work that cannot be loaded in a worker."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("not a number",)

    def prepare(self) -> None: ...

    def run(self, job: Job) -> Evaluation:
        raise AssertionError("no worker starts, so nothing runs")

    def failed(self, job: Job, reason: str, seconds: float) -> Evaluation:
        raise AssertionError("workers that do not start are told, not recorded")


def test_workers_that_cannot_start_are_told() -> None:
    executor: Pool = ProcessExecutor(Broken(), workers=1)
    executor.submit(job(0, "relu"))
    with pytest.raises(GnasError, match="workers cannot start: ValueError"):
        collect(executor, 1)


_DRIVER = """
import sys, time
from gnas.evaluate.candidate import CandidateWork
from gnas.evaluate.recipe import Recipe
from gnas.executors.processes import ProcessExecutor
from gnas.evaluate.job import Job
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask

if __name__ == "__main__":
    space = ToySpace(ops=("slow",))
    task = ToyTask.make().sealed()
    pool = ProcessExecutor(CandidateWork(space, task, OBJECTIVE), workers=1)
    pool.submit(Job(0, space.decode(space.encode({"depth": 1, "width": 8, "op.1": "slow"})), Recipe(epochs=10**6)))
    while not pool._alive[0].ready:
        pool.wait(0.1)
    print(pool._alive[0].process.pid, flush=True)
    pool.wait(600)
"""


def test_a_killed_parent_leaves_no_orphans() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _DRIVER], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        worker.wait(timeout=60)
    finally:
        parent.kill()
        parent.communicate()
    assert not worker.is_running()
