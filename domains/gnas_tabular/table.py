"""`Table`: architectures of a space with what others measured of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError
from gnas.space.library import load_space
from gnas.space.protocol import Codes
from gnas.space.yaml_space import YamlSpace
from gnas_tabular.csvfile import CsvFile, Floats, missing_column, read_csv
from gnas_tabular.layouts import choice_texts, codes_of_texts, read_npz, space_of_columns
from gnas_tabular.pickles import ENDING as BENCH
from gnas_tabular.pickles import read_bench

_NASBENCH101 = "benchmarks/nasbench101"
ENDINGS = (".csv", ".csv.gz", ".npz", BENCH)


@dataclass(frozen=True)
class Table:
    """Rows of a tabular benchmark.

    Attributes:
        space: The space they are of.
        codes: `(row, choice)`, no two equal.
        columns: Numbers by column name, `(row,)` each, NaN where missing.
        source: Name of the file, for messages.
        texts: Columns that hold text, with the place of the first.
    """

    space: YamlSpace
    codes: Codes
    columns: Mapping[str, Floats]
    source: str
    texts: Mapping[str, str]

    @cached_property
    def digests(self) -> NDArray[np.bytes_]:
        """Canonical digest of each row, `S32`, shape `(row,)`."""
        return self.space.digests(self.codes)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Index of each row's isomorphism class, counted from 0, shape `(row,)`."""
        return np.unique(self.digests, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """The first row of each isomorphism class, shape `(class,)`."""
        return np.unique(self.digests, return_index=True)[1].astype(np.int64)

    def column(self, name: str) -> Floats:
        """A column of numbers, shape `(row,)`.

        Raises:
            DataError: There is none of that name, or it holds text.
        """
        if name in self.texts:
            raise DataError("the column holds text", place=self.texts[name], value=name, accepted="numbers")
        if name not in self.columns:
            raise missing_column(name, self.source, list(self.columns))
        return self.columns[name]

    def of_classes(self, name: str) -> Floats:
        """Mean of a column over the rows of each isomorphism class, shape `(class,)`; NaN where no row has a value."""
        values = self.column(name)
        held = np.isfinite(values)
        n = len(self.first_rows)
        count = np.bincount(self.groups[held], minlength=n)
        total = np.bincount(self.groups[held], weights=values[held], minlength=n)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def joined(self, path: Path | str, key: str = "index") -> Table:
        """The table with the columns of another CSV, matched by the column `key` of both (zero-cost proxies).

        Raises:
            DataError: One of them lacks `key`, or holds one value of it twice.
        """
        other = read_csv(Path(path))
        here, there = self.column(key), other.numbers(key)
        if isinstance(there, str):
            raise DataError("the key column holds text", place=there, value=key)
        for values, source in ((here, self.source), (there, other.source)):
            if len(np.unique(values)) < len(values):
                raise DataError("the key column holds a value twice", place=source, value=key)
        order = np.argsort(there, kind="stable")
        at = np.minimum(np.searchsorted(there[order], here), len(order) - 1)
        found = there[order][at] == here
        numbers, texts = _numbers(other, (key,))
        more = {name: np.where(found, values[order][at], np.nan) for name, values in numbers.items()}
        return replace(self, columns={**self.columns, **more}, texts={**self.texts, **texts})


def read_table(path: Path | str, space: YamlSpace | str | None = None) -> Table:
    """Reads a table.

    Args:
        path: CSV (plain or gzip) with a column `arch_str` (NAS-Bench-201), with `link` and `op1` to `op4`
            (NAS-Bench-Graph) or with one column for each choice of `space`; NAS-Bench-101 as `.npz`; or a `.bench`
            file of the package `nas-bench-graph`.
        space: The space, or its name; None takes that of the published layout.

    Raises:
        DataError: The file is absent or damaged; a column is missing; a value stands outside the space; a row stands
            twice.
        SpaceError: No such space.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("no such file", place=str(path), accepted=f"a table ending in {', '.join(ENDINGS)}")
    if path.suffix == ".npz":
        used = _space(space or _NASBENCH101)
        codes, columns = read_npz(path, used)
        return _checked(Table(used, codes, columns, path.name, {}), None)
    if not path.name.endswith(ENDINGS):
        raise DataError("unknown kind of table", place=str(path), accepted=", ".join(ENDINGS))
    if path.name.endswith(BENCH):
        cells, numbers = read_bench(path)
        file = CsvFile(path.name, cells, tuple(range(1, 1 + len(cells["link"]))), "row")
    else:
        file, numbers = read_csv(path), {}
    named = space or space_of_columns(list(file.columns))
    if named is None:
        raise DataError(
            "the columns are not those of a published benchmark, and no space is named",
            place=path.name,
            accepted="a column `arch_str`, columns `link` and `op1` to `op4`, or a space with a column a choice",
            remedy="name the space",
        )
    used = _space(named)
    texts, taken = choice_texts(file, used)
    codes = codes_of_texts(used, texts, file)
    read, words = _numbers(file, taken)
    return _checked(Table(used, codes, {**read, **numbers}, path.name, words), file)


def _space(space: YamlSpace | str) -> YamlSpace:
    return load_space(space) if isinstance(space, str) else space


def _numbers(file: CsvFile, without: tuple[str, ...]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Columns of numbers, and the place of the first text in the others."""
    read = {name: file.numbers(name) for name in file.columns if name not in without}
    numbers = {name: values for name, values in read.items() if not isinstance(values, str)}
    return numbers, {name: place for name, place in read.items() if isinstance(place, str)}


def _checked(table: Table, file: CsvFile | None) -> Table:
    """The table, once no architecture stands in it twice."""
    rows = np.ascontiguousarray(table.codes)
    keys = rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) < len(table.codes):
        twin = first[group.reshape(-1)]
        row = int(np.flatnonzero(twin != np.arange(len(twin)))[0])
        places = [file.place(r) if file else f"{table.source} row {r}" for r in (row, int(twin[row]))]
        raise DataError("the architecture stands in the table twice", place=places[0], value=places[1])
    return table
