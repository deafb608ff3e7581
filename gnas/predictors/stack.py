"""The stack: Gaussian processes, trees and a network, weighted by cross-validation on the labels at hand.

Labels are rank-Gaussianised, every member predicts on that scale, means are combined linearly, and the result is mapped
back to units. Spread comes from the processes, corrected by held-out residuals of the combination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from gnas.architecture import Architecture
from gnas.errors import InvalidShapeError
from gnas.predictors.calibration import LEVELS, Conformal, coverages_left_out, rmsce
from gnas.predictors.columns import ColumnRanks
from gnas.predictors.crossval import held_out_combination, simplex_weights, tau
from gnas.predictors.features import extractor_of_space
from gnas.predictors.kernels import Floats
from gnas.predictors.members import Design, Fitted, Member, PlainMember, ProcessMember
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import RankGaussian
from gnas.predictors.stack_report import StackReport, feature_taus
from gnas.predictors.trees import TreeMember
from gnas.space.protocol import Codes, Space


def _network(space: Space, seed: int) -> Member:
    from gnas.predictors.gnn_member import GnnMember

    return GnnMember(space, seed)


MEMBERS: dict[str, Callable[[Space, int], Member]] = {
    "gp": lambda _, seed: ProcessMember(seed=seed),
    "gp-plain": lambda _, seed: PlainMember(seed),
    "extra-trees": lambda _, seed: TreeMember("extra-trees", seed),
    "boosting": lambda _, seed: TreeMember("boosting", seed),
    "gnn": _network,
}
"""Makers of members, by name, from a space and a seed."""

_TREES_FROM, _NETWORK_FROM = 60, 100
_CHUNK = 4096
_PRIOR_ROWS = 40.0
_PRIOR_RATIOS = {"gp": 3.0, "gp-plain": 0.3, "extra-trees": 0.6, "boosting": 0.3, "gnn": 1.2}
_STD_LEVEL = 0.9


def members_for(n_labels: int, has_extra: bool) -> tuple[str, ...]:
    """Which members are tried with `n_labels` distinct labels, and whether the user gave columns of his own."""
    if n_labels < _TREES_FROM:
        return ("gp",)
    plain = ("gp-plain",) if has_extra else ()
    network = ("gnn",) if n_labels >= _NETWORK_FROM else ()
    return ("gp", *plain, "extra-trees", "boosting", *network)


def _prior(names: tuple[str, ...]) -> Vector:
    """Weights before any label: the processes count for more than all the others together."""
    prior = np.array([_PRIOR_RATIOS[name] for name in names])
    weights: Vector = prior / prior.sum()
    return weights


@dataclass(frozen=True, slots=True)
class _State:
    """What a fit leaves behind."""

    codes: Codes
    values: Vector
    columns: ColumnRanks
    ranks: RankGaussian
    fitted: tuple[Fitted, ...]
    weights: Vector
    conformal: Conformal
    report: StackReport


class StackPredictor:
    """Predicts a value of any architecture of a space from a few evaluated ones, with calibrated uncertainty.

    Args:
        space: The space.
        extra: Names of the user's own numeric columns, which become a block of features.
        seed: Of everything random inside.
        members: Names of `MEMBERS` to combine; by default chosen by the number of labels.
    """

    def __init__(
        self, space: Space, *, extra: tuple[str, ...] = (), seed: int = 0, members: tuple[str, ...] | None = None
    ) -> None:
        unknown = sorted(set(members or ()) - set(MEMBERS))
        if unknown or members == ():
            raise InvalidShapeError("StackPredictor", f"members {members}", f"some of {', '.join(MEMBERS)}")
        self.space, self.extra, self.seed, self.members = space, extra, seed, members
        self._state: _State | None = None

    def fit(self, architectures: Sequence[Architecture], values: Vector) -> Self:
        """Fits on finite `values`, shape `(n,)`, n ≥ 1, of architectures of the space.

        Raises:
            InvalidShapeError: No architectures, another number of values, or values that are not finite.
            SpaceError: An architecture is not of the space.
        """
        values = np.asarray(values, dtype=np.float64)
        if len(architectures) == 0 or values.shape != (len(architectures),):
            expected = f"one finite value for each of {len(architectures)} (at least one) architectures"
            raise InvalidShapeError("StackPredictor.fit", f"values of shape {values.shape}", expected)
        return self.fit_codes(self._encode(architectures), values)

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Vector, Vector]:
        """Mean and standard deviation, `(n,)` each, in the units of the values."""
        return self.predict_codes(self._encode(architectures))

    def fit_codes(
        self, codes: Codes, values: Vector, extra: Floats | None = None, reference: Floats | None = None
    ) -> Self:
        """Fits on rows of codes; rows with equal digests count once, with their mean value.

        Args:
            codes: Rows of the space, `(n, choice)`, n ≥ 1.
            values: Finite, `(n,)`.
            extra: The columns named at construction, `(n, len(extra))`; NaN where missing.
            reference: The same columns of unlabelled architectures, `(m, len(extra))`: they are ranked among these.

        Raises:
            InvalidShapeError: Shapes differ, or values are not finite.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 1 or len(values) != len(codes) or len(values) == 0 or not np.isfinite(values).all():
            expected = f"one finite value for each of {len(codes)} (at least one) rows"
            raise InvalidShapeError("StackPredictor.fit_codes", f"values of shape {values.shape}", expected)
        given = self._extra(extra, len(codes))
        codes, values, given = _distinct(self.space, codes, values, given)
        columns = ColumnRanks.fit(given if reference is None else self._extra(reference, len(reference)))
        ranks = RankGaussian.fit(values)
        design = self._design(codes, columns, given)
        self._state = self._fitted(design, columns, ranks, values, given)
        return self

    def predict_codes(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation of a new evaluation, noise included, `(n,)` each, in the units of the values."""
        return self.moments_of_latent(*self.predict_latent(codes, extra))

    def moments_of_latent(self, mean: Vector, std: Vector) -> tuple[Vector, Vector]:
        """As `predict_codes`, from what `predict_latent` gave."""
        state = self._fit_state()
        widening = state.conformal.factor(_STD_LEVEL) / float(ndtri(0.5 + _STD_LEVEL / 2))
        return state.ranks.moments(mean, std * widening) if len(mean) else (mean, std)

    def interval(self, codes: Codes, level: float, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Ends of the central interval that holds a new evaluation with probability `level`, `(n,)` each, in units."""
        return self.interval_of_latent(*self.predict_latent(codes, extra), level)

    def interval_of_latent(self, mean: Vector, std: Vector, level: float) -> tuple[Vector, Vector]:
        """As `interval`, from what `predict_latent` gave: several levels for one prediction."""
        if not 0.0 < level < 1.0:
            raise InvalidShapeError("StackPredictor.interval", f"level {level}", "a level between 0 and 1")
        state = self._fit_state()
        half = state.conformal.factor(level) * std
        return state.ranks.to_units(mean - half), state.ranks.to_units(mean + half)

    def predict_latent(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation on the rank-Gaussian scale, before the correction of intervals; `(n,)` each."""
        state = self._fit_state()
        given = self._extra(extra, len(codes))
        means, stds = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(codes), _CHUNK):
            part = slice(start, start + _CHUNK)
            mean, std = _combined(state.fitted, state.weights, self._design(codes[part], state.columns, given[part]))
            means.append(mean)
            stds.append(std)
        return np.concatenate(means), np.concatenate(stds)

    @property
    def report(self) -> StackReport:
        """What cross-validation on the labels found."""
        return self._fit_state().report

    @property
    def labels(self) -> tuple[Codes, Vector]:
        """Distinct rows it was fitted on, and their values."""
        state = self._fit_state()
        return state.codes, state.values

    def _fitted(
        self, design: Design, columns: ColumnRanks, ranks: RankGaussian, values: Vector, given: Floats
    ) -> _State:
        n, z = len(values), ranks.z
        names = self.members or members_for(n, design.has_extra)
        made = [MEMBERS[name](self.space, self.seed) for name in names]
        if n < 2 or np.ptp(values) == 0.0:
            # Nothing to cross-validate: the first member alone, its own spread.
            only = made[0].fit(design, z)
            report = StackReport.empty(n, names)
            return _State(
                design.codes, values, columns, ranks, (only,), np.ones(1), Conformal.of_ratios(np.zeros(0)), report
            )
        held = [member.held_out(design, z) for member in made]
        means = np.stack([mean for mean, _ in held], axis=1)
        prior = _prior(names)
        weights = simplex_weights(means, z, prior, _PRIOR_ROWS)
        combined = held_out_combination(means, z, prior, _PRIOR_ROWS, self.seed)
        std = _spread([variance for _, variance in held], combined)
        inside = coverages_left_out(z - combined, std)
        report = StackReport(
            n_labels=n,
            weights=dict(zip(names, weights.tolist(), strict=True)),
            tau={name: tau(mean, values) for name, mean in zip(names, means.T, strict=True)},
            stack_tau=tau(combined, values),
            coverage90=float(np.interp(0.9, LEVELS, inside)),
            rmsce=rmsce(inside),
            features=feature_taus(design, values, self.extra, given, self.seed),
            held_out=combined,
        )
        conformal = Conformal.fit(z - combined, std)
        # Those that know their spread are asked for it whatever their weight.
        kept = [i for i, (_, variance) in enumerate(held) if weights[i] > 0.0 or variance is not None]
        fitted = tuple(made[i].fit(design, z) for i in kept)
        return _State(design.codes, values, columns, ranks, fitted, weights[kept], conformal, report)

    def _design(self, codes: Codes, columns: ColumnRanks, given: Floats) -> Design:
        extractor = extractor_of_space(self.space)
        x = extractor.features_of_codes(self.space, codes)
        slices, spreads = extractor.slices, extractor.spreads
        if columns.width:
            slices = (*slices, slice(x.shape[1], x.shape[1] + columns.width))
            x = np.concatenate([x, columns.features(given)], axis=1)
            spreads = np.concatenate([spreads, np.ones(columns.width)])
        return Design(x, slices, codes, spreads, has_extra=columns.width > 0)

    def _encode(self, architectures: Sequence[Architecture]) -> Codes:
        rows = [self.space.encode(dict(architecture.assignment)) for architecture in architectures]
        return np.array(rows, dtype=np.int16).reshape(len(rows), len(self.space.choices))

    def _extra(self, extra: Floats | None, n: int) -> Floats:
        given = np.zeros((n, 0)) if extra is None else np.asarray(extra, dtype=np.float64)
        if given.shape != (n, len(self.extra)):
            expected = f"{(n, len(self.extra))}, a column for each of {self.extra}"
            raise InvalidShapeError("StackPredictor", f"extra columns of shape {given.shape}", expected)
        return given

    def _fit_state(self) -> _State:
        if self._state is None:
            raise InvalidShapeError("StackPredictor", "no fit", "a call of fit before predict")
        return self._state


def _distinct(space: Space, codes: Codes, values: Vector, extra: Floats) -> tuple[Codes, Vector, Floats]:
    """One row for each digest, in order of first appearance, with the mean of its values."""
    _, first, inverse = np.unique(space.digests(codes), return_index=True, return_inverse=True)
    sums = np.bincount(inverse, weights=values)
    order = np.argsort(first)
    kept = first[order]
    return codes[kept], (sums / np.bincount(inverse))[order], extra[kept]


def _combined(fitted: Sequence[Fitted], weights: Vector, design: Design) -> tuple[Vector, Vector]:
    """Weighted mean of the members, and the spread of those that know theirs."""
    pairs = [member.predict(design) for member in fitted]
    mean = np.stack([mean for mean, _ in pairs], axis=1) @ weights
    return mean, _spread([variance for _, variance in pairs], mean)


def _spread(variances: Sequence[Vector | None], like: Vector) -> Vector:
    known = [variance for variance in variances if variance is not None]
    return np.sqrt(np.mean(known, axis=0)) if known else np.ones_like(like)
