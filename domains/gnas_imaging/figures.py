"""Figures of predictions: images with what was predicted, the confusion matrix, calibration, agreement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gnas.domain import Part
from gnas.illustration import Figure, Tile, agreement_figure, calibration_figure, confusion_figure, gallery_figure
from gnas_imaging.metrics import classes_of
from gnas_imaging.reading import resized

if TYPE_CHECKING:
    from gnas_imaging.task import ImagingTask

_TILES = 12
_SIDE = 96
_LABELS = 4


def figures_of(task: ImagingTask, part: Part, outputs: Tensor) -> tuple[Figure, ...]:
    """Figures of raw outputs for a whole part, in order."""
    truth, predicted = task.targets(part), task.predictions(outputs)
    first = _gallery(task, part, truth, predicted)
    return (first, *_others(task, part, truth, predicted))


def _others(
    task: ImagingTask, part: Part, truth: NDArray[np.float64], predicted: NDArray[np.float64]
) -> Iterator[Figure]:
    unit = task.metrics[0].unit
    for j, name in enumerate(task.names[:_LABELS]):
        if task.kind == "regression":
            yield agreement_figure(truth[:, j], predicted[:, j], name=name, unit=unit, of=part)
        elif task.kind == "multilabel":
            known = ~np.isnan(truth[:, j])
            yield calibration_figure(truth[known, j], predicted[known, j], of=part, what=name)
    if task.kind in ("binary", "multiclass"):
        true, called = classes_of(task.kind, truth), classes_of(task.kind, predicted)
        yield confusion_figure(true, called, task.names, of=part)
        if task.kind == "binary":
            yield calibration_figure(truth[:, 0], predicted[:, 0], of=part, what=task.names[1])
        else:
            yield calibration_figure(true == called, predicted.max(axis=1), of=part, what="the predicted class")


def _gallery(task: ImagingTask, part: Part, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Figure:
    """The worst predictions, and an even choice of the others."""
    error = np.nan_to_num(np.abs(truth - predicted)).max(axis=1)
    worst = np.argsort(-error, kind="stable")[: _TILES // 2]
    rest = np.setdiff1d(np.arange(len(truth)), worst)
    places = np.linspace(0, max(len(rest) - 1, 0), min(len(rest), _TILES - len(worst)))
    even = rest[np.unique(places.astype(np.int64))]
    tiles = [_tile(task, part, int(i), truth[i], predicted[i]) for i in (*worst, *even)]
    caption = f"The {len(worst)} worst predictions first, then an even choice of the others; point at one for its name."
    return gallery_figure(tiles, f"Examples of {part}", caption)


def _tile(task: ImagingTask, part: Part, i: int, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Tile:
    pixels = picture(task.stores[part].images[i].numpy())
    place = task.places[part][i]
    if task.kind == "regression":
        lines = (f"true {truth[0]:.4g}", f"pred. {predicted[0]:.4g}")
        return Tile(pixels, lines, place)
    if task.kind == "multilabel":
        sets = [np.flatnonzero(np.nan_to_num(row) > 0.5).tolist() for row in (truth, predicted)]
        words = [", ".join(task.names[j] for j in found) or "none" for found in sets]
        right = sets[0] == sets[1]
        return Tile(pixels, tuple(_short(word) for word in words), f"{place}: {words[0]}; predicted {words[1]}", right)
    true, called = (int(classes_of(task.kind, row[None])[0]) for row in (truth, predicted))
    chance = float(predicted[called]) if task.kind == "multiclass" else float(max(predicted[0], 1 - predicted[0]))
    lines = (_short(task.names[true]), f"{_short(task.names[called], 9)} {chance:.0%}")
    tip = f"{place}: {task.names[true]}; predicted {task.names[called]} with {chance:.3f}"
    return Tile(pixels, lines, tip, true == called)


def picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of an image `(channel, …)`: a volume by its middle slice, large ones at 96 pixels a side at most."""
    if image.ndim == 4:
        image = image[:, image.shape[1] // 2]
    pixels = np.moveaxis(image, 0, -1)
    longest = max(pixels.shape[:2])
    if longest > _SIDE:
        pixels = resized(pixels, [max(1, n * _SIDE // longest) for n in pixels.shape[:2]])
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _short(text: str, most: int = 14) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
