"""Jobs as Ray tasks, on a local cluster or an existing one."""

from __future__ import annotations

import logging
import os
import time
import warnings
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gnas.errors import MissingExtraError, StudyError
from gnas.evaluate.limits import Limits
from gnas.executors.protocol import J, R, Work

_TIME_GRACE = 1.25
_TIME_GRACE_SECONDS = 30.0
"""On top of a job's time limit: a Ray task may wait for a worker process to start."""

J2 = TypeVar("J2")
R2 = TypeVar("R2")


@dataclass(slots=True)
class _Flight(Generic[J]):
    job: J
    started: float


@dataclass(slots=True)
class RayExecutor(Generic[J, R]):
    """Each job is one Ray task that asks for its resources; the work is put into the object store once.

    An existing cluster is used where `address` or the variable `RAY_ADDRESS` names one, else a local one is started
    with as many CPUs as workers. A cluster that was there before is left running.

    Args:
        work: What the tasks do.
        workers: Tasks in flight.
        limits: Of one job. Tasks check their memory themselves, after each epoch.
        device: A CUDA device asks for one GPU a task.
        address: Of an existing cluster (`auto`, `ray://host:10001`, `host:6379`).
    """

    work: Work[J, R]
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    device: str = "cpu"
    address: str | None = None
    _ray: Any = field(default=None, init=False)
    _task: Any = field(default=None, init=False)
    _held: Any = field(default=None, init=False)
    _flights: dict[Any, _Flight[J]] = field(default_factory=dict, init=False)
    _done: list[R] = field(default_factory=list, init=False)
    _spent: float = field(default=0.0, init=False)
    _owner: bool = field(default=False, init=False)

    @property
    def slots(self) -> int:
        """Tasks in flight."""
        return self.workers

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of all finished tasks."""
        return self._spent

    def submit(self, job: J) -> None:
        """Starts a task; the first call connects to the cluster.

        Raises:
            MissingExtraError: Ray is not installed.
            StudyError: The cluster cannot be reached.
        """
        if self._ray is None:
            self._connect()
        reference = self._task.remote(self._held, job)
        self._flights[reference] = _Flight(job, time.perf_counter())

    def wait(self, timeout: float | None = None) -> list[R]:
        """Results finished since the last call; blocks until at least one or the timeout (seconds)."""
        if self._flights and not self._done:
            ready, _ = self._ray.wait(list(self._flights), num_returns=1, timeout=timeout)
            # NOTE: others that are ready too come with the next call; order does not matter.
            for reference in ready:
                self._collect(reference)
            self._overdue()
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Cancels what is in flight and leaves the cluster, ending it where it was started here."""
        for reference in self._flights:
            self._ray.cancel(reference, force=True)
        self._flights.clear()
        self._held = None
        if self._owner:
            import ray

            ray.shutdown()
            self._owner = False
        self._ray = None

    def hand_over(self, work: Work[J2, R2], limits: Limits) -> RayExecutor[J2, R2]:
        """An executor for other work on the same cluster; this one is closed."""
        heir: RayExecutor[J2, R2] = RayExecutor(work, self.workers, limits, self.device, self.address)
        heir._owner, self._owner = self._owner, False
        heir._spent = self._spent
        self.close()
        return heir

    def _connect(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError.of("ray", "ray") from error
        if not ray.is_initialized():
            self._owner = True
            _start(ray, self.address, self.workers)
        self._ray = ray
        self._held = ray.put(self.work)
        gpus = 1 if self.device.startswith("cuda") else 0
        # A failed candidate must not be tried again by Ray: it would only fail again, and later.
        self._task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_run)

    def _collect(self, reference: Any) -> None:
        flight = self._flights.pop(reference)
        try:
            result, cpu_seconds = self._ray.get(reference)
        except Exception as error:
            reason = f"worker died ({type(error).__name__}: {_first_line(error)})"
            self._fail(flight, reason)
            return
        self._spent += cpu_seconds
        self._done.append(result)

    def _overdue(self) -> None:
        if self.limits.seconds is None:
            return
        longest = self.limits.seconds * _TIME_GRACE + _TIME_GRACE_SECONDS
        for reference, flight in list(self._flights.items()):
            spent = time.perf_counter() - flight.started
            if spent > longest:
                self._ray.cancel(reference, force=True)
                del self._flights[reference]
                self._fail(flight, f"OutOfTimeError: cancelled after {spent:,.0f} s > {self.limits.seconds:,.0f} s")

    def _fail(self, flight: _Flight[J], reason: str) -> None:
        self._done.append(self.work.failed(flight.job, reason, time.perf_counter() - flight.started))


def _start(ray: Any, address: str | None, workers: int) -> None:
    address = address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"address": address} if address else {"num_cpus": workers}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(
                include_dashboard=False if not address else None,
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=False,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
                **options,
            )
        except Exception as error:  # Ray raises bare exceptions where a node does not start in time.
            raise StudyError(
                f"the Ray cluster cannot be reached ({_first_line(error)})",
                place="executor",
                value=address or "local",
                remedy="check RAY_ADDRESS, or leave it unset to start a local cluster",
            ) from error


def _run(work: Any, job: Any) -> tuple[Any, float]:
    start = time.process_time()
    result = work.run(job)
    return result, time.process_time() - start


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
