"""Metrics: NumPy in, one number out; NaN where a metric is not defined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Vector = NDArray[Any]


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


def class_log_loss(truth: Vector, probability: Vector) -> float:
    """Mean negative log-likelihood of classes `(example,)` under `(example, class)`, kept 1e-7 from 0."""
    chosen = probability[np.arange(len(truth)), truth.astype(np.int64)]
    return float(-np.mean(np.log(np.clip(chosen, 1e-7, 1.0))))
