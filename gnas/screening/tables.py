"""CSV files read a block at a time, every row with its line number."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from gnas.errors import DataError
from gnas.space.marks import suggestion


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a table.

    Attributes:
        file: Where they stand.
        names: Columns, in the order of the file.
        rows: Cells as text, stripped of blanks around them.
        lines: Line of each row.
    """

    file: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """Cells of one column."""
        where = self.names.index(name)
        return tuple(row[where] for row in self.rows)

    def place(self, row: int, name: str) -> str:
        """`file.csv line 7, column 'depth'`."""
        return f"{self.file} line {self.lines[row]}, column {name!r}"


def read_blocks(path: Path, size: int = 65_536) -> Iterator[Block]:
    """Reads a CSV file, plain or gzipped, in blocks of at most `size` rows; empty lines are skipped.

    Raises:
        DataError: No such file, no text, a column named twice, or a row of another length than the header.
    """
    with _opened(path) as file:
        reader = csv.reader(file)
        names = _header(path, reader)
        rows: list[tuple[str, ...]] = []
        lines: list[int] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                raise DataError(
                    f"a row of {len(row)} cells",
                    place=f"{path} line {reader.line_num}",
                    accepted=f"{len(names)} cells, as the header has",
                    remedy="put quotes around cells that hold commas",
                )
            rows.append(tuple(cell.strip() for cell in row))
            lines.append(reader.line_num)
            if len(rows) == size:
                yield Block(path, names, tuple(rows), tuple(lines))
                rows, lines = [], []
        if rows:
            yield Block(path, names, tuple(rows), tuple(lines))


def read_table(path: Path) -> Block:
    """A whole CSV file, as `read_blocks`.

    Raises:
        DataError: As `read_blocks`, or no row beneath the header.
    """
    blocks = [*read_blocks(path)]
    if not blocks:
        raise DataError("no rows beneath the header", place=str(path), remedy="give one row for each architecture")
    return Block(
        path,
        blocks[0].names,
        tuple(row for block in blocks for row in block.rows),
        tuple(line for block in blocks for line in block.lines),
    )


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path.is_dir():
        raise DataError("a folder, not a file", place=str(path), accepted="a CSV file")
    if not path.is_file():
        beside = [other.name for other in path.parent.glob("*.csv*")] if path.parent.is_dir() else []
        raise DataError("no such file", place=str(path), remedy=suggestion(path.name, beside) or None)
    opening = gzip.open if path.suffix == ".gz" else open
    try:
        with opening(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError) as error:
        raise DataError(
            f"not a CSV file in UTF-8 ({error})", place=str(path), accepted="comma-separated text, plain or gzipped"
        ) from error


def _header(path: Path, reader: Iterator[list[str]]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in next(reader, []))
    if not any(names):
        raise DataError("the file is empty", place=str(path), accepted="a header line with the names of the columns")
    twice = next((name for name in names if names.count(name) > 1 and name), None)
    if twice is not None:
        raise DataError("a column named twice", place=f"{path} line 1", value=twice, remedy="rename one of them")
    return names
