"""Layouts of published tables: how their columns name the architecture of a row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Value
from gnas.errors import DataError
from gnas.space.protocol import Choice, Codes
from gnas.space.yaml_space import YamlSpace
from gnas_tabular.csvfile import CsvFile

Texts = Mapping[str, Sequence[str]]

_EDGE = re.compile(r"([^|~+]+)~(\d+)")
_GRAPH_OPS = ("op1", "op2", "op3", "op4")
_OPS_101 = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
_KEYS_101 = ("n_vertices", "adj_upper", "ops")


def space_of_columns(columns: Sequence[str]) -> str | None:
    """Name of the space whose published layout these columns have; None if it is none of them."""
    if "arch_str" in columns:
        return "benchmarks/nasbench201"
    return "benchmarks/nasbenchgraph" if {"link", *_GRAPH_OPS} <= set(columns) else None


def choice_texts(file: CsvFile, space: YamlSpace) -> tuple[Texts, tuple[str, ...]]:
    """Values of choices as text, by choice name, and the columns that held them.

    Raises:
        DataError: A column is missing, or a row cannot be read.
    """
    if "arch_str" in file.columns:
        return _edges(file), ("arch_str",)
    if {"link", *_GRAPH_OPS} <= file.columns.keys():
        return _links(file), ("link", *_GRAPH_OPS)
    names = [choice.name for choice in space.choices]
    # A choice with one value may be left out.
    wanted = [c.name for c in space.choices if c.name in file.columns or len(c.values) > 1]
    absent = [name for name in wanted if name not in file.columns]
    if absent:
        raise DataError(
            f"{len(absent)} of {len(names)} choices of the space have no column",
            place=file.source,
            value=absent[0],
            accepted="`arch_str` (NAS-Bench-201), `link` with `op1` to `op4` (NAS-Bench-Graph), or a column a choice: "
            + ", ".join(names[:12] + ["…"] * (len(names) > 12)),
        )
    return {name: file.columns[name] for name in wanted}, tuple(wanted)


def codes_of_texts(space: YamlSpace, texts: Texts, file: CsvFile) -> Codes:
    """Codes of rows given as text, shape `(row, choice)`.

    Raises:
        DataError: A value that its choice does not have, or a row that is no architecture of the space.
    """
    codes = np.full((len(file.lines), len(space.choices)), -1, dtype=np.int16)
    for column, choice in enumerate(space.choices):
        if choice.name in texts:
            codes[:, column] = _codes_of_choice(choice, texts[choice.name], file)
    absent = [name for name in texts if name not in {choice.name for choice in space.choices}]
    if absent:
        raise DataError("the space has no such choice", place=file.source, value=absent[0], accepted=space.name)
    single = [k for k, c in enumerate(space.choices) if c.name not in texts]
    if single:
        codes = space.complete_first(codes)
    good = space.contains_codes(codes)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"the row is no architecture of the space {space.name}",
            place=file.place(row),
            value=_shown(space, codes[row]),
        )
    return codes


def _codes_of_choice(choice: Choice, cells: Sequence[str], file: CsvFile) -> Codes:
    known = {"": -1}
    for code, value in enumerate(choice.values):
        known |= dict.fromkeys(_spellings(value), code)
    unknown = set(cells) - known.keys()
    if unknown:
        row = next(i for i, cell in enumerate(cells) if cell in unknown)
        raise DataError(
            f"choice {choice.name!r} has no such value",
            place=file.place(row),
            value=cells[row],
            accepted=", ".join(str(value) for value in choice.values),
        )
    return np.array([known[cell] for cell in cells], dtype=np.int16)


def _spellings(value: Value) -> set[str]:
    """How a table may write a value: `true` and `True`, `64` and `64.0`."""
    written = {str(value)}
    if isinstance(value, bool):
        return written | {str(value).lower(), str(int(value))}
    return written | {f"{float(value)}", f"{float(value):g}"} if isinstance(value, int | float) else written


def _shown(space: YamlSpace, code: Codes) -> str:
    return ", ".join(f"{name}={value}" for name, value in space.assignment(code))


def _edges(file: CsvFile) -> Texts:
    """`|op~0|+|op~0|op~1|+…`: the op on the edge from node i to node j.

    Source: Dong and Yang 2020, arXiv:2001.00326.
    """
    found: dict[str, list[str]] = {}
    for row, cell in enumerate(file.columns["arch_str"]):
        edges = [(j, i, op) for j, node in enumerate(cell.split("+"), start=1) for op, i in _EDGE.findall(node)]
        for j, i, op in edges:
            column = found.setdefault(f"cell.{i}->{j}", [])
            if len(column) == row:
                column.append(op)
        if not edges or any(len(column) != row + 1 for column in found.values()):
            raise DataError(
                "not the text of a cell",
                place=f"{file.place(row)} column 'arch_str'",
                value=cell,
                accepted="|op~0|+|op~0|op~1|+|op~0|op~1|op~2|, the same edges in every row",
            )
    return found


def _links(file: CsvFile) -> Texts:
    """`link`: the earlier node that each of the four nodes reads, 0 the input.

    Source: Qin et al. 2022, arXiv:2206.09166.
    """
    for row, link in enumerate(file.columns["link"]):
        if len(link) != len(_GRAPH_OPS) or any(c not in "0123"[: k + 1] for k, c in enumerate(link)):
            place = f"{file.place(row)} column 'link'"
            raise DataError("not the parents of four nodes", place=place, value=link, accepted="0000 to 0123")
    ops = {
        f"cell.{k}": tuple("identity" if cell == "skip" else cell for cell in file.columns[name])
        for k, name in enumerate(_GRAPH_OPS, start=1)
    }
    links = {f"cell.{k}.inputs": tuple(link[k - 1] for link in file.columns["link"]) for k in range(2, 5)}
    return {**ops, **links}


def read_npz(path: Path, space: YamlSpace) -> tuple[Codes, dict[str, NDArray[np.float64]]]:
    """Codes and columns of NAS-Bench-101 as arrays.

    The file holds `n_vertices`, the strict upper triangle of each adjacency matrix row by row in packed bits
    (`adj_upper`), the ops of the inner vertices (`ops`), and one array for each column.
    Source: Ying et al. 2019, arXiv:1902.09635.

    Raises:
        DataError: It cannot be read, an array is missing or of another shape, or a row is no architecture of the space.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"the table cannot be read ({error})", place=str(path)) from error
    for key in _KEYS_101:
        if key not in arrays:
            raise DataError("an array is missing", place=path.name, value=key, accepted=", ".join(_KEYS_101))
    vertices, packed, ops = (arrays.pop(key) for key in _KEYS_101)
    n = len(vertices)
    if vertices.ndim != 1 or packed.shape != (n, 3) or ops.shape != (n, 5):
        shapes = f"n_vertices {vertices.shape}, adj_upper {packed.shape}, ops {ops.shape}"
        raise DataError("arrays of another shape", place=path.name, value=shapes, accepted="(n,), (n, 3) and (n, 5)")
    codes = _codes_101(space, vertices, np.unpackbits(packed, axis=1).astype(bool), ops)
    bad = np.flatnonzero(~space.contains_codes(codes))
    if bad.size:
        raise DataError(
            "the row is no architecture of the space", place=f"{path.name} row {bad[0]}", accepted=space.name
        )
    numeric = {k: v.astype(np.float64) for k, v in arrays.items() if v.shape == (n,) and v.dtype.kind in "fiub"}
    return codes, numeric


def _codes_101(space: YamlSpace, vertices: NDArray[np.uint8], bits: NDArray[np.bool_], ops: NDArray[np.uint8]) -> Codes:
    """Vertices keep their numbers, the last becomes the output; nodes that a small cell lacks have no edge."""
    index = {choice.name: k for k, choice in enumerate(space.choices)}
    codes = np.zeros((len(vertices), len(index)), dtype=np.int16)
    to_code = np.zeros(256, dtype=np.int16)
    to_code[: len(_OPS_101)] = [space.choices[index["cell.1"]].values.index(op) for op in _OPS_101]
    for node in range(1, 6):
        codes[:, index[f"cell.{node}"]] = to_code[ops[:, node - 1]]
    for count in range(2, 8):
        rows = np.flatnonzero(vertices == count)
        for place, (i, j) in enumerate(zip(*np.triu_indices(count, 1), strict=True)):
            column = index[f"cell.{i}->{'out' if j == count - 1 else j}"]
            codes[rows, column] = bits[rows, place]
    return codes
