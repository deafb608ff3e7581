"""Targets: text to numbers, with gaps as NaN; regression or binary; what cannot be learnt from is refused."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnas.data.tables import Cell, Table
from gnas.errors import DataError
from gnas_molecular.options import TaskKind

FloatMatrix = NDArray[np.float64]

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def read_labels(table: Table, targets: tuple[str, ...]) -> FloatMatrix:
    """Targets as numbers, shape `(row, target)`; NaN where a label is missing.

    Raises:
        DataError: A column is absent, or a value is not a finite number.
    """
    labels = np.full((len(table), len(targets)), np.nan)
    for j, target in enumerate(targets):
        for i, cell in enumerate(table.column(target, "targets")):
            labels[i, j] = _number(cell, table, i, target)
    return labels


def _number(cell: Cell, table: Table, row: int, target: str) -> float:
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        word = cell.strip().lower()
        if word in _MISSING:
            return math.nan
        if word in _WORDS:
            return _WORDS[word]
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.inf
    if math.isinf(value):
        raise DataError(
            f"target {target!r} is not a finite number",
            place=table.place(row),
            value=cell,
            accepted="a number, or an empty cell where the label is missing",
        )
    return value


def task_kind(
    labels: FloatMatrix, targets: tuple[str, ...], asked: Literal["auto", "regression", "binary"]
) -> TaskKind:
    """Regression, or binary classification where every label is 0 or 1.

    Raises:
        DataError: Some targets are binary and others are not, and the spec does not say which is meant.
    """
    if asked != "auto":
        return asked
    present = ~np.isnan(labels)
    binary = [bool(np.isin(labels[present[:, j], j], (0.0, 1.0)).all()) for j in range(labels.shape[1])]
    if all(binary):
        return "binary"
    if any(binary):
        value = ", ".join(name for name, is_binary in zip(targets, binary, strict=True) if is_binary)
        raise DataError(
            "some targets hold only 0 and 1 and others do not",
            place="data.targets",
            value=value,
            remedy="give data.task, or split the targets over two specs",
        )
    return "regression"


def check_labels(labels: FloatMatrix, targets: tuple[str, ...], kind: TaskKind, table: Table) -> None:
    """Refuses targets that cannot be learnt from.

    Raises:
        DataError: A target has no labels, one class only, one value only, or is not 0 or 1 in a binary task.
    """
    for j, target in enumerate(targets):
        values = labels[:, j]
        present = ~np.isnan(values)
        place = f"{table.source} column {target!r}"
        if not present.any():
            raise DataError("the target has no labels at all", place=place, remedy="choose another column")
        if kind == "binary":
            odd = present & ~np.isin(values, (0.0, 1.0))
            if odd.any():
                row = int(np.flatnonzero(odd)[0])
                raise DataError(
                    f"target {target!r} of a binary task", place=table.place(row), value=values[row], accepted="0 or 1"
                )
        distinct = np.unique(values[present])
        if len(distinct) == 1:
            problem = "one class only" if kind == "binary" else "the target is constant"
            remedy = (
                "both classes are needed" if kind == "binary" else "there is nothing to learn; choose another column"
            )
            raise DataError(problem, place=place, value=float(distinct[0]), remedy=remedy)
