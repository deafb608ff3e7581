"""Bayesian optimisation with a Gaussian process over architecture features.

Sources: the loop and its pool of mutated incumbents after White, Neiswanger and Savani, "BANANAS", AAAI 2021,
arXiv:1910.11858; expected improvement weighted by the probability of feasibility after Gardner et al., "Bayesian
Optimization with Inequality Constraints", ICML 2014. Deviations: an exact process on path, degree and choice features
instead of an ensemble of networks; labels are rank-Gaussianised, so that outliers and failures keep the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.evaluation import Constraint, Evaluation
from gnas.predictors.acquisition import log_expected_improvement, log_probability_below, upper_confidence_bound
from gnas.predictors.features import FeatureExtractor, extractor_of_space
from gnas.predictors.gp import Beliefs
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.searchers.history import encode_rows, ranked, score
from gnas.searchers.options import require
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView
from gnas.searchers.surrogate import one_thread, surrogate
from gnas.space.protocol import Codes

_MOST_TRAINED = 1000
_NEAR_LIMIT = 0.7
_COST_BLOCKS = ("choices", "ordinals", "ops", "sizes")


@dataclass(frozen=True, slots=True)
class BayesianOptimisation:
    """A space-filling start, then the best acquisition over a pool of mutations of the incumbents and random ones.

    Attributes:
        n_initial: Evaluations of the start.
        acquisition: `ei` (expected improvement) or `ucb` (mean plus `beta` standard deviations).
        beta: Of `ucb`.
        pool: Candidates ranked at each ask.
        incumbents: How many of the best are mutated.
    """

    n_initial: int = 10
    acquisition: Literal["ei", "ucb"] = "ei"
    beta: float = 2.0
    pool: int = 400
    incumbents: int = 8

    def __post_init__(self) -> None:
        require(self.n_initial >= 2, "n_initial", self.n_initial, "2 or more")
        require(self.beta >= 0 and math.isfinite(self.beta), "beta", self.beta, "0 or more")
        require(self.pool >= 16, "pool", self.pool, "16 or more")
        require(self.incumbents >= 1, "incumbents", self.incumbents, "1 or more")

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """`n` candidates one after another, each as if the ones before and those pending had come out as predicted."""
        proposals = Proposals(study, n)
        best = ranked(study)
        if len(study.evaluations) + len(study.pending) < self.n_initial or len(best) < 2:
            return _space_filling(proposals, rng)
        with one_thread():
            self._propose(proposals, best, rng)
        return proposals.fill(rng)

    def _propose(self, proposals: Proposals, best: list[Evaluation], rng: np.random.Generator) -> None:
        study = proposals.study
        extractor = extractor_of_space(study.space)
        if not extractor.names:
            return
        pool = self._pool(study, best, rng)
        pending = encode_rows(study.space, [architecture.assignment for architecture in study.pending])
        x = extractor.features_of_codes(study.space, np.concatenate([pending, pool]))
        beliefs, incumbent = _beliefs(study, extractor, x)
        feasible = _log_feasibility(study, extractor, x)
        for i in range(len(pending)):
            incumbent = max(incumbent, float(beliefs.mean[i]))
            beliefs = beliefs.believing(i)
        first = len(pending)
        while proposals.missing > 0:
            order = np.argsort(-(self._acquire(beliefs, incumbent) + feasible)[first:], kind="stable")
            before = proposals.missing
            proposals.offer(pool[order], at_most=1)
            if proposals.missing == before:
                return
            chosen = first + int(np.flatnonzero((pool == proposals.codes[-1]).all(axis=1))[0])
            incumbent = max(incumbent, float(beliefs.mean[chosen]))
            beliefs = beliefs.believing(chosen)

    def _acquire(self, beliefs: Beliefs, incumbent: float) -> Vector:
        std = np.sqrt(beliefs.variance)
        if self.acquisition == "ucb":
            return upper_confidence_bound(beliefs.mean, std, self.beta)
        return log_expected_improvement(beliefs.mean, std, incumbent)

    def _pool(self, study: StudyView, best: list[Evaluation], rng: np.random.Generator) -> Codes:
        """Distinct rows: one to three mutations and crossovers of the incumbents, uniform ones; a small space whole."""
        space = study.space
        if space.count() <= self.pool:
            return np.concatenate(list(space.iterate_codes()))
        parents = encode_rows(space, [evaluation.assignment for evaluation in best[: self.incumbents]])
        share = self.pool // 8
        near = parents[rng.integers(len(parents), size=5 * share)]
        steps = [space.mutate_codes(near, rng)]
        steps.append(space.mutate_codes(steps[0][: 2 * share], rng))
        steps.append(space.mutate_codes(steps[1][:share], rng))
        # Of 5 shares of single mutations, 2 go one step on and 1 of those another: 3 + 1 + 1 are left.
        mutated = [steps[0][2 * share :], steps[1][share:], steps[2]]
        crossed = space.cross_codes(near[:share], near[::-1][:share], rng)
        uniform = space.sample_codes(rng, self.pool - 6 * share)
        return np.unique(np.concatenate([*mutated, crossed, uniform]), axis=0).astype(np.int16)


def _space_filling(proposals: Proposals, rng: np.random.Generator) -> list[Architecture]:
    """Greedy maximin by the share of choices that differ, out of 16 uniform candidates for each proposal."""
    study = proposals.study
    known = encode_rows(
        study.space, [*(e.assignment for e in study.evaluations), *(a.assignment for a in study.pending)]
    )
    while proposals.missing > 0:
        rows = study.space.sample_codes(rng, 16)
        before = proposals.missing
        if len(known) and rows.shape[1]:
            distance = (rows[:, None, :] != known[None, :, :]).mean(axis=2).min(axis=1)
            rows = rows[np.argsort(-distance, kind="stable")]
        proposals.offer(rows, at_most=1)
        if proposals.missing == before:
            break
        known = np.concatenate([known, proposals.codes[-1][None, :]])
    return proposals.fill(rng)


def _label(study: StudyView, evaluation: Evaluation) -> float:
    """Score of an evaluation as the model learns it: −∞ for a failure, NaN where there is nothing to learn."""
    value = float(evaluation.values.get(study.objective.name, math.nan))
    if evaluation.status == "infeasible":
        if math.isfinite(value):
            return study.objective.sign() * value
        # A measured violation is learnt by the model of that constraint; any other refusal counts as bad.
        measured = any(evaluation.values.get(c.name, -math.inf) > c.upper for c in study.constraints)
        return math.nan if measured else -math.inf
    usable = score(study, evaluation)
    return usable if math.isfinite(usable) else -math.inf


def _trained(labels: Vector) -> NDArray[np.intp]:
    """Which evaluations the model learns from: all, or the better and the younger half of what it can take."""
    usable = np.flatnonzero(~np.isnan(labels))
    if len(usable) <= _MOST_TRAINED:
        return usable
    half = _MOST_TRAINED // 2
    top = usable[np.argsort(-labels[usable], kind="stable")[:half]]
    return np.union1d(top, usable[-half:])


def _beliefs(study: StudyView, extractor: FeatureExtractor, x: Floats) -> tuple[Beliefs, float]:
    """Beliefs about the objective at `x` on the latent scale, and the best posterior mean among usable evaluations."""
    labels = np.array([_label(study, evaluation) for evaluation in study.evaluations])
    chosen = _trained(labels)
    rows = encode_rows(study.space, [study.evaluations[int(i)].assignment for i in chosen])
    known = extractor.features_of_codes(study.space, rows)
    process, z = surrogate(known, extractor.slices, labels[chosen], ranks=True)
    fitted = z - math.exp(process.hyper.log_noise) * process.alpha
    ok = np.array([math.isfinite(score(study, study.evaluations[int(i)])) for i in chosen])
    return process.believe(x), float(fitted[ok].max())


def _log_feasibility(study: StudyView, extractor: FeatureExtractor, x: Floats) -> Vector:
    """Sum over constraints of the logarithm of the probability to respect them, shape of the rows of `x`."""
    out = np.zeros(len(x))
    names = [name in _COST_BLOCKS for name in extractor.names]
    slices = tuple(part for part, use in zip(extractor.slices, names, strict=True) if use) or extractor.slices
    for constraint in study.constraints:
        measured = _measured(study, constraint)
        values = np.array([math.log(value) for _, value in measured])
        # Far from its limit a constraint decides nothing.
        if len(values) < 3 or values.max() < math.log(_NEAR_LIMIT * constraint.upper) or np.ptp(values) < 1e-9:
            continue
        rows = encode_rows(study.space, [evaluation.assignment for evaluation, _ in measured])
        known = extractor.features_of_codes(study.space, rows)
        process, _ = surrogate(known, slices, values, ranks=False)
        mean, std = process.predict(x)
        out += log_probability_below(mean, std, (math.log(constraint.upper) - values.mean()) / values.std())
    return out


def _measured(study: StudyView, constraint: Constraint) -> list[tuple[Evaluation, float]]:
    """The last evaluations that have a positive value of `constraint`, with it."""
    pairs = [(evaluation, float(evaluation.values.get(constraint.name, math.nan))) for evaluation in study.evaluations]
    return [(evaluation, value) for evaluation, value in pairs if math.isfinite(value) and value > 0][-_MOST_TRAINED:]
