"""Targets: text to classes or numbers; what cannot be learnt from is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnas.data.words import number, order, text_of
from gnas.errors import DataError
from gnas_timeseries.options import TaskKind
from gnas_timeseries.recordings import Recordings

FloatMatrix = NDArray[np.float64]

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})
_MOST_CLASSES = 20
"""Whole numbers with more different values than this are taken for a quantity."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels as numbers.

    Attributes:
        kind: Of the task.
        values: `(label, target)`, NaN where missing: a number, 0 or 1, or the position of the class in `classes`.
        classes: Names of the classes of a classification, in order; empty otherwise.
    """

    kind: TaskKind
    values: FloatMatrix
    classes: tuple[str, ...]

    def with_values(self, values: FloatMatrix) -> Labels:
        """Others of the same kind."""
        return replace(self, values=values)


def read_labels(recordings: Recordings, asked: Literal["auto"] | TaskKind, cap: float | None) -> Labels:
    """The labels of recordings as numbers, and the kind of task they make.

    Args:
        recordings: With labels as read.
        asked: Kind of the task.
        cap: Largest value of a regression's target.

    Raises:
        DataError: A label is no number where one is needed; there is one class or one value only.
    """
    cells = recordings.labels
    kind = _kind(cells) if asked == "auto" else asked
    place = f"{recordings.source}, target {', '.join(map(repr, recordings.targets))}"
    if kind != "regression" and cap is not None:
        raise DataError(f"a cap has no use in a task of kind {kind}", place="data.cap", accepted="regression")
    if kind == "classification":
        labels = _classes(cells, place, len(recordings.targets))
    else:
        labels = Labels(kind, _numbers(recordings), ())
        if cap is not None:
            labels = labels.with_values(np.minimum(labels.values, cap))
    _check_spread(labels, recordings, place)
    return labels


def _kind(cells: NDArray[Any]) -> TaskKind:
    """Text and few whole numbers are classes, several columns of 0 and 1 a multi-label task, all else a quantity."""
    distinct = [sorted({text_of(cell, _MISSING) for cell in column} - {""}) for column in cells.T]
    values = [[number(word) for word in words] for words in distinct]
    if len(distinct) > 1 and all(set(found) <= {0.0, 1.0} for found in values):
        return "multilabel"
    if len(distinct) == 1:
        text = any(math.isnan(value) for value in values[0])
        whole = all(value == int(value) for value in values[0] if math.isfinite(value))
        if text or (whole and len(values[0]) <= _MOST_CLASSES):
            return "classification"
    return "regression"


def _classes(cells: NDArray[Any], place: str, n_targets: int) -> Labels:
    if n_targets > 1:
        raise DataError(
            f"{n_targets} targets in a classification",
            place="data.targets",
            accepted="one",
            remedy="or task: multilabel",
        )
    words = [text_of(cell, _MISSING) for cell in cells[:, 0]]
    names = sorted(set(words) - {""}, key=order)
    if len(names) < 2:
        problem = "one class only" if names else "the target has no labels at all"
        remedy = "at least two classes are needed" if names else "choose another target"
        raise DataError(problem, place=place, value=names[0] if names else None, remedy=remedy)
    code = {name: float(position) for position, name in enumerate(names)} | {"": math.nan}
    return Labels("classification", np.array([[code[word]] for word in words]), tuple(names))


def _numbers(recordings: Recordings) -> FloatMatrix:
    values = np.full(recordings.labels.shape, math.nan)
    for (row, target), cell in np.ndenumerate(recordings.labels):
        word = str(cell).strip()
        if word.lower() in _MISSING:
            continue
        values[row, target] = number(word)
        if not math.isfinite(values[row, target]):
            raise DataError(
                f"target {recordings.targets[target]!r} is not a finite number",
                place=place_of_label(recordings, row),
                value=word,
                accepted="a number, or an empty cell where the label is missing",
                remedy="or task: classification",
            )
    return values


def place_of_label(recordings: Recordings, row: int) -> str:
    """Where a row of labels stands."""
    if not recordings.stepwise:
        return recordings.places[row]
    recording = int(np.searchsorted(recordings.starts, row, side="right")) - 1
    return f"{recordings.places[recording]}, step {row - int(recordings.starts[recording]) + 1}"


def _check_spread(labels: Labels, recordings: Recordings, place: str) -> None:
    if labels.kind == "classification":
        return
    for target, name in enumerate(recordings.targets):
        column = labels.values[:, target]
        values = np.unique(column[~np.isnan(column)])
        if labels.kind == "multilabel" and not np.isin(values, (0.0, 1.0)).all():
            row = int(np.flatnonzero(~np.isnan(column) & ~np.isin(column, (0.0, 1.0)))[0])
            where = place_of_label(recordings, row)
            problem = f"target {name!r} of a multi-label task"
            raise DataError(problem, place=where, value=float(column[row]), accepted="0 or 1")
        if len(values) < 2:
            problem = f"target {name!r} has " + ("one value only" if len(values) else "no labels at all")
            value = float(values[0]) if len(values) else None
            raise DataError(
                problem, place=place, value=value, remedy="there is nothing to learn; choose another target"
            )
