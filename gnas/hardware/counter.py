"""Costs of networks on a task's own examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from gnas.domain import Task

COST_EXAMPLES = 16
"""Training examples over which costs are counted, per example."""


@dataclass(frozen=True, slots=True)
class CostCounter:
    """Counts parameters, MACs and activation memory per example; travels to workers.

    Attributes:
        task: Gives the examples.
    """

    task: Task

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Costs of a network by name; it is left as it was."""
        from gnas.hardware.costs import count_costs

        return count_costs(network, self.task.example(COST_EXAMPLES), examples=COST_EXAMPLES).as_values()
