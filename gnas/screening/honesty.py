"""How good a predictor is on labels it has not seen, beside what anyone would try first, on the same folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.crossval import folds
from gnas.predictors.protocol import Vector
from gnas.screening.labels import Labels

LEVEL = 0.9
"""Share of values that the intervals claim to hold."""
_CHANCE = 1.645


@dataclass(frozen=True, slots=True)
class Mark:
    """Rank correlation on held-out labels.

    Attributes:
        name: Whose.
        tau: Kendall's τ-b with the labels; larger is better.
        error: Standard error over labels.
    """

    name: str
    tau: float
    error: float


@dataclass(frozen=True, slots=True)
class Honesty:
    """What cross-validation found.

    Attributes:
        predictor: Of the predictor.
        baselines: The parameter count, where it is known, and the best cheap feature, each chosen and turned on the
            training folds.
        feature: The cheap feature most often chosen.
        difference, difference_error: τ of the predictor less that of the best baseline, with its standard error.
        coverage: Share of held-out labels inside the intervals.
        chance: τ that ranking at random stays below with 95 % probability (normal approximation of Kendall's null).
        n: Labels.
        folds: Of the cross-validation.
    """

    predictor: Mark
    baselines: tuple[Mark, ...]
    feature: str
    difference: float
    difference_error: float
    coverage: float
    chance: float
    n: int
    folds: int

    @property
    def better(self) -> bool:
        """Whether the predictor ranks better than chance and than every baseline."""
        return self.predictor.tau > self.chance and self.difference > 0

    def sentence(self) -> str:
        """The verdict in one sentence."""
        mark = f"rank correlation {self.predictor.tau:.2f} on held-out labels"
        if self.predictor.tau <= self.chance:
            return (
                f"WARNING: the predictor is not better than ranking at random: {mark}, and chance alone reaches "
                f"{self.chance:.2f} with {self.n} labels"
            )
        rival = max(self.baselines, key=lambda m: m.tau, default=None)
        if rival is None:
            return f"the predictor ranks better than chance: {mark} (chance reaches {self.chance:.2f})"
        named = f"{rival.name} ({rival.tau:.2f})"
        if self.difference <= 0:
            return f"WARNING: the predictor is not better than {named}: {mark}"
        sure = "" if self.difference > self.difference_error else ", but by less than the error of that comparison"
        return f"the predictor is better than {named}: {mark}{sure}"


def assess(
    labels: Labels,
    held_out: Vector,
    coverage: float,
    features: Mapping[str, Vector],
    n_params: Vector | None,
    *,
    seed: int,
) -> Honesty:
    """The predictor's marks on labels it had not seen, beside those of simple rankings found on the same folds.

    Args:
        labels: All labels.
        held_out: The predictor's mean of each, by models fitted without it, on any increasing scale, `(n,)`.
        coverage: Share of labels inside the 90 % intervals of such models.
        features: Cheap features of the labelled architectures, name to `(n,)`.
        n_params: Their parameter counts, `(n,)`; None where they are not known.
        seed: Of the folds.
    """
    n, sign = len(labels), labels.objective.sign()
    values = sign * labels.values
    rivals = {"the parameter count": {"n_params": n_params}} if n_params is not None else {}
    rankings = np.zeros((len(rivals) + 1, n))
    chosen: list[str] = []
    for train, test in folds(n, seed):
        for row, columns in enumerate([*rivals.values(), features]):
            name, turned = _best(columns, values, train)
            rankings[row, test] = turned[test]
            if columns is features:
                chosen.append(name)
    feature = max(sorted(set(chosen)), key=chosen.count)
    names = ["the predictor", *rivals, f"the best cheap feature, {feature or 'none'}"]
    agreement = [_agreement(ranking, values) for ranking in (sign * held_out, *rankings)]
    marks = [_mark(name, rows) for name, rows in zip(names, agreement, strict=True)]
    best = int(np.argmax([mark.tau for mark in marks[1:]])) + 1
    gap = _mark("", agreement[0] - agreement[best])
    chance = _CHANCE * float(np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1))))
    return Honesty(marks[0], tuple(marks[1:]), feature, gap.tau, gap.error, coverage, chance, n, len(chosen))


def _best(columns: Mapping[str, Vector], values: Vector, train: NDArray[np.intp]) -> tuple[str, Vector]:
    """The column that ranks the training rows best, turned so that larger is better."""
    best, name, turned = -1.0, "", np.zeros(len(values))
    for key, column in columns.items():
        tau = float(_agreement(column[train], values[train]).mean())
        if abs(tau) > best:
            best, name, turned = abs(tau), key, column if tau >= 0 else -column
    return name, turned


def _agreement(a: Vector, b: Vector) -> Vector:
    """For each row, how far its comparisons with the others agree: the mean of these is Kendall's τ-b."""
    x = np.sign(a[:, None] - a[None, :])
    y = np.sign(b[:, None] - b[None, :])
    scale = np.sqrt((x**2).mean() * (y**2).mean())
    if scale == 0:
        return np.zeros(len(a))
    out: Vector = (x * y).mean(axis=1) / scale
    return out


def _mark(name: str, agreement: Vector) -> Mark:
    """τ with its standard error.

    Source: Cliff and Charlin, "Variances and covariances of Kendall's tau and their estimation", Multivariate
    Behavioral Research 26, 1991: the leading term, four times the variance of the rows' agreement over their number.
    """
    return Mark(name, float(agreement.mean()), float(2 * agreement.std() / np.sqrt(len(agreement))))
