"""Costs of networks on a task's own examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from gnas.domain import Task
    from gnas.hardware.layerwise import LayerwiseCounter

COST_EXAMPLES = 16
"""Training examples over which costs are counted, per example."""


class CostCounter:
    """Counts parameters, MACs and activation memory per example; travels to workers, without what it remembers.

    Args:
        task: Gives the examples.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._counter: LayerwiseCounter | None = None

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Costs of a network by name; it is left as it was."""
        from gnas.build import Network
        from gnas.hardware.costs import count_costs
        from gnas.hardware.layerwise import LayerwiseCounter

        if not isinstance(network, Network):
            return count_costs(network, self._task.example(COST_EXAMPLES), examples=COST_EXAMPLES).as_values()
        if self._counter is None:
            self._counter = LayerwiseCounter(self._task.example(COST_EXAMPLES), COST_EXAMPLES)
        return self._counter(network).as_values()

    def __reduce__(self) -> tuple[type[CostCounter], tuple[Task]]:
        return type(self), (self._task,)
