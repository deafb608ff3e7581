"""The outlook on every row of a pool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnas.evaluation import Evaluation
from gnas.predictors.acquisition import log_probability_below
from gnas.predictors.gp import Hyper
from gnas.predictors.protocol import Vector
from gnas.searchers.history import score
from gnas.searchers.outlook import label, near_limit, trained
from gnas.searchers.pool import Pool
from gnas.searchers.protocol import StudyView
from gnas.searchers.tracker import Tracker, tracked


@dataclass(frozen=True, slots=True)
class PoolOutlook:
    """Beliefs about the rows of a pool; `Outlook` for candidates that stay.

    Attributes:
        tracker: The process, pending rows and those believed since included.
        mean: Of the objective on the latent scale, larger is better, `(row,)`.
        incumbent: Best posterior mean among usable evaluations and those believed since.
        taken: Rows evaluated, pending or believed.
        observed: Best label on the latent scale.
    """

    tracker: Tracker
    mean: Vector
    incumbent: float
    taken: tuple[int, ...]
    observed: float

    @property
    def variance(self) -> Vector:
        """Of the noise-free function, `(row,)`."""
        return self.tracker.variance

    @property
    def noise(self) -> float:
        """Standard deviation of a label around the function."""
        return math.exp(0.5 * self.tracker.hyper.log_noise)

    def believing(self, row: int) -> PoolOutlook:
        """The outlook once a row came out as predicted: means stay, variances near it shrink."""
        tracker = self.tracker.copy()
        tracker.add(row)
        incumbent = max(self.incumbent, float(self.mean[row]))
        return replace(self, tracker=tracker, incumbent=incumbent, taken=(*self.taken, row))

    def covariance(self, rows: NDArray[np.intp]) -> Vector:
        """Posterior covariance among some rows."""
        return self.tracker.posterior(rows)


def pool_outlook(study: StudyView, pool: Pool, hyper: Hyper | None = None) -> PoolOutlook | None:
    """What the history and the pending evaluations lead to expect of a pool; None if it would not fit in memory.

    The study must hold a usable evaluation.
    """
    labels = np.array([label(study, evaluation) for evaluation in study.evaluations])
    chosen = trained(labels)
    known, rows, labels = _rows(pool, [study.evaluations[int(i)] for i in chosen], labels[chosen])
    found = tracked(pool, rows, labels, ranks=True, hyper=hyper) if rows else None
    if found is None:
        return None
    tracker, z = found
    mean = tracker.mean(z)
    usable = [row for row, evaluation in zip(rows, known, strict=True) if math.isfinite(score(study, evaluation))]
    if not usable:
        return None
    seen = {int(row) for row in pool.rows_of(study.evaluations)}
    expected = PoolOutlook(tracker, mean, float(mean[usable].max()), tuple(sorted(seen - {-1})), float(z.max()))
    for architecture in study.pending:
        row = pool.index.get(architecture.digest.encode())
        if row is not None and row not in expected.taken:
            expected = expected.believing(row)
    return expected


def pool_feasibility(study: StudyView, pool: Pool) -> Vector:
    """Sum over constraints of the log-probability to respect them, shape `(row,)`; see `log_feasibility`."""
    out = np.zeros(len(pool.codes))
    for constraint, evaluations, values in near_limit(study):
        _, rows, values = _rows(pool, evaluations, values)
        if len(rows) < 3 or np.ptp(values) < 1e-9:
            continue
        found = tracked(pool, rows, values, ranks=False)
        if found is not None:
            tracker, z = found
            upper = (math.log(constraint.upper) - values.mean()) / values.std()
            out += log_probability_below(tracker.mean(z), np.sqrt(tracker.variance), float(upper))
    return out


def _rows(pool: Pool, evaluations: Sequence[Evaluation], values: Vector) -> tuple[list[Evaluation], list[int], Vector]:
    """Evaluations that are in the pool, each row once, with their rows and values."""
    rows = pool.rows_of(evaluations)
    first = np.sort(np.unique(rows, return_index=True)[1])
    kept = first[rows[first] >= 0]
    return [evaluations[int(i)] for i in kept], rows[kept].tolist(), values[kept]
