"""Any searcher on the space of a trained model: candidates are judged with inherited weights, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from gnas.architecture import Architecture
from gnas.autospace.batch_norm import Call, reestimate
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.job import Evaluate
from gnas.autospace.network import SubNetwork
from gnas.autospace.reductions import random_reduction
from gnas.errors import SpaceError
from gnas.evaluation import Constraint, Evaluation, Objective
from gnas.searchers.protocol import Searcher
from gnas.searchers.regularized_evolution import RegularizedEvolution

SCORE = "score"


@dataclass(slots=True)
class InheritedStudy:
    """What a searcher sees: scores of sub-networks with inherited weights, and limits on what is counted.

    Attributes:
        space: The model's space.
        constraints: Upper limits on `n_params` and `macs`.
        evaluations: So far.
    """

    space: AutoSpace
    constraints: tuple[Constraint, ...]
    objective: Objective = field(default_factory=lambda: Objective(SCORE, "maximize"))
    evaluations: list[Evaluation] = field(default_factory=list)
    pending: tuple[Architecture, ...] = ()

    def infeasible(self, architecture: Architecture) -> str:
        """The limit that an architecture breaks; empty if none."""
        costs = self.space.costs(architecture)
        for limit in self.constraints:
            if costs[limit.name] > limit.upper:
                return f"{limit.name} {costs[limit.name]:,.0f} > {limit.upper:,.0f}"
        return ""

    def tell(self, architecture: Architecture, score: float, step: int) -> None:
        """One more evaluation."""
        values = {SCORE: score, **self.space.costs(architecture)}
        self.evaluations.append(
            Evaluation(
                len(self.evaluations), architecture.digest, architecture.assignment, "ok", values=values, step=step
            )
        )


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a search found.

    Attributes:
        architecture: The best one.
        module: It, with inherited weights and its own statistics of batch normalisation.
        score: Its score.
        evaluations: All that were judged.
    """

    architecture: Architecture
    module: nn.Module
    score: float
    evaluations: tuple[Evaluation, ...]


def search_inherited(
    space: AutoSpace,
    evaluate: Evaluate,
    batches: Sequence[Call],
    *,
    limits: Mapping[str, float],
    trials: int = 200,
    start: int = 20,
    searcher: Searcher | None = None,
    seed: int = 0,
) -> Inherited:
    """Runs a searcher on the sub-networks of a trained model, which keep its weights.

    Args:
        space: The trained model's.
        evaluate: Score of a module, larger is better.
        batches: Training batches, by which batch normalisation is estimated again for each candidate.
        limits: Upper limits on `n_params` and `macs`; below 1 a share of the model's.
        trials: Candidates.
        start: How many of them are random sub-networks just within the limits, before the searcher is asked: without
            training, much smaller ones are no better than chance, and draws from the whole space are nearly all such.
        searcher: Any; regularised evolution if None.
        seed: Step k asks with a generator seeded by `(seed, k)`.

    Raises:
        SpaceError: A limit on something else, or no candidate keeps the limits.
    """
    full = space.costs({})
    for name in limits:
        if name not in full:
            raise SpaceError("no such cost", place="limits", value=name, accepted=", ".join(full))
    bounds = tuple(Constraint(n, full[n] * upper if upper < 1 else upper) for n, upper in limits.items())
    study, chosen = InheritedStudy(space, bounds), searcher or RegularizedEvolution()
    best: tuple[float, Architecture, nn.Module] | None = None
    for step in range(trials):
        asked = _asked(study, chosen, step < start, np.random.default_rng((seed, step)))
        if not asked:
            break
        module = space.build(asked[0])
        if isinstance(module, SubNetwork):
            reestimate(module, batches)
        score = evaluate(module.eval())
        study.tell(asked[0], score, step)
        if best is None or score > best[0]:
            best = (score, asked[0], module)
    if best is None:
        raise SpaceError("no sub-network keeps the limits", place="limits", value=dict(limits))
    return Inherited(best[1], best[2], best[0], tuple(study.evaluations))


def _asked(study: InheritedStudy, searcher: Searcher, starting: bool, rng: np.random.Generator) -> list[Architecture]:
    if not starting:
        return searcher.ask(study, 1, rng)
    limits = {limit.name: limit.upper for limit in study.constraints}
    return [study.space.decode(random_reduction(study.space, limits, rng))]
