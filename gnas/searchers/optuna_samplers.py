"""Optuna's TPE and NSGA-II as searchers.

The Optuna study is rebuilt in memory from the history at every ask and its sampler seeded from the generator, so that
nothing but the history counts. Choices are suggested parents first and only where they are active (define-by-run).
Failed and infeasible evaluations take values worse than any usable one, the worse the larger their measured violation,
because Optuna would otherwise learn nothing from them.

Sources: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011 (TPE); Deb et al., "A fast and
elitist multiobjective genetic algorithm: NSGA-II", 2002, doi:10.1109/4235.996017; their implementation is Optuna's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from gnas.architecture import Architecture, Value
from gnas.evaluation import Evaluation
from gnas.searchers.history import encode_rows, score
from gnas.searchers.options import require
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Choice, Codes

_TRIES = 8


@dataclass(frozen=True, slots=True)
class OptunaTpe:
    """Tree-structured Parzen estimator.

    Attributes:
        n_startup: Random evaluations before the first model.
        n_candidates: Candidates of which the one with the best expected improvement is taken.
    """

    n_startup: int = 10
    n_candidates: int = 24

    def __post_init__(self) -> None:
        require(self.n_startup >= 1, "n_startup", self.n_startup, "1 or more")
        require(self.n_candidates >= 1, "n_candidates", self.n_candidates, "1 or more")

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """`n` suggestions; a suggestion that is known already is asked again, then replaced by a random one."""
        sampler = TPESampler(
            n_startup_trials=self.n_startup,
            n_ei_candidates=self.n_candidates,
            seed=int(rng.integers(2**31)),
            constant_liar=True,
        )
        trials = [_trial(study, evaluation, values) for evaluation, values in zip(*_finished(study, ()), strict=True)]
        return _suggest(study, n, rng, sampler, trials, n_values=1)


@dataclass(frozen=True, slots=True)
class OptunaNsga2:
    """NSGA-II, with the objective alone or beside costs.

    Attributes:
        population: Size of a generation; generations are consecutive stretches of the history.
        costs: Names of recorded values that are minimised beside the objective (`n_params`, `latency_ms`).
    """

    population: int = 20
    costs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.population >= 2, "population", self.population, "2 or more")

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """`n` children of the present parents; known ones are asked again, then replaced by random ones."""
        sampler = NSGAIISampler(population_size=self.population, seed=int(rng.integers(2**31)))
        key = f"{NSGAIISampler.__name__}:generation"
        trials = [
            _trial(study, evaluation, values, {key: i // self.population})
            for i, (evaluation, values) in enumerate(zip(*_finished(study, self.costs), strict=True))
        ]
        return _suggest(study, n, rng, sampler, trials, n_values=1 + len(self.costs))


def _finished(study: StudyView, costs: Sequence[str]) -> tuple[Sequence[Evaluation], list[list[float]]]:
    """Evaluations and their values, all to be minimised; unusable ones beyond the worst usable."""
    rows = [
        [-score(study, evaluation), *(float(evaluation.values.get(name, math.nan)) for name in costs)]
        for evaluation in study.evaluations
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 1 + len(costs))
    bad = ~np.isfinite(table).all(axis=1)
    usable = table[~bad]
    worst = usable.max(axis=0) if len(usable) else np.zeros(table.shape[1])
    spread = np.maximum(np.ptp(usable, axis=0), 1e-6) if len(usable) else np.ones(table.shape[1])
    for i in np.flatnonzero(bad):
        table[i] = worst + spread * (1.0 + _violation(study, study.evaluations[int(i)]))
    return study.evaluations, table.tolist()


def _violation(study: StudyView, evaluation: Evaluation) -> float:
    """How far measured values pass their limits, relative to these; 1 for a failure, which has none."""
    over = [evaluation.values.get(c.name, 0.0) / c.upper - 1.0 for c in study.constraints]
    passed = [excess for excess in over if math.isfinite(excess) and excess > 0]
    return sum(passed) if passed else 1.0


def _distribution(choice: Choice) -> BaseDistribution:
    if choice.ordinal:
        return IntDistribution(0, len(choice.values) - 1)
    return CategoricalDistribution(tuple(range(len(choice.values))))


def _params(study: StudyView, row: Codes) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    active = [(choice, int(code)) for choice, code in zip(study.space.choices, row, strict=True) if code >= 0]
    return {choice.name: code for choice, code in active}, {choice.name: _distribution(choice) for choice, _ in active}


def _trial(
    study: StudyView, evaluation: Evaluation, values: list[float], attributes: dict[str, Any] | None = None
) -> FrozenTrial:
    params, distributions = _params(study, encode_rows(study.space, [evaluation.assignment])[0])
    return create_trial(params=params, distributions=distributions, values=values, system_attrs=attributes)


def _suggest(
    study: StudyView,
    n: int,
    rng: np.random.Generator,
    sampler: BaseSampler,
    finished: list[FrozenTrial],
    n_values: int,
) -> list[Architecture]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        model = optuna.create_study(sampler=sampler, directions=["minimize"] * n_values)
        model.add_trials(finished)
        for row in encode_rows(study.space, [architecture.assignment for architecture in study.pending]):
            params, distributions = _params(study, row)
            model.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))
        proposals = Proposals(study, n)
        for _ in range(_TRIES * n):
            if proposals.missing <= 0:
                break
            row = _suggested(study, model.ask())
            if study.space.contains_codes(row[None])[0]:
                proposals.offer(row[None])
    finally:
        optuna.logging.set_verbosity(level)
    return proposals.fill(rng)


def _suggested(study: StudyView, trial: optuna.trial.Trial) -> Codes:
    """One row, each choice asked for only where its conditions hold; a choice of one value is not asked for."""
    values: dict[str, Value] = {}
    row = np.full(len(study.space.choices), -1, dtype=np.int16)
    for i, choice in enumerate(study.space.choices):
        if all(name in values and values[name] in accepted for name, accepted in choice.when):
            if choice.ordinal:
                code = trial.suggest_int(choice.name, 0, len(choice.values) - 1)
            else:
                code = int(trial.suggest_categorical(choice.name, tuple(range(len(choice.values)))))
            values[choice.name] = choice.values[code]
            row[i] = code
    return row
