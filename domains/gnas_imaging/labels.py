"""Labels: text to classes or numbers, the kind of task they make; what cannot be learnt from is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.data.words import number, order, text_of
from gnas.errors import DataError
from gnas_imaging.options import ImagingData, TaskKind
from gnas_imaging.raw import Raw

FloatMatrix = NDArray[np.float64]

_MISSING = frozenset({"", "nan", "na", "n/a"})
_MOST_CLASSES = 20
"""Whole numbers with more different values than this are taken for a quantity."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels as a network is trained on them.

    Attributes:
        kind: Of the task.
        names: Of the classes of a binary (the positive one last), multi-class or segmentation task, else of targets.
        values: `(image, output)`: 0 or 1 in a binary or multi-label task, one 1 in a row in a multi-class one, numbers
            in a regression; NaN where missing. Without columns in a segmentation, whose labels are the masks.
        mask_values: What stands in masks for each class of a segmentation, ascending.
    """

    kind: TaskKind
    names: tuple[str, ...]
    values: FloatMatrix
    mask_values: tuple[int, ...] = ()

    def strata(self) -> NDArray[np.int64]:
        """A class of each image, to share out evenly: its own, or the number of labels set; 0 for quantities."""
        if self.kind == "multiclass":
            return np.asarray(self.values.argmax(axis=1), dtype=np.int64)
        if self.kind in ("binary", "multilabel"):
            return np.asarray(np.nan_to_num(self.values).sum(axis=1), dtype=np.int64)
        return np.zeros(len(self.values), dtype=np.int64)


def read_labels(raw: Raw, options: ImagingData) -> Labels:
    """The labels of images, and the kind of task they make.

    Raises:
        DataError: A label is absent or no number where one is needed; there is one class or one value only.
    """
    kind = _kind(raw, options)
    if kind == "segmentation":
        return _segmentation(raw)
    if not raw.targets:
        raise DataError("there are no labels", place=raw.source, value=kind, remedy="name them with data.targets")
    if kind in ("binary", "multiclass"):
        return _classes(raw, kind)
    values = np.stack([_numbers(raw, name, kind) for name in raw.targets], axis=1)
    for j, name in enumerate(raw.targets):
        column = values[:, j]
        found = np.unique(column[~np.isnan(column)])
        if len(found) < 2:
            problem = f"target {name!r} has " + ("one value only" if len(found) else "no labels at all")
            value = float(found[0]) if len(found) else None
            raise DataError(problem, place=raw.source, value=value, remedy="there is nothing to learn from it; drop it")
    return Labels(kind, tuple(raw.targets), values)


def _kind(raw: Raw, options: ImagingData) -> TaskKind:
    if options.task == "segmentation" and not len(raw.masks):
        raise DataError("a segmentation needs masks", place="data.task", remedy="name them with data.mask")
    if options.task != "auto":
        return options.task
    if not raw.targets:
        return "segmentation"
    distinct = {name: {text_of(cell, _MISSING) for cell in column} - {""} for name, column in raw.targets.items()}
    if len(distinct) > 1:
        return "multilabel" if all(words <= {"0", "1"} for words in distinct.values()) else "regression"
    (words,) = distinct.values()
    numbers = [number(word) for word in words]
    text = any(math.isnan(number) for number in numbers)
    whole = all(number == int(number) for number in numbers if math.isfinite(number))
    if text or (whole and len(words) <= _MOST_CLASSES):
        return "binary" if len(words) <= 2 else "multiclass"
    return "regression"


def _classes(raw: Raw, kind: TaskKind) -> Labels:
    if len(raw.targets) > 1:
        value = ", ".join(raw.targets)
        remedy = "or set data.task to multilabel or regression"
        raise DataError(
            f"{len(raw.targets)} targets in a {kind} task", place="data.targets", value=value, remedy=remedy
        )
    ((name, cells),) = raw.targets.items()
    words = [text_of(cell, _MISSING) for cell in cells]
    for word, place in zip(words, raw.places, strict=True):
        if not word:
            raise DataError(f"target {name!r} is absent", place=place, remedy="fill it in, or remove the image")
    found = sorted(set(words), key=order)
    if len(found) < 2:
        raise DataError("one class only", place=raw.source, value=found[0], remedy="at least two classes are needed")
    if kind == "binary" and len(found) > 2:
        value = ", ".join(found[:12])
        raise DataError("more than two classes in a binary task", place="data.task", value=value, accepted="multiclass")
    place_of = {word: j for j, word in enumerate(found)}
    index = np.array([place_of[word] for word in words])
    names = _named(found, raw.class_names)
    values = index[:, None].astype(np.float64) if kind == "binary" else np.eye(len(found))[index]
    return Labels(kind, names, values)


def _named(words: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Classes 0, 1, … by the names that the data give."""
    numbers = [number(word) for word in words]
    if names and all(number == int(number) and 0 <= number < len(names) for number in numbers if number == number):
        return tuple(names[int(n)] if n == n else word for n, word in zip(numbers, words, strict=True))
    return tuple(words)


def _numbers(raw: Raw, name: str, kind: TaskKind) -> NDArray[np.float64]:
    """One target; labels may be missing where there are several."""
    several = len(raw.targets) > 1
    values = np.full(len(raw), math.nan)
    for i, cell in enumerate(raw.targets[name]):
        word = text_of(cell, _MISSING)
        if not word and several:
            continue
        values[i] = number(word)
        if not math.isfinite(values[i]):
            accepted = "a number" + (", or an empty cell where the label is missing" if several else "")
            remedy = "correct it, or remove the image"
            problem = f"target {name!r} is not a finite number"
            raise DataError(problem, place=raw.places[i], value=cell, accepted=accepted, remedy=remedy)
        if kind == "multilabel" and values[i] not in (0.0, 1.0):
            problem = f"target {name!r} of a multi-label task"
            raise DataError(problem, place=raw.places[i], value=cell, accepted="0 or 1")
    return values


def _segmentation(raw: Raw) -> Labels:
    if not len(raw.masks):
        raise DataError("there are neither labels nor masks", place=raw.source, remedy="name them with data.targets")
    found: set[int] = set()
    for mask, place in zip(raw.masks, raw.places, strict=True):
        values = np.unique(mask)
        if not np.equal(np.mod(values, 1), 0).all() or values.min() < 0:
            raise DataError(
                "a mask holds values that are no classes", place=place, accepted="0 for background, 1, 2, …"
            )
        found |= {int(value) for value in values}
    if len(found) < 2:
        raise DataError("the masks hold one class only", place=raw.source, value=sorted(found), accepted="two or more")
    names = tuple(raw.class_names) if len(raw.class_names) == len(found) else tuple(str(v) for v in sorted(found))
    return Labels("segmentation", names, np.zeros((len(raw), 0)), tuple(sorted(found)))
