"""CSV files as columns of text, each row with its line."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError
from gnas.space.marks import suggestion

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CsvFile:
    """Columns of equal length.

    Attributes:
        source: Name of the file, for messages.
        columns: Cells by column name, stripped of blanks.
        lines: Line of each row, counted from 1.
        word: What `lines` counts.
    """

    source: str
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    word: str = "line"

    def place(self, row: int) -> str:
        """Where a row stands: `table.csv line 12`."""
        return f"{self.source} {self.word} {self.lines[row]}"

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of a column.

        Raises:
            DataError: There is no such column.
        """
        if name not in self.columns:
            raise missing_column(name, self.source, self.columns)
        return self.columns[name]

    def numbers(self, name: str) -> Floats | str:
        """A column as numbers, shape `(row,)`, NaN where empty; where it holds text, the place of the first."""
        cells = self.column(name)
        try:
            return np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            bad = next(row for row, cell in enumerate(cells) if cell and not _is_number(cell))
            return f"{self.place(bad)}: {cells[bad]!r}"


def missing_column(name: str, source: str, known: object) -> DataError:
    """The error for a column that a table lacks."""
    names = [str(column) for column in known] if isinstance(known, dict | list | tuple) else []
    return DataError(
        "no such column",
        place=source,
        value=name,
        accepted=", ".join(names) or "none",
        remedy=suggestion(name, names) or None,
    )


def read_csv(path: Path) -> CsvFile:
    """Reads `.csv` or `.csv.gz`.

    Raises:
        DataError: It is absent, empty, damaged, not UTF-8, has a column twice or a row of another length.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError("not UTF-8 text", place=f"{path.name} line {line}", remedy="save it as UTF-8") from error
    except (OSError, EOFError) as error:
        raise DataError(f"the table cannot be read ({error})", place=str(path)) from error
    header, rows, lines = _rows(path.name, text)
    if not rows:
        raise DataError("the table holds no rows", place=str(path))
    columns = {name: tuple(column) for name, column in zip(header, zip(*rows, strict=True), strict=True)}
    return CsvFile(path.name, columns, tuple(lines))


def _rows(source: str, text: str) -> tuple[list[str], list[list[str]], list[int]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        for row in reader:
            if row:
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"not CSV ({error})", place=f"{source} line {reader.line_num}") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError("a column stands twice", place=f"{source} line 1", value=twice[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise DataError(
                f"the row has {len(row)} cells", place=f"{source} line {line}", accepted=f"{len(header)}, as line 1"
            )
    return header, rows, lines


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
