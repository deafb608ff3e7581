"""Losses of time-series tasks, and weights that make rare classes count as much as common ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gnas.domain import Batch
from gnas.errors import SpecError
from gnas_timeseries.options import TaskKind

_LOSSES: Mapping[TaskKind, tuple[str, ...]] = {
    "regression": ("mse", "mae", "huber"),
    "classification": ("cross_entropy",),
    "multilabel": ("bce",),
}
_PER_LABEL: Mapping[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}


def series_loss(
    kind: TaskKind, asked: str, outputs: torch.Tensor, batch: Batch, weight: torch.Tensor | None
) -> torch.Tensor:
    """Mean over the labels that are present.

    Args:
        kind: Of the task.
        asked: Name of a loss; `auto` is `cross_entropy`, `mse` or `bce` by the kind of task.
        outputs: Shape `(series, class or target)`.
        batch: The labels, one-hot for a classification.
        weight: Of each class, or of the positive label of each target.

    Raises:
        SpecError: It is no loss for this kind of task.
    """
    name = _LOSSES[kind][0] if asked == "auto" else asked
    if name not in _LOSSES[kind]:
        accepted = ", ".join(("auto", *_LOSSES[kind]))
        raise SpecError(f"no loss for a {kind} task", place="recipe.loss", value=name, accepted=accepted)
    if name == "cross_entropy":
        each = -(batch.targets * functional.log_softmax(outputs, dim=1))
        return (each if weight is None else each * weight).sum() / len(outputs)
    if name == "bce":
        each = functional.binary_cross_entropy_with_logits(outputs, batch.targets, pos_weight=weight, reduction="none")
    else:
        each = _PER_LABEL[name](outputs, batch.targets, reduction="none")
    mask = batch.mask.to(each.dtype)
    return (each * mask).sum() / mask.sum().clamp(min=1.0)


def balancing_weights(kind: TaskKind, labels: NDArray[Any], width: int) -> NDArray[np.float64]:
    """Weights of classes, by which all weigh alike and the mean over the series is 1; of a multi-label task the
    negatives per positive of each target, 1 where one of them is absent.

    Args:
        kind: Of the task.
        labels: `(series, target)` of the training part.
        width: Number of classes, or of targets.
    """
    if kind == "classification":
        counts = np.bincount(labels[:, 0].astype(np.int64), minlength=width)
        return np.asarray(len(labels) / (width * np.maximum(counts, 1)))
    positive, negative = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    return np.where((positive > 0) & (negative > 0), negative / np.maximum(positive, 1), 1.0)
