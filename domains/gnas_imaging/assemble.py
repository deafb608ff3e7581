"""From split images to a task: tensors by part, and a look whether the objective is defined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gnas.data.parts import LEARNT, PARTS
from gnas.domain import Metric
from gnas.errors import DataError
from gnas_imaging.data import ImageData
from gnas_imaging.options import ImagingData
from gnas_imaging.segmentation import SegmentationTask
from gnas_imaging.store import ImageStore
from gnas_imaging.task import ImagingTask

if TYPE_CHECKING:
    from gnas.domain import Task


def assemble(images: ImageData, metrics: tuple[Metric, ...], options: ImagingData) -> Task:
    """The task of images.

    Raises:
        DataError: The objective is not defined on validation.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images.pixels, -1, 1)))
    labels = torch.from_numpy(images.labels.values if images.masks is None else images.masks.astype(np.uint8))
    where = {part: torch.from_numpy(images.parts.of(part)) for part in PARTS}
    kind = ImagingTask if images.masks is None else SegmentationTask
    task = kind.of(
        name=images.name,
        kind=images.labels.kind,
        names=images.labels.names,
        metrics=metrics,
        summary=images.summary,
        stores={part: ImageStore(pixels[where[part]], labels[where[part]]) for part in PARTS},
        places={part: tuple(images.places[i] for i in images.parts.of(part)) for part in PARTS},
        groups={part: tuple(images.groups[i] for i in images.parts.of(part)) for part in PARTS if images.groups},
        augment=options.augment,
        window=images.window,
        specificity=options.specificity,
    )
    _check_objective(task)
    return task


def _check_objective(task: ImagingTask) -> None:
    """Refuses validation data on which the objective is undefined."""
    if isinstance(task, SegmentationTask):
        _check_masks(task)
        return
    truth = task.targets("validation")
    guess = np.random.default_rng(0).uniform(0.1, 0.9, truth.shape)
    objective = task.metrics[0].name
    if np.isnan(task.score_predictions(truth, guess)[objective]):
        raise DataError(
            f"{objective} is not defined on the validation part",
            place="data.split",
            remedy="use another kind of split, other fractions or another seed",
        )


def _check_masks(task: SegmentationTask) -> None:
    """Refuses parts to learn from whose masks are all background."""
    for part in LEARNT:
        absent = [name for c, name in enumerate(task.names) if not (task.stores[part].labels == c).any()]
        if absent:
            raise DataError(
                f"no mask of the {part} part holds the class {absent[0]!r}",
                place="data.split",
                remedy="use another kind of split, other fractions or another seed",
            )
