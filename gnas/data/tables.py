"""Tables of text read from CSV and TSV, each row with the place it came from."""

from __future__ import annotations

import csv
import difflib
import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from gnas.errors import DataError

Cell = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    Attributes:
        source: File or dataset, for messages.
        columns: Values by column name.
        lines: Line, row or record of each row, counted from 1.
        word: What `lines` counts.
    """

    source: str
    columns: dict[str, tuple[Cell, ...]]
    lines: tuple[int, ...]
    word: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where row `row` stands: `rows.csv line 12`."""
        return f"{self.source} {self.word} {self.lines[row]}"

    def column(self, name: str, key: str) -> tuple[Cell, ...]:
        """The values of a column.

        Args:
            name: Of the column.
            key: Key of the spec that names it, for the message.

        Raises:
            DataError: There is no such column.
        """
        if name in self.columns:
            return self.columns[name]
        close = difflib.get_close_matches(name.lower(), [column.lower() for column in self.columns], n=1)
        meant = [column for column in self.columns if close and column.lower() == close[0]]
        raise DataError(
            f"no such column in {self.source}",
            place=f"data.{key}",
            value=name,
            accepted=", ".join(self.columns),
            remedy=f"did you mean {meant[0]!r}?" if meant else None,
        )


Reader = Callable[[Path], Table]


def read_table(path: Path, readers: Mapping[str, Reader] | None = None) -> Table:
    """Reads a file by its ending.

    Args:
        path: Of the file.
        readers: By ending, in lower case; by default those of text.

    Raises:
        DataError: It is absent, empty, of another format, or damaged.
    """
    readers = TEXT if readers is None else readers
    reader = readers[known_ending(path, tuple(readers))]
    try:
        table = reader(path)
    except (OSError, EOFError) as error:
        raise DataError(f"the file cannot be read ({error})", place=str(path)) from error
    if not len(table):
        raise DataError("the file holds no rows", place=str(path), remedy="check the path and the export that wrote it")
    return table


def known_ending(path: Path, endings: Sequence[str]) -> str:
    """The ending of an existing file.

    Raises:
        DataError: It has another one, or the file is absent.
    """
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), None)
    if ending is None:
        accepted = ", ".join(endings)
        raise DataError("unknown kind of file", place="data.file", value=path.name, accepted=accepted)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "relative paths count from the spec's folder"
        raise DataError("no such file", place="data.file", value=str(path), remedy=remedy)
    return ending


def open_bytes(path: Path) -> IO[bytes]:
    """A file opened for reading, unpacked if its name ends in `.gz`."""
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def read_text(path: Path) -> Table:
    """A table of text: CSV, with commas, semicolons or tabs, or TSV.

    Raises:
        DataError: With the line that cannot be read.
    """
    with open_bytes(path) as file:
        raw = file.read()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            "not UTF-8 text", place=f"{path.name} line {line}", remedy="save it as CSV with UTF-8 encoding"
        ) from error
    delimiter = "\t" if ".tsv" in path.name.lower() else _delimiter(text)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        place = f"{path.name} line {reader.line_num}"
        raise DataError(f"the line cannot be read as CSV ({error})", place=place) from error
    if not rows:
        raise DataError("the file is empty", place=str(path), remedy="check the path and the export that wrote it")
    header = [name.strip() for name in rows[0]]
    _check_header(header, path)
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) != len(header):
            place = f"{path.name} line {line}"
            raise DataError(f"{len(row)} fields", place=place, accepted=f"{len(header)} fields as in the header")
    columns: dict[str, tuple[Cell, ...]] = {
        name: tuple(row[i].strip() for row in rows[1:]) for i, name in enumerate(header)
    }
    return Table(path.name, columns, tuple(lines[1:]))


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _check_header(header: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DataError("two columns have one name", place=f"{path.name} line 1", value=name)
        seen.add(name)


TEXT: Mapping[str, Reader] = dict.fromkeys((".csv", ".csv.gz", ".tsv", ".tsv.gz"), read_text)
"""Readers of text by ending."""
