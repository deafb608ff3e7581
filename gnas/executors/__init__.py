"""Executors: where evaluations and final trainings run, behind one protocol."""

from __future__ import annotations

from typing import Any

from gnas.evaluate.limits import Limits
from gnas.executors.inline import InlineExecutor
from gnas.executors.protocol import Executor, J, R, Work

__all__ = ["Executor", "InlineExecutor", "Work", "make_executor"]


def make_executor(
    kind: str,
    work: Work[J, R],
    *,
    workers: int,
    limits: Limits,
    device: str = "cpu",
    after: Executor[Any, Any] | None = None,
) -> Executor[J, R]:
    """The executor of a kind; nothing starts before the first job.

    Args:
        kind: `inline`, `processes` or `ray`.
        work: What it runs.
        workers: Jobs in flight; `inline` has one whatever is said.
        limits: Of one job.
        device: Where jobs train, for the resources that a Ray task asks for.
        after: An executor of the same kind that has done its jobs: its workers are taken over, and it is closed.

    Raises:
        MissingExtraError: `ray` is not installed.
    """
    if kind == "inline":
        return InlineExecutor(work)
    if kind == "ray":
        from gnas.executors.ray import RayExecutor

        if isinstance(after, RayExecutor):
            return after.hand_over(work, limits)
        return RayExecutor(work, workers=workers, limits=limits, device=device)
    from gnas.executors.processes import ProcessExecutor

    if isinstance(after, ProcessExecutor):
        return after.hand_over(work, limits)
    return ProcessExecutor(work, workers=workers, limits=limits)
