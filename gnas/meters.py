"""What can be said of an architecture without training it: costs that are counted, latency that is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.domain import AnsweringTask
from gnas.evaluate.candidate import derive_seed
from gnas.hardware.counter import CostCounter

if TYPE_CHECKING:
    from torch import nn

    from gnas.architecture import Architecture
    from gnas.domain import Task
    from gnas.space.protocol import Space

LATENCY_CHECK_EXAMPLES = 5
"""Examples on which an exported network must agree with its original before it is timed."""


def cost_counter(space: Space, task: Task) -> Callable[[Architecture], dict[str, float]]:
    """Counts parameters, MACs and activation memory per example; a task that answers is asked for what it knows."""
    if isinstance(task, AnsweringTask):
        return lambda architecture: dict(task.costs(architecture))
    count = CostCounter(task)
    return lambda architecture: count(_fresh(space, architecture))


def latency_measure(space: Space, task: Task, out: Path) -> Callable[[Architecture], Mapping[str, float]]:
    """Measures the latency of one example, one thread, on this machine; or asks a task that answers."""
    if isinstance(task, AnsweringTask):
        return task.costs
    from gnas.hardware.latency import OnnxLatencyMeter

    meter = OnnxLatencyMeter(out)

    def measure(architecture: Architecture) -> dict[str, float]:
        network = _fresh(space, architecture)
        checks = (task.example(LATENCY_CHECK_EXAMPLES),)
        return dict(meter.measure(network, task.example(1), task.dynamic_axes(), checks).as_values())

    return measure


def _fresh(space: Space, architecture: Architecture) -> nn.Module:
    from gnas.evaluate.train import deterministic

    with deterministic(derive_seed(0, architecture.digest)):
        return space.build(architecture)
