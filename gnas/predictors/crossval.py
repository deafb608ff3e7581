"""Cross-validation on the labels at hand: folds, and weights of members."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import kendalltau

from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector

Rows = NDArray[np.intp]
_FOLDS = 8
_FEW_FOLDS, _MANY = 5, 250
_LEAST = 0.02
"""Members of less weight are not worth their time."""


def folds(n: int, seed: int, most: int = _FOLDS) -> Iterator[tuple[Rows, Rows]]:
    """Rows to train on and rows to test on, for each of at most `most` folds, fewer of many rows; n ≥ 2."""
    order = np.random.default_rng(seed).permutation(n)
    for part in np.array_split(order, min(most, _FOLDS if n < _MANY else _FEW_FOLDS, n)):
        yield np.setdiff1d(order, part), np.sort(part)


def tau(a: Vector, b: Vector) -> float:
    """Kendall's τ-b; 0 where one of the two is constant."""
    if len(a) < 2 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return 0.0
    return float(kendalltau(a, b)[0])


def held_out_combination(held_out: Floats, z: Vector, prior: Vector, strength: float, seed: int) -> Vector:
    """The combination of members for each label, `(n,)`, with weights learnt on the labels of other folds.

    Args:
        held_out, z, prior, strength: As for `simplex_weights`.
        seed: Of the folds.
    """
    if len(prior) == 1:
        return held_out[:, 0]
    out = np.zeros(len(z))
    for train, test in folds(len(z), seed):
        out[test] = held_out[test] @ simplex_weights(held_out[train], z[train], prior, strength)
    return out


def simplex_weights(held_out: Floats, z: Vector, prior: Vector, strength: float) -> Vector:
    """Weights ≥ 0 of sum 1 that predict `z` from `held_out`, drawn towards `prior` as `strength` more labels would.

    Source: Breiman, "Stacked regressions", Machine Learning 24, 1996, section 2. Deviation: the prior.

    Args:
        held_out: Predictions by models that did not see the label, `(n, member)`.
        z: Labels, `(n,)`.
        prior: Weights in the absence of labels, `(member,)`, of sum 1.
        strength: How many labels the prior is worth.
    """
    spread = np.sqrt(strength / len(prior))
    rows = [held_out, spread * np.eye(len(prior)), 1e3 * np.sqrt(len(z)) * np.ones((1, len(prior)))]
    target = [z, spread * prior, [1e3 * np.sqrt(len(z))]]
    weights = nnls(np.concatenate(rows), np.concatenate(target))[0]
    weights[weights < _LEAST * weights.sum()] = 0.0
    normalised: Vector = weights / weights.sum()
    return normalised
