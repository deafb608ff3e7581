"""The course of a search: best so far, fronts and failures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gnas.evaluation import Evaluation, Objective, Status
from gnas.report.pareto import nondominated
from gnas.report.text import shorten

COSTS = ("latency_ms", "n_params", "macs", "memory_bytes")
_DIGITS = re.compile(r"\d[\d,._]*")


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation in the order of the study.

    Attributes:
        trial: Evaluations so far, this one included; `seconds`: seconds spent in them, summed over workers.
        value: Its objective, NaN where it did not end well.
        best: Best so far, NaN before the first good one.
        evaluation: The evaluation itself.
    """

    trial: int
    seconds: float
    value: float
    best: float
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Front:
    """Objective against one cost: evaluations that have both, and which of them no other dominates."""

    cost: str
    evaluations: tuple[Evaluation, ...]
    on_front: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Evaluations that did not end well for one reason (numbers aside): how many, which, and a reason in full."""

    status: Status
    reason: str
    count: int
    trials: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study cost: evaluations by status, seconds summed over workers, CPU seconds."""

    ok: int
    failed: int
    infeasible: int
    pruned: int
    seconds: float
    cpu_seconds: float

    @property
    def total(self) -> int:
        """Evaluations of every status."""
        return self.ok + self.failed + self.infeasible + self.pruned


def good(evaluations: Sequence[Evaluation], objective: Objective) -> list[Evaluation]:
    """Evaluations that ended well with a finite objective."""
    return [e for e in evaluations if e.status == "ok" and math.isfinite(e.values.get(objective.name, math.nan))]


def incumbent(evaluations: Sequence[Evaluation], objective: Objective) -> Evaluation | None:
    """The best evaluation, the earliest of equals; None if none ended well."""
    ranked = ranking(evaluations, objective)
    return ranked[0] if ranked else None


def ranking(evaluations: Sequence[Evaluation], objective: Objective) -> list[Evaluation]:
    """Good evaluations, best first."""
    return sorted(good(evaluations, objective), key=lambda e: (-objective.sign() * e.values[objective.name], e.number))


def best_so_far(evaluations: Sequence[Evaluation], objective: Objective) -> tuple[Step, ...]:
    """The best-so-far curve in the order of the study."""
    steps: list[Step] = []
    seconds, best = 0.0, math.nan
    for trial, evaluation in enumerate(sorted(evaluations, key=lambda e: e.number), start=1):
        seconds += evaluation.seconds
        value = evaluation.values.get(objective.name, math.nan) if evaluation.status == "ok" else math.nan
        if math.isfinite(value) and (math.isnan(best) or objective.better(value, best)):
            best = value
        steps.append(Step(trial, seconds, value, best, evaluation))
    return tuple(steps)


def fronts(evaluations: Sequence[Evaluation], objective: Objective) -> tuple[Front, ...]:
    """Pareto fronts of the objective against each cost that at least two evaluations carry."""
    found: list[Front] = []
    for cost in COSTS:
        members = [e for e in good(evaluations, objective) if math.isfinite(e.values.get(cost, math.nan))]
        if len(members) < 2:
            continue
        points = np.array([[-objective.sign() * e.values[objective.name], e.values[cost]] for e in members])
        found.append(Front(cost, tuple(members), tuple(bool(on) for on in nondominated(points))))
    return tuple(found)


def failures(studies: Mapping[str, Sequence[Evaluation]]) -> tuple[FailureGroup, ...]:
    """Failed, infeasible and pruned evaluations of the named studies grouped by reason, the most frequent first."""
    groups: dict[tuple[Status, str], list[tuple[str, Evaluation]]] = {}
    for study, evaluations in studies.items():
        for evaluation in evaluations:
            if evaluation.status != "ok":
                key = _DIGITS.sub("#", shorten(evaluation.reason, 160)) or "no reason was recorded"
                groups.setdefault((evaluation.status, key), []).append((study, evaluation))
    found = [
        FailureGroup(
            status,
            _headline(members, reason),
            len(members),
            tuple(f"{study} {e.number}" for study, e in members),
            members[0][1].reason,
        )
        for (status, reason), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.count, group.status, group.reason)))


def spent(evaluations: Sequence[Evaluation]) -> Spent:
    """What a study cost."""
    counts = Counter(e.status for e in evaluations)
    seconds, cpu = sum(e.seconds for e in evaluations), sum(e.cpu_seconds for e in evaluations)
    return Spent(counts["ok"], counts["failed"], counts["infeasible"], counts["pruned"], seconds, cpu)


def _headline(members: Sequence[tuple[str, Evaluation]], pattern: str) -> str:
    firsts = {shorten(member.reason, 160) for _, member in members}
    return pattern if len(firsts) > 1 else (firsts.pop() or pattern)
