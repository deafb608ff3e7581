"""Jobs in local worker processes: one torch thread each, watched for memory and time."""

from __future__ import annotations

import contextlib
import pickle
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

import psutil

from gnas.errors import GnasError
from gnas.evaluate.limits import Limits
from gnas.executors.protocol import J, R, Work
from gnas.executors.worker import JOB, WORK, serve

_POLL_SECONDS = 0.1
_MEBIBYTE = 2**20
_TIME_GRACE = 1.25
_TIME_GRACE_SECONDS = 20.0
_START_ATTEMPTS = 3

J2 = TypeVar("J2")
R2 = TypeVar("R2")


@dataclass(slots=True)
class _Worker(Generic[J]):
    """A worker process and the job it has.

    Attributes:
        process, pipe: The process, and this end of its pipe.
        ready: Whether the work is loaded.
        baseline: Resident bytes of the worker before its first job.
        cpu_seconds: Of the process, as last told.
        job: The job assigned, None when idle.
        sent: When the job was sent; None while the worker is still starting.
    """

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    baseline: int = 0
    cpu_seconds: float = 0.0
    job: J | None = None
    sent: float | None = None


@dataclass(slots=True)
class _Deaths:
    """Workers that died before they were ready, in a row."""

    count: int = 0
    last: str = ""


