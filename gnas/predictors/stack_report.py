"""What cross-validation on the labels found: how well members and single features rank, whether intervals hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnas.predictors.crossval import folds, tau
from gnas.predictors.kernels import Floats
from gnas.predictors.members import Design
from gnas.predictors.protocol import Vector

BEST_FEATURE = "best single feature"


@dataclass(frozen=True, slots=True)
class StackReport:
    """Figures on labels that the models had not seen.

    Attributes:
        n_labels: Distinct labels.
        weights: Weight of each member, of sum 1.
        tau: Kendall's τ of each member.
        stack_tau: Kendall's τ of the combination.
        coverage90: Share of labels inside their 90 % interval.
        rmsce: Root mean squared error of the coverage over levels 5 % to 95 %.
        features: |Kendall's τ| of the user's columns by name, and of the one feature of all that is best on the labels
            a fold trains on, judged on those it leaves out.
        held_out: The combination's mean of each distinct label, by models and weights that had not seen it, on a scale
            of ranks, `(n,)`; NaN where nothing could be cross-validated.
    """

    n_labels: int
    weights: dict[str, float]
    tau: dict[str, float]
    stack_tau: float
    coverage90: float
    rmsce: float
    features: dict[str, float]
    held_out: Vector

    @classmethod
    def empty(cls, n_labels: int, names: tuple[str, ...]) -> StackReport:
        """Nothing could be cross-validated: one label, or all equal."""
        return cls(
            n_labels, {names[0]: 1.0}, {}, float("nan"), float("nan"), float("nan"), {}, np.full(n_labels, np.nan)
        )


def feature_taus(
    design: Design, values: Vector, names: tuple[str, ...], columns: Floats, seed: int
) -> dict[str, float]:
    """|τ| of each of the user's columns, and of the best single feature found by cross-validation."""
    found = {}
    for name, column in zip(names, columns.T, strict=True):
        there = ~np.isnan(column)
        found[name] = abs(tau(column[there], values[there]))
    chosen = np.zeros(len(values))
    for train, test in folds(len(values), seed):
        spread = design.x[train].std(axis=0)
        centred = values[train] - values[train].mean()
        correlation = (
            (design.x[train] - design.x[train].mean(axis=0)).T @ centred / np.where(spread > 1e-12, spread, np.inf)
        )
        best = int(np.argmax(np.abs(correlation)))
        chosen[test] = np.sign(correlation[best]) * design.x[test, best]
    found[BEST_FEATURE] = max(tau(chosen, values), 0.0)
    return found
