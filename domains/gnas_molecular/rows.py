"""Readable rows of a table: standardised, keyed by InChIKey, duplicates merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.data.tables import Table
from gnas.errors import DataError
from gnas_molecular.labels import FloatMatrix
from gnas_molecular.options import MolecularData, TaskKind
from gnas_molecular.standardise import Standardiser, UnparsableError, inchi_key

Skipped = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that hold a molecule and a label.

    Attributes:
        index: Row in the table, `(row,)`.
        smiles, keys: Standardised SMILES and InChIKey.
        labels: `(row, target)`, NaN where missing.
    """

    index: NDArray[np.int64]
    smiles: tuple[str, ...]
    keys: tuple[str, ...]
    labels: FloatMatrix

    def __len__(self) -> int:
        return len(self.smiles)

    def take(self, chosen: Sequence[int] | NDArray[np.int64]) -> Rows:
        """Some of the rows, in the order given."""
        positions = np.asarray(chosen, dtype=np.int64)
        return Rows(
            index=self.index[positions],
            smiles=tuple(self.smiles[i] for i in positions),
            keys=tuple(self.keys[i] for i in positions),
            labels=self.labels[positions],
        )


def readable_rows(
    table: Table, smiles_column: str, labels: FloatMatrix, options: MolecularData
) -> tuple[Rows, Skipped]:
    """Rows whose SMILES can be read and that have a label, and `(place, reason)` of the others.

    Raises:
        DataError: More rows than `max_unparsable` allows cannot be read, or none can.
    """
    standardise = Standardiser(**options.standardise.model_dump())
    known: dict[str, tuple[str, str]] = {}
    index: list[int] = []
    found: list[tuple[str, str]] = []
    unparsable: list[tuple[str, str]] = []
    unlabelled: list[tuple[str, str]] = []
    for i, cell in enumerate(table.column(smiles_column, "smiles")):
        text = "" if cell is None else str(cell)
        try:
            if text not in known:
                canonical = standardise(text)
                known[text] = (canonical, inchi_key(canonical))
        except UnparsableError as error:
            unparsable.append((_place(table, i, options.id), f"{error} ({text!r})" if text else str(error)))
            continue
        if np.isnan(labels[i]).all():
            unlabelled.append((_place(table, i, options.id), "no label"))
            continue
        index.append(i)
        found.append(known[text])
    _check_unparsable(unparsable, table, smiles_column, options.max_unparsable)
    rows = Rows(
        index=np.array(index, dtype=np.int64),
        smiles=tuple(smiles for smiles, _ in found),
        keys=tuple(key for _, key in found),
        labels=labels[index],
    )
    return rows, (*unparsable, *unlabelled)


def _place(table: Table, row: int, id_column: str | None) -> str:
    name = f" ({table.columns[id_column][row]})" if id_column else ""
    return table.place(row) + name


def _check_unparsable(unparsable: Sequence[tuple[str, str]], table: Table, column: str, limit: float) -> None:
    first = "; ".join(f"{place}: {reason}" for place, reason in unparsable[:3])
    if len(unparsable) == len(table):
        raise DataError(
            f"none of the {len(table)} rows holds a SMILES that RDKit can read ({first})",
            place=f"{table.source} column {column!r}",
            remedy="is data.smiles the right column?",
        )
    if len(unparsable) > limit * len(table):
        raise DataError(
            f"{len(unparsable)} of {len(table)} rows hold a SMILES that RDKit cannot read ({first})",
            place=f"{table.source} column {column!r}",
            accepted=f"at most {limit:.1%} of the rows",
            remedy="correct them, or raise data.max_unparsable",
        )


def merge_duplicates(rows: Rows, table: Table, policy: str, kind: TaskKind) -> tuple[Rows, tuple[str, ...]]:
    """One row per InChIKey, in the order of first appearance, and remarks on what was merged.

    Args:
        rows: Rows, possibly several per molecule.
        table: For places in messages.
        policy: `merge` (mean of the labels; majority in a binary task, a tie leaves no label), `first`, or `error`.
        kind: Of the task.

    Raises:
        DataError: There are duplicates and the policy is `error`.
    """
    groups: dict[str, list[int]] = {}
    for i, key in enumerate(rows.keys):
        groups.setdefault(key, []).append(i)
    repeated = [group for group in groups.values() if len(group) > 1]
    if not repeated:
        return rows, ()
    if policy == "error":
        places = ", ".join(table.place(int(rows.index[i])) for i in repeated[0])
        raise DataError(
            f"{len(repeated)} molecules stand on several rows, for instance {places}",
            place="data.duplicates",
            remedy="remove the copies, or set data.duplicates to merge",
        )
    merged = rows.take([group[0] for group in groups.values()])
    labels = merged.labels.copy()
    conflicts = 0
    for i, group in enumerate(groups.values()):
        if len(group) > 1:
            copies = rows.labels[group]
            conflicts += bool((_spread(copies) > 0).any())
            labels[i] = _first(copies) if policy == "first" else _middle(copies, kind)
    kept = np.flatnonzero(~np.isnan(labels).all(axis=1))
    result = Rows(merged.index, merged.smiles, merged.keys, labels).take(kept)
    how = "first label taken" if policy == "first" else "mean taken" if kind == "regression" else "majority taken"
    notes = [f"{sum(map(len, repeated)) - len(repeated)} duplicate rows of {len(repeated)} molecules merged ({how})"]
    if conflicts:
        notes.append(f"{conflicts} of them have conflicting labels")
    if len(kept) < len(labels):
        notes.append(f"{len(labels) - len(kept)} left out because their classes are tied")
    return result, tuple(notes)


def _spread(copies: FloatMatrix) -> NDArray[np.float64]:
    """Largest difference of labels per target; 0 where there are fewer than two."""
    high = np.where(np.isnan(copies), -np.inf, copies).max(axis=0)
    low = np.where(np.isnan(copies), np.inf, copies).min(axis=0)
    return np.asarray(np.maximum(high - low, 0.0))


def _first(copies: FloatMatrix) -> NDArray[np.float64]:
    present = ~np.isnan(copies)
    chosen = copies[present.argmax(axis=0), np.arange(copies.shape[1])]
    return np.where(present.any(axis=0), chosen, np.nan)


def _middle(copies: FloatMatrix, kind: TaskKind) -> NDArray[np.float64]:
    present = ~np.isnan(copies)
    count = present.sum(axis=0)
    total = np.where(present, copies, 0.0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if kind == "regression":
        return mean
    return np.where(mean > 0.5, 1.0, np.where(mean < 0.5, 0.0, np.nan))
