"""Executors: where evaluations and final trainings run, behind one protocol."""

from __future__ import annotations

from gnas.evaluate.limits import Limits
from gnas.executors.inline import InlineExecutor
from gnas.executors.protocol import Executor, J, Job, R, Work

__all__ = ["Executor", "InlineExecutor", "Job", "Work", "make_executor"]


def make_executor(kind: str, work: Work[J, R], *, workers: int, limits: Limits, device: str = "cpu") -> Executor[J, R]:
    """The executor of a kind; nothing starts before the first job.

    Args:
        kind: `inline`, `processes` or `ray`.
        work: What it runs.
        workers: Jobs in flight; `inline` has one whatever is said.
        limits: Of one job.
        device: Where jobs train, for the resources that a Ray task asks for.

    Raises:
        MissingExtraError: `ray` is not installed.
    """
    if kind == "inline":
        return InlineExecutor(work)
    if kind == "ray":
        from gnas.executors.ray import RayExecutor

        return RayExecutor(work, workers=workers, limits=limits, device=device)
    from gnas.executors.processes import ProcessExecutor

    return ProcessExecutor(work, workers=workers, limits=limits)
