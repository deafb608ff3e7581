"""Metrics of molecular tasks: NumPy in, one number out; NaN where a metric is not defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gnas.domain import Metric
from gnas_molecular.options import TaskKind

Vector = NDArray[Any]

METRICS: Mapping[TaskKind, tuple[Metric, ...]] = {
    "regression": (
        Metric("rmse", "minimize"),
        Metric("mae", "minimize"),
        Metric("r2", "maximize"),
        Metric("spearman", "maximize"),
    ),
    "binary": (Metric("auroc", "maximize"), Metric("auprc", "maximize"), Metric("log_loss", "minimize")),
}
IN_UNITS = frozenset({"rmse", "mae"})


def rmse(truth: Vector, predicted: Vector) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


def mae(truth: Vector, predicted: Vector) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(truth - predicted)))


def r2(truth: Vector, predicted: Vector) -> float:
    """Coefficient of determination against the mean of `truth`; NaN where `truth` is constant."""
    total = float(np.sum((truth - truth.mean()) ** 2))
    return float(1 - np.sum((truth - predicted) ** 2) / total) if total > 0 else float("nan")


def spearman(truth: Vector, predicted: Vector) -> float:
    """Rank correlation; 0 for constant predictions, NaN where `truth` is constant."""
    a, b = rankdata(truth), rankdata(predicted)
    a, b = a - a.mean(), b - b.mean()
    if not np.sum(a * a) > 0:
        return float("nan")
    norm = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b) / norm) if norm > 0 else 0.0


def auroc(truth: Vector, scores: Vector) -> float:
    """Area under the ROC curve as the Mann–Whitney statistic; NaN unless both classes are there."""
    n_positive = int(truth.sum())
    n_negative = len(truth) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(scores)[truth > 0.5].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def auprc(truth: Vector, scores: Vector) -> float:
    """Average precision, tied scores taken together; NaN unless both classes are there."""
    n_positive = int(truth.sum())
    if not n_positive or n_positive == len(truth):
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order] > 0.5)
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    recall = hits[last] / n_positive
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def log_loss(truth: Vector, probability: Vector) -> float:
    """Mean negative log-likelihood, probabilities kept 1e-7 from 0 and 1."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(truth > 0.5, np.log(p), np.log1p(-p))))


_FUNCTIONS: Mapping[str, Callable[[Vector, Vector], float]] = {
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
    "spearman": spearman,
    "auroc": auroc,
    "auprc": auprc,
    "log_loss": log_loss,
}


def score(kind: TaskKind, truth: Vector, predicted: Vector) -> dict[str, float]:
    """All metrics of a task, each the mean over the targets for which it is defined; NaN if there is none.

    Args:
        kind: Of the task.
        truth: `(example, target)`, NaN where a label is missing.
        predicted: `(example, target)`, values in data units, or probabilities.
    """
    columns = [(truth[:, j], predicted[:, j]) for j in range(truth.shape[1])]
    present = [(t[~np.isnan(t)], p[~np.isnan(t)]) for t, p in columns]
    result = {}
    for metric in METRICS[kind]:
        values = np.array([_FUNCTIONS[metric.name](t, p) for t, p in present if len(t)])
        defined = values[~np.isnan(values)]
        result[metric.name] = float(defined.mean()) if len(defined) else float("nan")
    return result
