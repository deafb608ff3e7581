"""Outlook: what a study leads one to expect of candidates, about the objective and about constraints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gnas.evaluation import Constraint, Evaluation
from gnas.predictors.acquisition import log_probability_below
from gnas.predictors.gp import Beliefs, GaussianProcess, covariance
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.searchers.history import PerEvaluation, encode_rows, evaluated_rows, score
from gnas.searchers.protocol import StudyView
from gnas.searchers.surrogate import surrogate
from gnas.space.protocol import Codes

Encoder = Callable[[Codes], tuple[Floats, tuple[slice, ...]]]
"""Rows of codes to features `(n, column)` and the columns of each block."""

_MOST_TRAINED = 1000
_NEAR_LIMIT = 0.7
_labels = PerEvaluation()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Beliefs about candidates.

    Attributes:
        beliefs: About the objective on the latent scale, larger is better.
        incumbent: Best posterior mean among usable evaluations and those believed since.
    """

    beliefs: Beliefs
    incumbent: float

    @property
    def mean(self) -> Vector:
        """Of the candidates, then of those pending."""
        return self.beliefs.mean

    @property
    def variance(self) -> Vector:
        """Of the noise-free function, in the same order."""
        return self.beliefs.variance

    def covariance(self, rows: NDArray[np.intp]) -> Vector:
        """Posterior covariance among some candidates, `(len(rows), len(rows))`."""
        process, x, white = self.beliefs.process, self.beliefs.x[rows], self.beliefs.whitened[:, rows]
        out: Vector = covariance(process.hyper, process.slices, x, x) - white.T @ white
        return out

    def believing(self, i: int) -> Outlook:
        """The outlook once candidate `i` came out as predicted."""
        incumbent = max(self.incumbent, float(self.beliefs.mean[i]))
        return replace(self, beliefs=self.beliefs.believing(i), incumbent=incumbent)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a study holds for a model of the objective, whatever its features.

    Attributes:
        codes: Rows that are learnt from, in the order of the history, `(n, choice)`.
        labels: Their labels, larger is better, −∞ for failures, `(n,)`.
        usable: Which of them are usable evaluations, `(n,)`.
        pending: Rows of pending architectures, `(p, choice)`.
    """

    codes: Codes
    labels: Vector
    usable: NDArray[np.bool_]
    pending: Codes

    @classmethod
    def of(cls, study: StudyView, first: int | None = None) -> Evidence:
        """The evidence of a study, or of its `first` evaluations alone."""
        evaluations = study.evaluations
        labels = _labels.of((study.objective, study.constraints), evaluations, partial(label, study))
        chosen = trained(labels[:first])
        ok = np.array([evaluations[i].status == "ok" for i in chosen.tolist()], dtype=np.bool_)
        pending = encode_rows(study.space, [architecture.assignment for architecture in study.pending])
        return cls(evaluated_rows(study)[chosen], labels[chosen], ok & np.isfinite(labels[chosen]), pending)


@dataclass(frozen=True, slots=True)
class Model:
    """A process conditioned on the evidence, to be asked about any candidates.

    Attributes:
        process: The process.
        incumbent: Best posterior mean among usable evaluations.
        encoder: Rows to its features.
        pending: Rows of pending architectures.
    """

    process: GaussianProcess
    incumbent: float
    encoder: Encoder
    pending: Codes

    @classmethod
    def of(cls, evidence: Evidence, encoder: Encoder) -> Model:
        """The model of some evidence, which must hold a usable evaluation."""
        known, slices = encoder(evidence.codes)
        process, z = surrogate(known, slices, evidence.labels, ranks=True)
        fitted = z - math.exp(process.hyper.log_noise) * process.alpha
        return cls(process, float(fitted[evidence.usable].max()), encoder, evidence.pending)

    def outlook(self, candidates: Codes) -> Outlook:
        """What to expect of `candidates`; pending ones count as if they had come out as predicted."""
        # Candidates are compared, not measured: single precision tells them apart at a third of the cost.
        x = self.encoder(np.concatenate([candidates, self.pending]))[0].astype(np.float32)
        beliefs = self.process.believe(x)
        expected = Outlook(beliefs, self.incumbent)
        for i in range(len(candidates), len(candidates) + len(self.pending)):
            expected = expected.believing(i)
        return expected


def outlook(evidence: Evidence, encoder: Encoder, candidates: Codes) -> Outlook:
    """What the history and the pending evaluations lead to expect of `candidates`; see `Model`."""
    return Model.of(evidence, encoder).outlook(candidates)


def label(study: StudyView, evaluation: Evaluation) -> float:
    """Score of an evaluation as a model learns it: −∞ for a failure, NaN where there is nothing to learn."""
    value = float(evaluation.values.get(study.objective.name, math.nan))
    if evaluation.status == "infeasible":
        if math.isfinite(value):
            return study.objective.sign() * value
        # A measured violation is learnt by the model of that constraint; any other refusal counts as bad.
        measured = any(evaluation.values.get(c.name, -math.inf) > c.upper for c in study.constraints)
        return math.nan if measured else -math.inf
    usable = score(study, evaluation)
    return usable if math.isfinite(usable) else -math.inf


def log_feasibility(study: StudyView, encoder: Encoder, candidates: Codes) -> Vector:
    """Sum over constraints of the logarithm of the probability to respect them, shape `(candidate,)`.

    Logarithms of measured values are modelled. A constraint that no value has come near is left out.
    """
    out = np.zeros(len(candidates))
    for constraint, evaluations, values in near_limit(study):
        known, slices = encoder(encode_rows(study.space, [evaluation.assignment for evaluation in evaluations]))
        process, _ = surrogate(known, slices, values, ranks=False)
        mean, std = process.predict(encoder(candidates)[0])
        out += log_probability_below(mean, std, float((math.log(constraint.upper) - values.mean()) / values.std()))
    return out


def near_limit(study: StudyView) -> Iterator[tuple[Constraint, list[Evaluation], Vector]]:
    """Constraints that measured values have come near, with the evaluations that have one and its logarithms."""
    for constraint in study.constraints:
        evaluations, values = _measured(study, constraint)
        if len(values) < 3 or np.ptp(values) < 1e-9 or values.max() < math.log(_NEAR_LIMIT * constraint.upper):
            continue
        yield constraint, evaluations, values


def _measured(study: StudyView, constraint: Constraint) -> tuple[list[Evaluation], Vector]:
    """Evaluations that have a positive value of `constraint`, and its logarithms."""
    pairs = [(evaluation, float(evaluation.values.get(constraint.name, math.nan))) for evaluation in study.evaluations]
    good = [(evaluation, value) for evaluation, value in pairs if math.isfinite(value) and value > 0]
    good = good[-_MOST_TRAINED:]
    return [evaluation for evaluation, _ in good], np.log([value for _, value in good])


def trained(labels: Vector) -> NDArray[np.intp]:
    """Indices of the evaluations a model learns from: all, or the better and the younger half of what it can take."""
    usable = np.flatnonzero(~np.isnan(labels))
    if len(usable) <= _MOST_TRAINED:
        return usable
    half = _MOST_TRAINED // 2
    top = usable[np.argsort(-labels[usable], kind="stable")[:half]]
    return np.union1d(top, usable[-half:])