@dataclass(slots=True)
class ProcessExecutor(Generic[J, R]):
    """Spawned workers, started when first needed; each gets the work once.

    A worker over its memory or time limit is killed and replaced, and its job comes back failed; so does the job of a
    worker that a signal killed. Workers end with this process, however it ends.

    Args:
        work: What the workers do; pickled once.
        workers: How many.
        limits: Of one job. Time is enforced here with some grace, since trainings end themselves in time.
    """

    work: Work[J, R]
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    _blob: bytes = b""
    _alive: list[_Worker[J]] = field(default_factory=list)
    _done: list[R] = field(default_factory=list)
    _spent: float = 0.0
    _deaths: _Deaths = field(default_factory=_Deaths)

    @property
    def slots(self) -> int:
        """The number of workers."""
        return self.workers

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all workers so far, as far as they told."""
        return self._spent + sum(worker.cpu_seconds for worker in self._alive)

    def submit(self, job: J) -> None:
        """Gives the job to an idle worker, starting one if needed.

        Raises:
            GnasError: All workers have a job.
        """
        worker = next((worker for worker in self._alive if worker.job is None), None)
        if worker is None:
            if len(self._alive) >= self.workers:
                raise GnasError(f"all {self.workers} workers are busy")
            worker = self._start()
        worker.job = job
        if worker.ready:
            self._send(worker)

    def wait(self, timeout: float | None = None) -> list[R]:
        """Results finished since the last call; blocks until at least one or the timeout (seconds).

        Raises:
            GnasError: Workers cannot start.
        """
        end = None if timeout is None else time.perf_counter() + timeout
        while not self._done and any(worker.job is not None for worker in self._alive):
            left = _POLL_SECONDS if end is None else min(_POLL_SECONDS, end - time.perf_counter())
            if left <= 0:
                break
            heard = wait([worker.pipe for worker in self._alive], timeout=left)
            for worker in list(self._alive):
                if worker.pipe in heard:
                    self._hear(worker)
                else:
                    self._watch(worker)
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Kills the workers; jobs in flight are dropped."""
        for worker in self._alive:
            worker.process.kill()
        for worker in list(self._alive):
            self._bury(worker)

    def hand_over(self, work: Work[J2, R2], limits: Limits) -> ProcessExecutor[J2, R2]:
        """An executor for other work in the same processes, which saves their starts; this one is closed.

        Workers that are not idle are killed.
        """
        heir: ProcessExecutor[J2, R2] = ProcessExecutor(work, self.workers, limits)
        for worker in list(self._alive):
            if not worker.ready or worker.job is not None:
                worker.process.kill()
                self._bury(worker)
        for worker in self._alive:
            heir._adopt(worker.process, worker.pipe, worker.cpu_seconds)
        self._alive.clear()
        heir._spent = self._spent
        return heir

    def _adopt(self, process: SpawnProcess, pipe: Connection, cpu_seconds: float) -> None:
        self._alive.append(_Worker(process, pipe, cpu_seconds=cpu_seconds))
        with contextlib.suppress(OSError):  # A dead worker is noticed when it is heard.
            pipe.send_bytes(self._pickled_work())

    def _pickled_work(self) -> bytes:
        if not self._blob:
            self._blob = WORK + pickle.dumps(self.work, protocol=pickle.HIGHEST_PROTOCOL)
        return self._blob

    def _start(self) -> _Worker[J]:
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there,), name="gnas-worker", daemon=True)
        with _without_interrupts():
            process.start()
        there.close()
        worker: _Worker[J] = _Worker(process, here)
        self._alive.append(worker)
        return worker

    def _send(self, worker: _Worker[J]) -> None:
        worker.sent = time.perf_counter()
        try:
            worker.pipe.send_bytes(JOB + pickle.dumps(worker.job))
        except OSError:
            self._died(worker)

    def _hear(self, worker: _Worker[J]) -> None:
        try:
            message = worker.pipe.recv()
            if message[0] == "hello":
                worker.pipe.send_bytes(self._pickled_work())
                return
        except (EOFError, OSError):
            self._died(worker)
            return
        if message[0] == "ready":
            worker.ready, worker.baseline, worker.cpu_seconds = True, message[1], message[2]
            self._deaths.count = 0
            if worker.job is not None:
                self._send(worker)
        elif message[0] == "result":
            worker.job, worker.sent = None, None
            worker.cpu_seconds = message[2]
            self._done.append(message[1])
        else:
            self.close()
            raise GnasError(f"workers cannot start: {message[1]}")

    def _watch(self, worker: _Worker[J]) -> None:
        if worker.sent is None:
            return
        spent = time.perf_counter() - worker.sent
        seconds, memory_mb = self.limits.seconds, self.limits.memory_mb
        if seconds is not None and spent > seconds * _TIME_GRACE + _TIME_GRACE_SECONDS:
            self._kill(worker, f"OutOfTimeError: killed after {spent:,.0f} s > {seconds:,.0f} s")
        elif memory_mb is not None:
            try:
                grown = (psutil.Process(worker.process.pid).memory_info().rss - worker.baseline) / _MEBIBYTE
            except psutil.Error:
                return  # It just died: its pipe says so.
            if grown > memory_mb:
                self._kill(worker, f"OutOfMemoryError: killed at {grown:,.0f} MB > {memory_mb:,.0f} MB")

    def _kill(self, worker: _Worker[J], reason: str) -> None:
        worker.process.kill()
        self._fail(worker, reason)

    def _died(self, worker: _Worker[J]) -> None:
        worker.process.join(timeout=5)
        code = worker.process.exitcode
        reason = f"worker died (signal {-code})" if code is not None and code < 0 else f"worker exited with code {code}"
        if worker.ready:
            self._fail(worker, reason)
            return
        # It died while starting: no fault of the job, which is given to another worker, but not for ever.
        self._deaths.count += 1
        if self._deaths.count >= _START_ATTEMPTS:
            self.close()
            raise GnasError(f"workers cannot start: {reason}")
        job = worker.job
        self._bury(worker)
        if job is not None:
            self.submit(job)

    def _fail(self, worker: _Worker[J], reason: str) -> None:
        job, spent = worker.job, 0.0 if worker.sent is None else time.perf_counter() - worker.sent
        self._bury(worker)
        if job is not None:
            self._done.append(self.work.failed(job, reason, spent))

    def _bury(self, worker: _Worker[J]) -> None:
        if worker in self._alive:
            self._alive.remove(worker)
        worker.process.join(timeout=10)
        worker.pipe.close()
        self._spent += worker.cpu_seconds


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ctrl-C waits, and processes started inside never hear it: while importing, one would die with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # Otherwise it is started inside, and lifts the block when it is.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
