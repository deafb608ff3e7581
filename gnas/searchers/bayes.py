"""Bayesian optimisation with a Gaussian process over architecture features.

A space of at most 100,000 isomorphism classes is ranked whole. In a larger one the pool is mutations and crossovers of
the incumbents and random ones, cut by a coarse process on the codes alone, then evolved under the acquisition. Once the
history is long and the incumbents' surroundings are spent, a standing pool (`gnas.searchers.harvest`) takes its place.

Sources: the loop and its pool of mutated incumbents after White, Neiswanger and Savani, "BANANAS", AAAI 2021,
arXiv:1910.11858; expected improvement weighted by the probability of feasibility after Gardner et al., "Bayesian
Optimization with Inequality Constraints", ICML 2014. Deviations: an exact process on path, degree and choice features
instead of an ensemble of networks, behind a coarse one on the codes alone that draws up a shortlist; labels are
rank-Gaussianised, so that outliers and failures keep the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from gnas.architecture import Architecture
from gnas.evaluation import Evaluation
from gnas.predictors.acquisition import log_expected_improvement, upper_confidence_bound
from gnas.predictors.codes import code_features
from gnas.predictors.features import FeatureExtractor, extractor_of_space
from gnas.predictors.gp import Hyper, cholesky
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.searchers.evolve import evolved
from gnas.searchers.harvest import harvest
from gnas.searchers.history import encode_rows, evaluated_rows, ranked, remembered, row_keys
from gnas.searchers.options import require
from gnas.searchers.outlook import Encoder, Evidence, Model, Outlook, log_feasibility, outlook
from gnas.searchers.pool import Pool, whole_space
from gnas.searchers.pool_outlook import PoolOutlook, pool_feasibility, pool_outlook
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView
from gnas.searchers.surrogate import one_thread
from gnas.space.protocol import Codes, Space

_SMALL_GRAPH = 12
_DRAWN = 512


@dataclass(frozen=True, slots=True)
class BayesianOptimisation:
    """A space-filling start, then the best acquisition over a pool of mutations of the incumbents and random ones.

    Attributes:
        n_initial: Evaluations of the start.
        acquisition: `ei` (expected improvement), `ucb` (mean plus `beta` standard deviations) or `thompson` (a draw
            from the posterior).
        beta: Of `ucb`, and of the bound by which `thompson` chooses the rows it draws.
        pool: Candidates ranked by their codes at each ask.
        shortlist: Those of them whose graphs are looked at.
        incumbents: How many of the best are mutated.
        generations: Of offspring that the shortlist has under the acquisition, where graphs have at most 12 nodes:
            larger ones cost more to look at than it brings.
        standing: Rows of the standing pool for each evaluation, up to 16,384 in all, where graphs have at most 12
            nodes; 0 does without.
        standing_from: Evaluations from which on there is one: before, what was learnt last counts for more.
        observed: Whether from then on the improvement that `ei` expects of a pool is that of a new evaluation, noise
            included, over the best one seen: right where the best value seen is the aim, as on a table.
    """

    n_initial: int = 6
    acquisition: Literal["ei", "ucb", "thompson"] = "ei"
    beta: float = 2.0
    pool: int = 400
    shortlist: int = 32
    incumbents: int = 8
    generations: int = 2
    standing: int = 40
    standing_from: int = 200
    observed: bool = False

    def __post_init__(self) -> None:
        require(self.n_initial >= 2, "n_initial", self.n_initial, "2 or more")
        require(self.beta >= 0 and math.isfinite(self.beta), "beta", self.beta, "0 or more")
        require(self.pool >= 16, "pool", self.pool, "16 or more")
        require(self.shortlist >= 1, "shortlist", self.shortlist, "1 or more")
        require(self.incumbents >= 1, "incumbents", self.incumbents, "1 or more")
        require(self.generations >= 0, "generations", self.generations, "0 or more")
        require(self.standing >= 0, "standing", self.standing, "0 or more")
        require(self.standing_from >= 2, "standing_from", self.standing_from, "2 or more")

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
        """Ranks the pool by a model of the codes, its better part by the model of the graphs."""
        study = proposals.study
        whole = whole_space(study.space)
        if whole is not None and self._propose_of(proposals, whole, rng):
            return
        space, extractor = study.space, extractor_of_space(study.space)
        if not extractor.names:
            return
        fine: Encoder = partial(_graph_features, extractor, space)
        if self.standing and len(study.evaluations) >= self.standing_from and extractor.typical_size <= _SMALL_GRAPH:
            gathered = harvest(study, fine, self.standing)
            if gathered and self._propose_of(proposals, gathered.pool, rng, gathered.hyper):
                return
        coarse: Encoder = partial(code_features, space.choices)
        pool = self._pool(study, best, rng)
        if not len(pool):
            return
        shortlist, evidence = max(self.shortlist, 8 * proposals.n), Evidence.of(study)
        if len(pool) > shortlist:
            feasible = log_feasibility(study, coarse, pool)
            pool = pool[np.argsort(-self._acquire(outlook(evidence, coarse, pool), feasible), kind="stable")]
        if self.generations and extractor.typical_size <= _SMALL_GRAPH:
            pool = self._evolved(proposals, Model.of(evidence, fine), pool, shortlist, rng)
        expected = outlook(evidence, fine, pool[:shortlist])
        feasible = log_feasibility(study, fine, pool[:shortlist])
        while proposals.missing > 0:
            order = np.argsort(-self._choose(expected, feasible, rng), kind="stable")
            if not proposals.offer(pool[order], at_most=1):
                # What the shortlist did not give, the rest of the pool may.
                proposals.offer(pool[shortlist:])
                return
            if not proposals.missing:
                return
            (chosen,) = np.flatnonzero((pool[:shortlist] == proposals.codes[-1]).all(axis=1))
            expected = expected.believing(int(chosen))

    def _evolved(
        self, proposals: Proposals, model: Model, pool: Codes, shortlist: int, rng: np.random.Generator
    ) -> Codes:
        """The pool with its shortlist evolved under the acquisition of the graphs."""
        study = proposals.study
        taken = frozenset([*row_keys(evaluated_rows(study)), *row_keys(model.pending)])
        found = evolved(
            study.space,
            pool[:shortlist],
            lambda rows: self._acquire(model.outlook(rows), log_feasibility(study, model.encoder, rows)),
            rng,
            generations=self.generations,
            brood=max(4, 2 * shortlist),
            taken=taken,
        )
        return np.concatenate([found, pool[shortlist:]])

    def _propose_of(
        self, proposals: Proposals, pool: Pool, rng: np.random.Generator, hyper: Hyper | None = None
    ) -> bool:
        """Ranks a pool; False if its model would not fit in memory."""
        expected = pool_outlook(proposals.study, pool, hyper)
        if expected is None:
            return False
        feasible = pool_feasibility(proposals.study, pool)
        while proposals.missing > 0:
            acquisition = self._choose(expected, feasible, rng, expected.taken)
            best = np.argpartition(-acquisition, min(64, len(acquisition) - 1))[:64]
            best = best[np.argsort(-acquisition[best], kind="stable")]
            if not proposals.offer(pool.codes[best], at_most=1):
                best = np.argsort(-acquisition, kind="stable")
                if not proposals.offer(pool.codes[best], at_most=1):
                    break
            if not proposals.missing:
                break
            expected = expected.believing(pool.index[proposals.architectures[-1].digest.encode()])
        return True

    def _choose(
        self,
        expected: Outlook | PoolOutlook,
        feasible: Vector,
        rng: np.random.Generator,
        taken: Sequence[int] = (),
    ) -> Vector:
        """What the next candidate maximises, −∞ for rows `taken`; shape of `feasible`."""
        acquisition = self._acquire(expected, feasible)
        acquisition[list(taken)] = -np.inf
        if self.acquisition != "thompson":
            return acquisition
        some = np.argsort(-acquisition, kind="stable")[:_DRAWN]
        some = some[np.isfinite(acquisition[some])]
        drawn = np.full(len(feasible), -np.inf)
        if len(some):
            root = cholesky(expected.covariance(some) + 1e-9 * np.eye(len(some)))
            drawn[some] = expected.mean[some] + root @ rng.standard_normal(len(some)) + feasible[some]
        return drawn

    def _acquire(self, expected: Outlook | PoolOutlook, feasible: Vector) -> Vector:
        """Acquisition of the candidates, those pending after them left out; shape of `feasible`.

        Thompson sampling draws among the highest upper confidence bounds.
        """
        mean, std = expected.mean[: len(feasible)], np.sqrt(expected.variance[: len(feasible)])
        if self.acquisition != "ei":
            return upper_confidence_bound(mean, std, self.beta) + feasible
        if self.observed and isinstance(expected, PoolOutlook) and len(expected.taken) >= self.standing_from:
            return log_expected_improvement(mean, np.hypot(std, expected.noise), expected.observed) + feasible
        return log_expected_improvement(mean, std, expected.incumbent) + feasible

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
        rows: Codes = np.concatenate([*mutated, crossed, uniform])
        pending = encode_rows(space, [architecture.assignment for architecture in study.pending])
        taken = {*row_keys(evaluated_rows(study)), *row_keys(pending)}
        first: dict[bytes, int] = {}
        for i, key in enumerate(row_keys(rows)):
            if key not in taken:
                first.setdefault(key, i)
        return rows[list(first.values())]


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


def _graph_features(extractor: FeatureExtractor, space: Space, codes: Codes) -> tuple[Floats, tuple[slice, ...]]:
    return remembered(space.fingerprint, codes, partial(extractor.features_of_codes, space)), extractor.slices
