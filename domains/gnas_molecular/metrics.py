"""Metrics of molecular tasks: NumPy in, one number out; NaN where a metric is not defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.metrics import auprc, auroc, log_loss, mae, r2, rmse, spearman
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
