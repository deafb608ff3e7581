"""Partition of molecules into training, validation and test as a spec asks, with the leaks this would make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS, Parts, balanced_split, random_split, time_split
from gnas.data.tables import Cell, Table
from gnas.errors import DataError
from gnas_molecular.labels import FloatMatrix
from gnas_molecular.options import Split, TaskKind
from gnas_molecular.rows import Rows
from gnas_molecular.split import scaffold_split

Codes = NDArray[np.int64]
"""Position in `PARTS` of each row."""

_WORDS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2, "testing": 2}
_RETRIES = 20


def assign_rows(rows: Rows, table: Table, split: Split) -> Codes:
    """Part of each row for the splits made from a column of the file.

    Raises:
        DataError: The column is absent or holds something that is no part, no group, no time.
    """
    name = split.column or ""
    cells = [table.column(name, "split.column")[i] for i in rows.index]
    for cell, i in zip(cells, rows.index, strict=True):
        if cell is None or (isinstance(cell, str) and not cell) or (isinstance(cell, float) and math.isnan(cell)):
            raise DataError(f"split column {name!r} is empty", place=table.place(int(i)), remedy="fill it in")
    if split.kind == "column":
        return np.array([_word(cell, table, int(i)) for cell, i in zip(cells, rows.index, strict=True)], dtype=np.int64)
    if split.kind == "group":
        return codes_of(balanced_split(cells, split.fractions, np.random.default_rng(split.seed)), len(rows))
    times = [_time(cell, table, int(i)) for cell, i in zip(cells, rows.index, strict=True)]
    return codes_of(time_split(times, split.fractions), len(rows))


def codes_of(parts: Parts, n: int) -> Codes:
    """Parts as one array of codes."""
    codes = np.full(n, -1, dtype=np.int64)
    for code, part in enumerate(PARTS):
        codes[parts.of(part)] = code
    return codes


def _word(cell: Cell, table: Table, row: int) -> int:
    word = str(cell).strip().lower()
    if word not in _WORDS:
        accepted = "train, validation, test"
        raise DataError("not the name of a part", place=table.place(row), value=cell, accepted=accepted)
    return _WORDS[word]


def _time(cell: Cell, table: Table, row: int) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    except ValueError:
        accepted = "a number (a year), or an ISO date such as 2024-05-31"
        raise DataError("not a time", place=table.place(row), value=cell, accepted=accepted) from None
    return moment.toordinal() + (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86400


def remove_leaks(rows: Rows, codes: Codes, table: Table, policy: str) -> tuple[Rows, Codes, tuple[str, ...]]:
    """Rows without molecules that stand in two parts, and warnings.

    Args:
        rows: Rows.
        codes: Part of each.
        table: For places in messages.
        policy: `error`, or `remove`: the copies nearer to training go, so that test stays as it was given.

    Raises:
        DataError: A molecule is in two parts and the policy is `error`.
    """
    last: dict[str, int] = {}
    for key, code in zip(rows.keys, codes, strict=True):
        last[key] = max(last.get(key, 0), int(code))
    leaking = [i for i, key in enumerate(rows.keys) if codes[i] < last[key]]
    if not leaking:
        return rows, codes, ()
    n_molecules = len({rows.keys[i] for i in leaking})
    if policy == "error":
        first = leaking[0]
        other = next(i for i, key in enumerate(rows.keys) if key == rows.keys[first] and codes[i] == last[key])
        raise DataError(
            f"{n_molecules} molecules stand in two parts of the split, for instance {rows.smiles[first]} in "
            f"{PARTS[codes[first]]} ({table.place(int(rows.index[first]))}) and in "
            f"{PARTS[codes[other]]} ({table.place(int(rows.index[other]))})",
            place="data.split",
            remedy="correct the column, or set data.split.leaks to remove",
        )
    kept = np.setdiff1d(np.arange(len(rows)), leaking)
    warning = (
        f"{len(leaking)} rows of {n_molecules} molecules left out because a later part of the split holds them too"
    )
    return rows.take(kept), codes[kept], (warning,)


def partition(
    n: int, scaffolds: Sequence[str], labels: FloatMatrix, kind: TaskKind, split: Split, codes: Codes | None
) -> tuple[Parts, tuple[str, ...], tuple[str, ...]]:
    """Parts of the molecules, with notes and warnings.

    Args:
        n: Number of molecules.
        scaffolds: Of each.
        labels: `(molecule, target)`.
        kind: Of the task.
        split: As asked.
        codes: Part of each where a column of the file says so.

    Raises:
        DataError: A part is empty, or cannot be learnt from.
    """
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if codes is not None:
        parts, notes = _from_codes(codes, scaffolds, split)
    elif split.kind == "random":
        parts = random_split(n, split.fractions, np.random.default_rng(split.seed))
    elif split.kind == "scaffold":
        parts = scaffold_split(scaffolds, split.fractions)
    else:
        parts, warnings = _balanced(scaffolds, labels, kind, split)
    for part in PARTS:
        if len(parts.of(part)) == 0:
            raise DataError(
                f"the {part} part is empty",
                place="data.split",
                value=split.kind,
                remedy="give it a larger fraction, more data, or another kind of split",
            )
    return parts, notes, (*warnings, *_class_warnings(parts, labels, kind), *_size_warnings(parts))


def _from_codes(codes: Codes, scaffolds: Sequence[str], split: Split) -> tuple[Parts, tuple[str, ...]]:
    train, validation, test = (np.flatnonzero(codes == code) for code in range(3))
    if split.kind == "column" and len(validation) == 0 and len(train):
        share = split.fractions[1] / (split.fractions[0] + split.fractions[1])
        inner = [scaffolds[i] for i in train]
        # NOTE: the third share is put back into training: only validation is carved out.
        carved = balanced_split(inner, (1 - 2 * share, share, share), np.random.default_rng(split.seed))
        note = f"column {split.column!r} names no validation part: {len(carved.validation)} training molecules taken"
        rest = np.sort(np.concatenate([train[carved.train], train[carved.test]]))
        return Parts(rest, train[carved.validation], test), (note,)
    return Parts(train, validation, test), ()


def _balanced(
    scaffolds: Sequence[str], labels: FloatMatrix, kind: TaskKind, split: Split
) -> tuple[Parts, tuple[str, ...]]:
    """The balanced split of the seed or, with a warning, the first of derived seeds whose parts hold what they need."""
    for attempt in range(_RETRIES):
        seed: list[int] | int = split.seed if attempt == 0 else [split.seed, attempt]
        parts = balanced_split(scaffolds, split.fractions, np.random.default_rng(seed))
        complete = all(len(parts.of(part)) for part in PARTS) and not _class_warnings(parts, labels, kind)
        if complete and attempt:
            warning = (
                f"split seed {split.seed} left a part without one class; shuffle {attempt} after it was used instead"
            )
            return parts, (warning,)
        if complete:
            return parts, ()
    return balanced_split(scaffolds, split.fractions, np.random.default_rng(split.seed)), ()


def _class_warnings(parts: Parts, labels: FloatMatrix, kind: TaskKind) -> tuple[str, ...]:
    if kind != "binary":
        return ()
    found = []
    for part in PARTS:
        inside = labels[parts.of(part)]
        lacking = [j for j in range(labels.shape[1]) if not _both(inside[:, j])]
        if lacking:
            what = "one class only" if labels.shape[1] == 1 else f"one class only for {len(lacking)} targets"
            found.append(f"the {part} part holds {what}")
    return tuple(found)


def _both(values: NDArray[np.float64]) -> bool:
    return bool((values == 0).any() and (values == 1).any())


def _size_warnings(parts: Parts) -> tuple[str, ...]:
    small = [part for part in PARTS if len(parts.of(part)) < 30]
    return tuple(f"the {part} part holds {len(parts.of(part))} molecules: its metrics are noisy" for part in small)


def scaffold_overlap(parts: Parts, scaffolds: Sequence[str]) -> int:
    """Number of test molecules whose scaffold (rings only) is also in training or validation."""
    learnt = {scaffolds[i] for i in np.concatenate([parts.train, parts.validation])} - {""}
    return sum(scaffolds[i] in learnt for i in parts.test)
