"""Recordings from CSV: long, one row a step; or wide, one row a series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.tables import Cell, Table, read_table
from gnas.errors import DataError
from gnas_timeseries.options import SeriesData
from gnas_timeseries.recordings import UNKNOWN, Recordings, from_dense, part_codes

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})


def read_csv(path: Path, options: SeriesData) -> Recordings:
    """The recordings of a CSV file.

    Raises:
        DataError: With file, line or column, and the remedy.
    """
    table = read_table(path)
    if not options.targets:
        raise DataError("targets is missing", place="data.targets", remedy="name the column or columns to predict")
    for name in options.targets:
        table.column(name, "targets")
    for key, column in (("group", options.group), ("split.column", options.split.column)):
        if column is not None:
            table.column(column, key)
    return _wide(table, options) if options.record is None else _long(table, options)


def _value_columns(table: Table, options: SeriesData) -> tuple[str, ...]:
    """Columns of values: those named, or those that have no other use."""
    for name in options.channels:
        table.column(name, "channels")
    used = {*options.targets, options.record, options.time, options.group, options.split.column}
    columns = options.channels or tuple(name for name in table.columns if name not in used)
    taken = [name for name in columns if name in used]
    if taken or not columns:
        problem = f"{taken[0]!r} is no channel, it has another use" if taken else "no column of values is left"
        raise DataError(problem, place="data.channels", accepted=", ".join(n for n in table.columns if n not in used))
    return columns


def _long(table: Table, options: SeriesData) -> Recordings:
    columns = _value_columns(table, options)
    names = table.column(options.record or "", "record")
    rows: dict[Cell, list[int]] = {}
    for row, name in enumerate(names):
        if name == "":
            raise DataError(f"column {options.record!r} is empty", place=table.place(row), remedy="name the recording")
        rows.setdefault(name, []).append(row)
    if options.time is not None:
        _check_time(table, options.time, rows)
    order = np.array([row for found in rows.values() for row in found], dtype=np.int64)
    values = np.stack([numbers(table, name)[order] for name in columns]).astype(np.float32)
    labels = np.array([table.columns[name] for name in options.targets], dtype=object).T[order]
    starts = np.concatenate([[0], np.cumsum([len(found) for found in rows.values()])]).astype(np.int64)
    firsts = [found[0] for found in rows.values()]
    places = tuple(f"{table.source}, recording {str(name)!r}" for name in rows)
    for column in (options.group, options.split.column):
        if column is not None:
            _check_constant(table, column, rows)
    return Recordings(
        source=table.source,
        values=values,
        starts=starts,
        channels=columns,
        labels=labels,
        stepwise=True,
        targets=options.targets,
        places=places,
        groups=_cells(table, options.group, firsts),
        parts=_parts(table, options.split.column, firsts),
    )


def _wide(table: Table, options: SeriesData) -> Recordings:
    columns = _value_columns(table, options)
    count = options.channel_count
    if len(columns) % count:
        raise DataError(
            f"{len(columns)} columns of values cannot be shared out to {count} channels",
            place="data.channel_count",
            value=count,
            accepted=f"a divisor of {len(columns)}",
            remedy="name the columns with data.channels",
        )
    dense = np.stack([numbers(table, name) for name in columns], axis=1)
    empty = np.isnan(dense).all(axis=1)
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise DataError("the series has no value at all", place=table.place(row), remedy="remove the row")
    values, starts = from_dense(dense.reshape(len(table), count, -1))
    everyone = range(len(table))
    return Recordings(
        source=table.source,
        values=values,
        starts=starts,
        channels=tuple(f"channel {number + 1}" for number in range(count)),
        labels=np.array([table.columns[name] for name in options.targets], dtype=object).T,
        stepwise=False,
        targets=options.targets,
        places=tuple(table.place(row) for row in everyone),
        groups=_cells(table, options.group, everyone),
        parts=_parts(table, options.split.column, everyone),
    )


def numbers(table: Table, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where a cell is empty.

    Raises:
        DataError: A cell is no finite number, with its line.
    """
    cells = table.columns[name]
    words = ["nan" if str(cell).strip().lower() in _MISSING else cell for cell in cells]
    try:
        found: NDArray[Any] = np.array(words, dtype=np.float64)
    except ValueError:
        found = np.array([_number(word) for word in words])
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise DataError(
            f"column {name!r} is not a finite number",
            place=table.place(row),
            value=cells[row],
            accepted="a number, or an empty cell where the value is missing",
            remedy="name the columns of values with data.channels if this is none",
        )
    return found


def _number(word: object) -> float:
    try:
        return float(str(word))
    except ValueError:
        return float("inf")


def _cells(table: Table, column: str | None, rows: Sequence[int]) -> tuple[str, ...]:
    if column is None:
        return ()
    found = tuple(str(table.columns[column][row]) for row in rows)
    if "" in found:
        place = table.place(rows[found.index("")])
        raise DataError(f"column {column!r} is empty", place=place, remedy="fill it in")
    return found


def _parts(table: Table, column: str | None, rows: Sequence[int]) -> NDArray[np.int64]:
    if column is None:
        return np.full(len(rows), UNKNOWN, dtype=np.int64)
    return part_codes(_cells(table, column, rows), [table.place(row) for row in rows])


def _check_time(table: Table, column: str, rows: dict[Cell, list[int]]) -> None:
    table.column(column, "time")
    times = numbers(table, column)
    for name, found in rows.items():
        inside = times[found]
        if np.isnan(inside).any():
            place = table.place(found[int(np.flatnonzero(np.isnan(inside))[0])])
            raise DataError(f"time column {column!r} is empty", place=place, remedy="fill it in")
        wrong = np.flatnonzero(np.diff(inside) <= 0)
        if len(wrong):
            step = int(wrong[0]) + 1
            raise DataError(
                f"time does not rise within recording {str(name)!r}: {inside[step]:g} after {inside[step - 1]:g}",
                place=table.place(found[step]),
                remedy="sort the rows of each recording by time, or leave data.time out if their order is right",
            )


def _check_constant(table: Table, column: str, rows: dict[Cell, list[int]]) -> None:
    cells = table.columns[column]
    for name, found in rows.items():
        other = next((row for row in found if cells[row] != cells[found[0]]), None)
        if other is not None:
            raise DataError(
                f"recording {str(name)!r} has two values in {column!r}: {cells[found[0]]!r} and {cells[other]!r}",
                place=table.place(other),
                remedy="a recording belongs to one group and one part; give the pieces names of their own",
            )
