"""Metrics of time-series tasks: NumPy in, one number out; NaN where a metric is not defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gnas.data.metrics import Vector, auroc, class_log_loss, log_loss, mae, r2, rmse
from gnas.domain import Metric
from gnas_timeseries.options import TaskKind

IN_UNITS = frozenset({"rmse", "mae", "worst_group_rmse"})


def metrics_of(kind: TaskKind, *, grouped: bool, capped: bool) -> tuple[Metric, ...]:
    """Metrics of a task, the default objective first.

    Args:
        kind: Of the task.
        grouped: Whether the data name subjects or devices, the worst of which counts.
        capped: Whether the targets have a cap, as remaining life has.
    """
    if kind == "regression":
        worst = (Metric("worst_group_rmse", "minimize"),) if grouped else ()
        phm = (Metric("phm_score", "minimize"),) if capped else ()
        return (Metric("rmse", "minimize"), Metric("mae", "minimize"), Metric("r2", "maximize"), *phm, *worst)
    if kind == "multilabel":
        return (Metric("auroc", "maximize"), Metric("macro_f1", "maximize"), Metric("log_loss", "minimize"))
    worst = (Metric("worst_group_accuracy", "maximize"),) if grouped else ()
    ranked = tuple(Metric(name, "maximize") for name in ("macro_f1", "balanced_accuracy", "accuracy", "auroc"))
    return (*ranked, Metric("log_loss", "minimize"), *worst)


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur in the truth or the prediction, as scikit-learn has it."""
    found = []
    for name in np.union1d(truth, predicted):
        hits = int(((truth == name) & (predicted == name)).sum())
        found.append(2 * hits / (int((truth == name).sum()) + int((predicted == name).sum())))
    return float(np.mean(found)) if found else float("nan")


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur in the truth."""
    recalls = [float((predicted[truth == name] == name).mean()) for name in np.unique(truth)]
    return float(np.mean(recalls)) if recalls else float("nan")


def macro_auroc(truth: NDArray[np.int64], probability: Vector) -> float:
    """Mean AUROC of each class against the rest, over those for which it is defined; of two classes, the second's."""
    if probability.shape[1] == 2:
        return auroc((truth == 1).astype(float), probability[:, 1])
    return _mean_defined([auroc((truth == c).astype(float), p) for c, p in enumerate(probability.T)])


def phm_score(truth: Vector, predicted: Vector) -> float:
    """Sum of penalties of remaining-life errors, those that come too late weighing more.

    Source: Saxena et al., Damage propagation modeling for aircraft engine run-to-failure simulation, PHM 2008, eq. 7
    (doi:10.1109/PHM.2008.4711414). Deviation: errors beyond 200 count as 200, so that no sum overflows.
    """
    late = np.clip(predicted - truth, -200.0, 200.0)
    return float(np.sum(np.where(late < 0, np.exp(-late / 13.0), np.exp(late / 10.0)) - 1.0))


def worst(
    metric: Callable[[Vector, Vector], float], highest: bool, groups: Sequence[str], a: Vector, b: Vector
) -> float:
    """A metric of the group that has the highest (or lowest) value of it."""
    names = np.asarray(groups)
    found = [metric(a[names == name], b[names == name]) for name in np.unique(names)]
    defined = [value for value in found if np.isfinite(value)]
    return (max if highest else min)(defined) if defined else float("nan")


def accuracy(truth: Vector, predicted: Vector) -> float:
    """Fraction of series whose class was found."""
    return float((truth == predicted).mean())


def score_classes(truth: NDArray[np.int64], probability: Vector, groups: Sequence[str]) -> dict[str, float]:
    """All metrics of a classification.

    Args:
        truth: `(series,)`, class of each.
        probability: `(series, class)`.
        groups: Of each series.
    """
    predicted = probability.argmax(axis=1)
    return {
        "macro_f1": macro_f1(truth, predicted),
        "balanced_accuracy": balanced_accuracy(truth, predicted),
        "accuracy": accuracy(truth, predicted),
        "auroc": macro_auroc(truth, probability),
        "log_loss": class_log_loss(truth, probability),
        "worst_group_accuracy": worst(accuracy, False, groups, truth, predicted),
    }


def score_values(truth: Vector, predicted: Vector, groups: Sequence[str]) -> dict[str, float]:
    """All metrics of a regression, each the mean over the targets.

    Args:
        truth: `(series, target)`, NaN where a label is missing.
        predicted: `(series, target)` in data units.
        groups: Of each series.
    """
    columns = []
    names = np.asarray(groups)
    for t, p in zip(truth.T, predicted.T, strict=True):
        here = ~np.isnan(t)
        t, p = t[here], p[here]
        if len(t):
            found = {"rmse": rmse(t, p), "mae": mae(t, p), "r2": r2(t, p), "phm_score": phm_score(t, p)}
            columns.append({**found, "worst_group_rmse": worst(rmse, True, names[here].tolist(), t, p)})
    return {name: _mean_defined([column[name] for column in columns]) for name in _VALUE_METRICS}


def score_labels(truth: Vector, probability: Vector) -> dict[str, float]:
    """All metrics of a multi-label task, each the mean over the targets; F1 of the label 1 at a probability of 0.5."""
    scores: dict[str, list[float]] = {"auroc": [], "macro_f1": [], "log_loss": []}
    for t, p in zip(truth.T, probability.T, strict=True):
        here = ~np.isnan(t)
        t, p = t[here], p[here]
        positive = int(t.sum()) + int((p > 0.5).sum())
        scores["auroc"].append(auroc(t, p))
        scores["macro_f1"].append(2 * float(((p > 0.5) & (t > 0.5)).sum()) / positive if positive else float("nan"))
        scores["log_loss"].append(log_loss(t, p) if len(t) else float("nan"))
    return {name: _mean_defined(found) for name, found in scores.items()}


_VALUE_METRICS = ("rmse", "mae", "r2", "phm_score", "worst_group_rmse")


def _mean_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")
