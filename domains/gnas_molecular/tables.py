"""Tables of molecules read from CSV, TSV, Parquet and SDF, each row with the place it came from."""

from __future__ import annotations

import csv
import difflib
import gzip
from collections.abc import Callable, Iterable
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
        lines: Line (text files), row (Parquet) or record (SDF) of each row, counted from 1.
        word: What `lines` counts.
    """

    source: str
    columns: dict[str, tuple[Cell, ...]]
    lines: tuple[int, ...]
    word: str = "line"

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int) -> str:
        """Where row `row` stands: `molecules.csv line 12`."""
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


def read_table(path: Path) -> Table:
    """Reads a file by its ending.

    Raises:
        DataError: It is absent, empty, of another format, or damaged.
    """
    readers: dict[str, Callable[[Path], Table]] = {
        ".csv": _read_text,
        ".tsv": _read_text,
        ".parquet": _read_parquet,
        ".sdf": _read_sdf,
    }
    name = path.name.lower().removesuffix(".gz")
    reader = next((reader for ending, reader in readers.items() if name.endswith(ending)), None)
    if reader is None or (path.name.lower().endswith(".gz") and reader is _read_parquet):
        accepted = ".csv, .csv.gz, .tsv, .tsv.gz, .parquet, .sdf, .sdf.gz"
        raise DataError("unknown kind of file", place="data.file", value=path.name, accepted=accepted)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "relative paths count from the spec's folder"
        raise DataError("no such file", place="data.file", value=str(path), remedy=remedy)
    try:
        table = reader(path)
    except (OSError, EOFError) as error:
        raise DataError(f"the file cannot be read ({error})", place=str(path)) from error
    if not len(table):
        raise DataError("the file holds no rows", place=str(path), remedy="check the path and the export that wrote it")
    return table


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _read_text(path: Path) -> Table:
    with _open(path) as file:
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


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        frame = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError("not a Parquet file, or damaged", place=str(path)) from error
    columns = {name: tuple(frame.column(name).to_pylist()) for name in frame.column_names}
    return Table(path.name, columns, tuple(range(1, frame.num_rows + 1)), word="row")


def _read_sdf(path: Path) -> Table:
    """Properties of each record, and its structure as `smiles` (empty where RDKit cannot read it)."""
    from rdkit import Chem, rdBase

    records: list[dict[str, Cell]] = []
    with rdBase.BlockLogs(), _open(path) as file:
        for molecule in Chem.ForwardSDMolSupplier(file):
            if molecule is None:
                records.append({"smiles": ""})
                continue
            properties: dict[str, Cell] = {name: molecule.GetProp(name) for name in molecule.GetPropNames()}
            structure = "smiles" if "smiles" not in properties else "structure_smiles"
            records.append({**properties, structure: Chem.MolToSmiles(molecule)})
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: tuple(record.get(name, "") for record in records) for name in names}
    return Table(path.name, columns, tuple(range(1, len(records) + 1)), word="record")
