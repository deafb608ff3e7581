"""Metrics of imaging tasks: NumPy in, one number out; NaN where a metric is not defined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gnas.data import metrics as shared
from gnas.domain import Metric
from gnas.illustration.classes import expected_calibration_error
from gnas_imaging.options import TaskKind

Matrix = NDArray[np.float64]


def metrics_of(kind: TaskKind, specificity: float, unit: str = "") -> tuple[Metric, ...]:
    """Metrics of a task, its default objective first."""
    if kind == "regression":
        return (Metric("rmse", "minimize", unit), Metric("mae", "minimize", unit), Metric("r2", "maximize"))
    if kind == "segmentation":
        return (Metric("dice", "maximize"), Metric("hd95", "minimize", "pixels"), Metric("log_loss", "minimize"))
    exact = () if kind == "multilabel" else (Metric("balanced_accuracy", "maximize"),)
    return (
        Metric("auroc", "maximize"),
        Metric("auprc", "maximize"),
        *exact,
        Metric("accuracy", "maximize"),
        Metric(sensitivity_name(specificity), "maximize"),
        Metric("ece", "minimize"),
        Metric("log_loss", "minimize"),
    )


def sensitivity_name(specificity: float) -> str:
    """`sensitivity_at_90`: the sensitivity at a specificity of 90 %."""
    return f"sensitivity_at_{100 * specificity:g}"


def sensitivity_at(truth: Matrix, scores: Matrix, specificity: float) -> float:
    """Largest share of positives found at a threshold that leaves at least this share of negatives alone.

    NaN unless both classes are there.

    Args:
        truth: `(example,)`, 0 or 1.
        scores: `(example,)`, higher for positive.
        specificity: From 0 to 1.
    """
    positive, negative = scores[truth > 0.5], np.sort(scores[truth <= 0.5])
    if not len(positive) or not len(negative):
        return float("nan")
    # What is above the threshold is called positive, so it may stand at a negative that must be left alone.
    needed = int(np.ceil(specificity * len(negative) - 1e-9))
    threshold = negative[needed - 1] if needed else -np.inf
    return float(np.mean(positive > threshold))


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean over the classes that are there of the share of their examples that are found."""
    return float(np.mean([np.mean(predicted[truth == c] == c) for c in np.unique(truth)]))


def score_classes(kind: TaskKind, truth: Matrix, probability: Matrix, specificity: float) -> dict[str, float]:
    """All metrics of a classification.

    One-versus-rest metrics of several classes or labels are means over those for which they are defined.

    Args:
        kind: `binary`, `multiclass` or `multilabel`.
        truth: `(example, output)`: 0 or 1, NaN where missing; one 1 in a row of a multi-class task.
        probability: The same shape.
        specificity: Of the sensitivity.
    """
    columns = [
        (truth[known, j], probability[known, j]) for j in range(truth.shape[1]) for known in [~np.isnan(truth[:, j])]
    ]
    columns = [pair for pair in columns if len(pair[0])]
    found = {
        "auroc": _mean([shared.auroc(t, p) for t, p in columns]),
        "auprc": _mean([shared.auprc(t, p) for t, p in columns]),
        sensitivity_name(specificity): _mean([sensitivity_at(t, p, specificity) for t, p in columns]),
    }
    if kind == "multilabel":
        found["accuracy"] = _mean([float(np.mean((p > 0.5) == (t > 0.5))) for t, p in columns])
        found["ece"] = _mean([expected_calibration_error(t, p) for t, p in columns])
        found["log_loss"] = _mean([shared.log_loss(t, p) for t, p in columns])
        return found
    true, called = classes_of(kind, truth), classes_of(kind, probability)
    found["balanced_accuracy"] = balanced_accuracy(true, called)
    found["accuracy"] = float(np.mean(true == called))
    if kind == "binary":
        found["ece"] = expected_calibration_error(truth[:, 0], probability[:, 0])
        found["log_loss"] = shared.log_loss(truth[:, 0], probability[:, 0])
    else:
        found["ece"] = expected_calibration_error((true == called).astype(np.float64), probability.max(axis=1))
        found["log_loss"] = shared.class_log_loss(true, probability)
    return found


def score_numbers(truth: Matrix, predicted: Matrix) -> dict[str, float]:
    """All metrics of a regression, means over targets; NaN where a label is missing."""
    known = [~np.isnan(truth[:, j]) for j in range(truth.shape[1])]
    columns = [(truth[rows, j], predicted[rows, j]) for j, rows in enumerate(known) if rows.any()]
    functions = {"rmse": shared.rmse, "mae": shared.mae, "r2": shared.r2}
    return {name: _mean([function(t, p) for t, p in columns]) for name, function in functions.items()}


def classes_of(kind: TaskKind, values: Matrix) -> NDArray[np.int64]:
    """The class of each example from labels or probabilities `(example, output)`."""
    if kind == "binary":
        return np.asarray(values[:, 0] > 0.5, dtype=np.int64)
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def named(metrics: tuple[Metric, ...], found: Mapping[str, float]) -> dict[str, float]:
    """The values in the order of the metrics."""
    return {metric.name: found[metric.name] for metric in metrics}
