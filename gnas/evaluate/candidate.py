"""One job to one evaluation: build, train, record. Whatever goes wrong is recorded, never raised."""

from __future__ import annotations

import contextlib
import hashlib
import math
import platform
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gnas import __version__
from gnas.domain import AnsweringTask, Task
from gnas.evaluate.job import Job
from gnas.evaluate.limits import Limits
from gnas.evaluate.pruning import CurveWatch
from gnas.evaluation import Evaluation, Objective
from gnas.space.protocol import Space

if TYPE_CHECKING:
    from torch import nn

Count = Callable[["nn.Module"], Mapping[str, float]]
"""Costs of a network that are free to count, by name."""


def derive_seed(seed: int, *labels: str | int) -> int:
    """A seed from 0 to 2⁶³ − 1 that depends on `seed` and the labels alone, the same on every machine."""
    text = "/".join(str(part) for part in (seed, *labels))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


@cache
def versions() -> dict[str, str]:
    """Versions of python, torch and gnas."""
    import torch

    return {"python": platform.python_version(), "torch": str(torch.__version__), "gnas": __version__}


def explain(error: BaseException) -> str:
    """One line: type, message, and the file and line that raised, as `Type: message (file.py:12)`."""
    message = " ".join(str(error).split()) or "no message"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {message[:400]}{place}"


@dataclass(frozen=True, slots=True)
class CandidateWork:
    """What a worker needs to evaluate candidates: sent to it once.

    Attributes:
        space: Bound to the task's ops; builds the networks.
        task: Sealed: no test part.
        objective: What early stopping follows.
        device: Where to train.
        limits: Of one training.
        count: Counts the costs of networks whose jobs come without.
    """

    space: Space
    task: Task
    objective: Objective
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    count: Count | None = None

    def prepare(self) -> None:
        """Imports what trainings need, and builds and runs a first network, so that no job pays for it."""
        if isinstance(self.task, AnsweringTask):
            return
        import gnas.evaluate.train  # noqa: F401

        warm_up(self.space, self.task, self.device)

    def run(self, job: Job) -> Evaluation:
        """The evaluation of a job; never raises but for KeyboardInterrupt and SystemExit."""
        if isinstance(self.task, AnsweringTask):
            return answered_evaluation(job, self.task, device=self.device)
        return evaluate_job(
            job, self.space, self.task, self.objective, device=self.device, limits=self.limits, count=self.count
        )

    def failed(self, job: Job, reason: str, seconds: float) -> Evaluation:
        """The evaluation of a job whose worker died."""
        return failed_evaluation(job, reason, seconds=seconds, device=self.device)


def warm_up(space: Space, task: Task, device: str) -> None:
    """Builds any network of a space and runs it on a few examples: imports, kernels and caches are then in place."""
    import numpy as np

    from gnas.evaluate.train import deterministic, predict

    # A network that cannot run is no trouble here: its own evaluation will tell.
    with contextlib.suppress(Exception), deterministic(0):
        network = space.build(space.sample(np.random.default_rng(0))).to(device)
        predict(network, task, "validation", device=device)


def evaluate_job(
    job: Job,
    space: Space,
    task: Task,
    objective: Objective,
    *,
    device: str = "cpu",
    limits: Limits = Limits(),  # noqa: B008 — frozen
    threads: int = 1,
    count: Count | None = None,
) -> Evaluation:
    """Builds and trains the architecture of a job.

    The seed of initialisation, batches and dropout depends on the recipe's seed and the digest, so that neither the
    order of trials nor the worker matters.

    Returns:
        Its evaluation; `failed` with a one-line reason where anything was raised, `pruned` with one where it fell
        behind.
    """
    from gnas.evaluate.train import deterministic, train

    watch = CurveWatch(job.bars)
    wall, cpu = time.perf_counter(), time.process_time()
    seed = derive_seed(job.recipe.seed, job.architecture.digest)
    try:
        with deterministic(seed, threads):
            network = space.build(job.architecture)
        if count is not None and not job.costs:
            # What cannot be counted may train all the same.
            with contextlib.suppress(Exception):
                job = replace(job, costs=dict(count(network)))
        fit = train(
            network,
            task,
            job.recipe,
            objective=objective,
            device=device,
            limits=limits,
            seed=seed,
            threads=threads,
            numerics=job.numerics,
            on_epoch=watch,
        )
    except Exception as error:
        return failed_evaluation(
            job,
            explain(error),
            seconds=time.perf_counter() - wall,
            cpu_seconds=time.process_time() - cpu,
            device=device,
        )
    return Evaluation(
        number=job.number,
        digest=job.architecture.digest,
        assignment=job.architecture.assignment,
        status="pruned" if watch.reason else "ok",
        # What was measured halfway is in the curve: it must not be taken for the value of a whole training.
        values=job.costs if watch.reason else {**job.costs, **fit.values},
        reason=watch.reason,
        fidelity=float(fit.epochs),
        seed=seed,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        device=device,
        versions=versions(),
        curve=tuple(value for value in fit.curve if math.isfinite(value)),
        step=job.step,
        numerics=fit.numerics,
    )


def answered_evaluation(job: Job, task: AnsweringTask, *, device: str = "cpu") -> Evaluation:
    """The evaluation of a job by a task that knows what its architecture reaches; `failed` where it does not."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        values = {**task.costs(job.architecture), **job.costs, **task.answer("validation", job.architecture)}
    except Exception as error:
        return failed_evaluation(job, explain(error), seconds=time.perf_counter() - wall, device=device)
    return Evaluation(
        number=job.number,
        digest=job.architecture.digest,
        assignment=job.architecture.assignment,
        status="ok",
        values=values,
        seed=derive_seed(job.recipe.seed, job.architecture.digest),
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        device=device,
        versions=versions(),
        step=job.step,
    )


def failed_evaluation(
    job: Job, reason: str, *, seconds: float = 0.0, cpu_seconds: float = 0.0, device: str = "cpu"
) -> Evaluation:
    """The record of a job that failed."""
    return Evaluation(
        number=job.number,
        digest=job.architecture.digest,
        assignment=job.architecture.assignment,
        status="failed",
        values=dict(job.costs),
        reason=reason,
        seed=derive_seed(job.recipe.seed, job.architecture.digest),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        device=device,
        versions=versions(),
        step=job.step,
    )
