"""Costs of candidates: counted exactly where networks can be built, estimated from a few counted ones elsewhere.

Among a million candidates only those that stand high are counted. An estimate, linear in the features of the
architecture and fitted on counted ones, leaves out those that would clearly break a limit; every row shown is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnas.errors import CandidateError, DataError
from gnas.predictors.crossval import tau
from gnas.predictors.features import FeatureExtractor, extractor_of_space
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.screening.conditions import Condition
from gnas.screening.labels import Labels
from gnas.space.protocol import Codes, Space

Counting = Callable[[Codes], Mapping[str, float]]
"""Costs of one row, `(choice,)`."""

_COUNTED = 192
_FEWEST = 8
_RIDGE = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_DOUBT = 2.0
"""Twice: a few counted rows have not shown the largest error, and a row let through costs one more count."""


@dataclass
class CostBook:
    """Counted costs by row, each counted once.

    Attributes:
        count: Counts one row; None where networks cannot be built.
        names: What it counts.
    """

    count: Counting | None
    names: tuple[str, ...] = ()
    _known: dict[bytes, Mapping[str, float]] = field(default_factory=dict, repr=False)

    @property
    def looked_at(self) -> int:
        """Rows counted so far."""
        return len(self._known)

    def costs(self, row: Codes) -> Mapping[str, float]:
        """Costs of one row; empty where they are not to be had."""
        if self.count is None:
            return {}
        key = row.tobytes()
        if key not in self._known:
            try:
                self._known[key] = self.count(row)
            except CandidateError:
                self._known[key] = {}
        return self._known[key]

    def column(self, codes: Codes, name: str) -> Vector:
        """One cost of several rows, `(n,)`; NaN where it is not to be had."""
        return np.array([self.costs(row).get(name, np.nan) for row in codes], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CostModel:
    """Ridge regression from architecture features to the logarithm of a cost.

    Attributes:
        name: The cost.
        space, extractor: Where features come from.
        weights: `(column + 1,)`, the intercept last.
        low, high: Doubt on both sides: twice the lowest and highest left-out residual, on the scale of the logarithm.
        tau: Kendall's τ of left-out estimates with the truth.
        positive: Whether costs are positive, so that their logarithm is taken.
    """

    name: str
    space: Space
    extractor: FeatureExtractor
    weights: Vector
    low: float
    high: float
    tau: float
    positive: bool

    @classmethod
    def fit(cls, space: Space, name: str, codes: Codes, values: Vector) -> CostModel:
        """Fits on finite costs of at least two rows; the penalty is chosen by leaving one out.

        Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2009, equation 7.64.
        """
        extractor = extractor_of_space(space)
        positive = bool((values > 0).all())
        y = np.log(values) if positive else values
        x = extractor.features_of_codes(space, codes)
        shift, centre = x.mean(axis=0), float(y.mean())
        u, s, vt = np.linalg.svd(x - shift, full_matrices=False)
        turned = u.T @ (y - centre)
        fits = [_ridge(u, s, turned, y - centre, ridge) for ridge in _RIDGE]
        shrunk, left_out = min(fits, key=lambda fit: float(np.mean(fit[1] ** 2)))
        slope = vt.T @ shrunk
        low, high = _DOUBT * left_out.min(), _DOUBT * left_out.max()
        weights = np.append(slope, centre - shift @ slope)
        return cls(name, space, extractor, weights, float(low), float(high), tau(y - left_out, y), positive)

    def estimate(self, codes: Codes) -> Vector:
        """Estimated costs of rows, `(n,)`."""
        return self._cost(self.latent(codes))

    def latent(self, codes: Codes) -> Vector:
        """Estimates on the scale on which they are linear in the features, `(n,)`."""
        x: Floats = self.extractor.features_of_codes(self.space, codes)
        out: Vector = x @ self.weights[:-1] + self.weights[-1]
        return out

    def may_hold(self, condition: Condition, latent: Vector, doubt: float = 0.0) -> NDArray[np.bool_]:
        """Which rows may keep a limit, the error of their estimates and a further `doubt` granted, `(n,)`."""
        shift = self.low - doubt if condition.is_upper() else self.high + doubt
        return condition.holds(self._cost(latent + shift))

    def _cost(self, latent: Vector) -> Vector:
        out: Vector = np.exp(np.minimum(latent, 700.0)) if self.positive else latent
        return out


def _ridge(u: Floats, s: Vector, turned: Vector, y: Vector, ridge: float) -> tuple[Vector, Vector]:
    """Coefficients along the right singular vectors, and residuals with each row left out."""
    level = ridge * max(float(s[0]) if s.size else 0.0, 1e-6) ** 2 / len(y)
    shrink = s**2 / (s**2 + level)
    leverage = u**2 @ shrink + 1 / len(y)
    left_out: Vector = (y - u @ (shrink * turned)) / np.maximum(1 - leverage, 1e-3)
    return s / (s**2 + level) * turned, left_out


def fit_cost_models(names: Sequence[str], labels: Labels, book: CostBook, *, seed: int) -> dict[str, CostModel]:
    """An estimate for each named cost: from counts of a uniform sample, else from a numeric column of the labels."""
    models = {}
    sample = labels.space.sample_codes(np.random.default_rng([seed, 1 << 20]), _COUNTED)
    for name in dict.fromkeys(names):
        if name in book.names:
            codes, values = sample, book.column(sample, name)
        else:
            codes, values = labels.codes, labels.numbers[name]
        there = np.isfinite(values)
        if there.sum() < _FEWEST:
            raise DataError(
                "too few architectures of which this cost is known",
                place="--where",
                value=name,
                accepted=f"at least {_FEWEST}",
                remedy="leave the condition out",
            )
        models[name] = CostModel.fit(labels.space, name, codes[there], values[there])
    return models


def known_names(labels: Labels, book: CostBook) -> tuple[str, ...]:
    """What `--where` may name: what can be counted, and numeric columns of the labels with enough values."""
    finite = {name: int(np.isfinite(column).sum()) for name, column in labels.numbers.items()}
    columns = [name for name, count in finite.items() if count >= _FEWEST and name not in book.names]
    return (*book.names, *columns)
