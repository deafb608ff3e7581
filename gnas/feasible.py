"""Whether any architecture of a space keeps the constraints: impossible ones are refused before any training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gnas.domain import AnsweringTask
from gnas.errors import SpecError
from gnas.evaluation import FREE_COSTS
from gnas.yamlfile import KeyPath, read_yaml

if TYPE_CHECKING:
    from gnas.architecture import Architecture
    from gnas.problem import Problem
    from gnas.space.protocol import Codes

_DESCENT_ROUNDS = 24
_DESCENT_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Feasibility:
    """How the constraints cut the space.

    Attributes:
        sampled: Architectures drawn uniformly; `feasible` of them keep every limit.
        looked_at: All architectures whose costs were counted, those of the descent included.
        least: Smallest value found of each constrained cost.
    """

    sampled: int
    feasible: int
    looked_at: int
    least: Mapping[str, float] = field(default_factory=dict)


def check_feasible(problem: Problem, *, samples: int = 48, enough: int | None = None) -> Feasibility:
    """Counts costs of architectures drawn uniformly; if none fits, descends to smaller ones before giving up.

    Args:
        problem: Its limits on `n_params`, `macs` and `memory_bytes` are looked at; `latency_ms` needs a measurement.
        samples: Architectures drawn.
        enough: Stops drawing after so many feasible ones.

    Raises:
        SpecError: No architecture looked at keeps every limit; the smallest value found is told.
    """
    if not any(constraint.name in FREE_COSTS for constraint in problem.constraints):
        return Feasibility(0, 0, 0)
    search = _Search(problem)
    rng = np.random.default_rng(problem.spec.seed)
    rows = problem.space.sample_codes(rng, samples)
    ratios: list[float] = []
    for row in rows:
        ratios.append(search.ratio(row))
        if enough is not None and sum(ratio <= 1 for ratio in ratios) >= enough:
            break
    feasible = sum(ratio <= 1 for ratio in ratios)
    if not feasible and not search.descend(rows[int(np.argmin(ratios))], min(ratios), rng):
        raise _impossible(problem, search)
    return Feasibility(len(ratios), feasible, search.looked_at, dict(search.least))


def keeps_limits(problem: Problem) -> Callable[[Codes], bool]:
    """Tells of a row of codes whether its counted costs keep the constraints."""
    search = _Search(problem)
    return lambda row: not search.limits or search.ratio(row) <= 1


class _Search:
    """Counts costs and keeps the smallest found."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.limits = {c.name: c.upper for c in problem.constraints if c.name in FREE_COSTS}
        task = problem.task.sealed()
        self.answering = task if isinstance(task, AnsweringTask) else None
        self.example = {} if self.answering else task.example(16)
        self.least = dict.fromkeys(self.limits, math.inf)
        self.looked_at = 0

    def ratio(self, row: Codes) -> float:
        """The largest cost as a share of its limit: at most 1 where every limit is kept."""
        costs = self._costs(self.problem.space.decode(row))
        self.looked_at += 1
        for name in self.limits:
            if name not in costs:
                place = place_in_spec(self.problem, ("constraints", name))
                raise SpecError("the task knows no such cost", place=place, accepted=", ".join(costs) or "none")
        for name in self.limits:
            self.least[name] = min(self.least[name], costs[name])
        return max(costs[name] / upper for name, upper in self.limits.items())

    def _costs(self, architecture: Architecture) -> Mapping[str, float]:
        if self.answering is not None:
            return self.answering.costs(architecture)
        from gnas.hardware.costs import count_costs

        network = self.problem.space.build(architecture)
        return count_costs(network, self.example, examples=16).as_values()

    def descend(self, row: Codes, ratio: float, rng: np.random.Generator) -> bool:
        """Whether mutations that come ever nearer to the limits reach them."""
        for _ in range(_DESCENT_ROUNDS):
            near = self.problem.space.mutate_codes(np.repeat(row[None], _DESCENT_WIDTH, axis=0), rng)
            ratios = [self.ratio(other) for other in near]
            best = int(np.argmin(ratios))
            if ratios[best] < ratio:
                row, ratio = near[best], ratios[best]
            if ratio <= 1:
                return True
        return False


def _impossible(problem: Problem, search: _Search) -> SpecError:
    broken = [name for name, upper in search.limits.items() if search.least[name] > upper]
    name = broken[0] if broken else next(iter(search.limits))
    place = place_in_spec(problem, ("constraints", name))
    if broken:
        return SpecError(
            f"none of the {search.looked_at} architectures looked at keeps this limit",
            place=place,
            value=search.limits[name],
            accepted=f"at least {search.least[name]:,.0f}, the smallest found",
            remedy="raise the limit, or choose a smaller space",
        )
    limits = ", ".join(f"{name} <= {upper:,.0f}" for name, upper in search.limits.items())
    return SpecError(
        f"none of the {search.looked_at} architectures looked at keeps all limits together ({limits})",
        place=place_in_spec(problem, ("constraints",)),
        accepted="alone, down to " + ", ".join(f"{name} {value:,.0f}" for name, value in search.least.items()),
        remedy="raise one of them, or choose a smaller space",
    )


def place_in_spec(problem: Problem, path: KeyPath) -> str:
    """File, line and key path of a value of the problem's spec."""
    from gnas.yamlfile import dotted

    if problem.path is None or not problem.path.is_file():
        return dotted(path)
    return read_yaml(problem.path).place(path)
