"""Figures of predictions: series with what was predicted, the confusion matrix, calibration, agreement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnas.domain import Part
from gnas.illustration import Figure, Line, agreement_figure, calibration_figure, confusion_figure, plot

if TYPE_CHECKING:
    from torch import Tensor

    from gnas_timeseries.task import SeriesTask

_TRACES = 4
_CHANNELS = 4
_TARGETS = 4

Array = NDArray[Any]


def figures_of(task: SeriesTask, part: Part, outputs: Tensor) -> tuple[Figure, ...]:
    """Figures of raw outputs for a whole part, in order."""
    truth, predicted = task.store(part).labels.numpy(), task.predictions(outputs)
    return (*_agreement(task, part, truth, predicted), *_traces(task, part, truth, predicted))


def _agreement(task: SeriesTask, part: Part, truth: Array, predicted: Array) -> Iterator[Figure]:
    if task.kind == "classification":
        true, called = truth[:, 0].astype(np.int64), predicted.argmax(axis=1)
        yield confusion_figure(true, called, task.classes, of=part)
        yield calibration_figure(true == called, predicted.max(axis=1), of=part, what="the predicted class")
        return
    unit = task.metrics[0].unit
    for target, name in enumerate(task.target_names[:_TARGETS]):
        known = ~np.isnan(truth[:, target])
        t, p = truth[known, target], predicted[known, target]
        if task.kind == "regression":
            yield agreement_figure(t, p, name=name, unit=unit, of=part)
        else:
            yield calibration_figure(t, p, of=part, what=name)


def _traces(task: SeriesTask, part: Part, truth: Array, predicted: Array) -> Iterator[Figure]:
    """The worst predictions, and an even choice of the others."""
    error = _errors(task, truth, predicted)
    worst = np.argsort(-error, kind="stable")[: _TRACES // 2]
    rest = np.setdiff1d(np.arange(len(truth)), worst)
    even = rest[np.unique(np.linspace(0, max(len(rest) - 1, 0), min(len(rest), _TRACES // 2)).astype(np.int64))]
    for i in (*worst.tolist(), *even.tolist()):
        yield _trace(task, part, i, truth[i], predicted[i])


def _errors(task: SeriesTask, truth: Array, predicted: Array) -> Array:
    if task.kind == "classification":
        return np.asarray(1.0 - predicted[np.arange(len(truth)), truth[:, 0].astype(np.int64)])
    return np.asarray(np.nan_to_num(np.abs(truth - predicted)).max(axis=1))


def _trace(task: SeriesTask, part: Part, i: int, truth: Array, predicted: Array) -> Figure:
    """One series as the network reads it, its first channels."""
    store = task.store(part)
    steps = int(store.steps[i])
    one = slice(i, i + 1)
    values = task.signal_scaler(store.values[one].numpy(), store.steps[one].numpy())[0, : len(task.channels), :steps]
    lines = [
        Line(np.arange(steps), values[channel], channel, name) for channel, name in enumerate(task.channels[:_CHANNELS])
    ]
    more = f", the first {_CHANNELS} of {len(task.channels)} channels" if len(task.channels) > _CHANNELS else ""
    svg = plot(lines, x_label="step", y_label="scaled value")
    return Figure(_told(task, truth, predicted), svg, f"A series of {part} of {store.groups[i]}, scaled{more}.")


def _told(task: SeriesTask, truth: Array, predicted: Array) -> str:
    if task.kind == "classification":
        called = int(predicted.argmax())
        return f"{task.classes[int(truth[0])]}, predicted {task.classes[called]} with {predicted[called]:.0%}"
    if task.kind == "regression":
        return f"{task.target_names[0]} {truth[0]:.4g}, predicted {predicted[0]:.4g}"
    sets = [np.flatnonzero(np.nan_to_num(row) > 0.5).tolist() for row in (truth, predicted)]
    true, called_names = (", ".join(task.target_names[j] for j in found) or "none" for found in sets)
    return f"{true}, predicted {called_names}"
