"""From a file to molecules with labels and parts: read, standardise, split, look for leaks, merge duplicates."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gnas.data.parts import PARTS, Parts
from gnas.data.tables import Table
from gnas.domain import DataSummary
from gnas.errors import DataError
from gnas_molecular.labels import FloatMatrix, check_labels, read_labels, task_kind
from gnas_molecular.options import MolecularData, Split, TaskKind
from gnas_molecular.partition import Codes, assign_rows, partition, remove_leaks, scaffold_overlap
from gnas_molecular.rows import Rows, Skipped, merge_duplicates, readable_rows
from gnas_molecular.standardise import scaffold
from gnas_molecular.tables import read_table

MIN_MOLECULES = 20

_SMILES_NAMES = ("smiles", "canonical_smiles", "mol_smiles", "structure")


@dataclass(frozen=True, slots=True)
class Molecules:
    """Molecules ready to be featurised.

    Attributes:
        name: Of the data.
        smiles: Standardised, each another molecule.
        labels: `(molecule, target)`, NaN where missing.
        targets: Names of the targets.
        kind: Of the task.
        unit: Of the targets, empty if unknown.
        parts: Positions by part.
        groups: Of each molecule, those that a split keeps together; empty where it leaves no choice (`column`, `time`).
        summary: What to tell of the data.
    """

    name: str
    smiles: tuple[str, ...]
    labels: FloatMatrix
    targets: tuple[str, ...]
    kind: TaskKind
    unit: str
    parts: Parts
    groups: tuple[Hashable, ...]
    summary: DataSummary


def load_molecules(options: MolecularData, base: Path) -> Molecules:
    """Reads, checks, standardises and splits.

    Args:
        options: The checked `data:` section.
        base: Folder against which a relative `file` is read.

    Raises:
        DataError: With file, line or column, and the remedy.
    """
    table, targets, name, unit = _source(options, base)
    smiles_column = _smiles_column(table, options.smiles)
    for column, key in ((options.id, "id"), (options.split.column, "split.column")):
        if column is not None:
            table.column(column, key)
    labels = read_labels(table, targets)
    kind = task_kind(labels, targets, options.task)
    check_labels(labels, targets, kind, table)
    notes = [f"task inferred from the targets: {kind}"] if options.task == "auto" else []

    rows, skipped = readable_rows(table, smiles_column, labels, options)
    row_codes: Codes | None = None
    leak_warnings: tuple[str, ...] = ()
    if options.split.kind in ("column", "group", "time"):
        row_codes = assign_rows(rows, table, options.split)
        rows, row_codes, leak_warnings = remove_leaks(rows, row_codes, table, options.split.leaks)
    code_of_row = dict(zip(rows.index.tolist(), row_codes.tolist(), strict=True)) if row_codes is not None else {}
    rows, merge_notes = merge_duplicates(rows, table, options.duplicates, kind)
    _check_enough(rows, table)
    check_labels(rows.labels, targets, kind, table)

    codes = np.array([code_of_row[i] for i in rows.index.tolist()]) if row_codes is not None else None
    scaffolds = [scaffold(smiles) for smiles in rows.smiles]
    parts, split_notes, warnings = partition(len(rows), scaffolds, rows.labels, kind, options.split, codes)
    notes += [*merge_notes, *split_notes, *_overlap_note(parts, scaffolds)]
    summary = _summary(table, rows, parts, skipped, notes, (*leak_warnings, *warnings), kind, targets, options)
    groups = _groups(rows, table, scaffolds, options.split)
    return Molecules(name, rows.smiles, rows.labels, targets, kind, unit, parts, groups, summary)


def _groups(rows: Rows, table: Table, scaffolds: list[str], split: Split) -> tuple[Hashable, ...]:
    """What the split keeps together: scaffolds, groups of a column, or each molecule by itself."""
    if split.kind == "group":
        cells = table.column(split.column or "", "split.column")
        return tuple(str(cells[i]) for i in rows.index)
    if split.kind == "random":
        return tuple(range(len(rows)))
    return tuple(scaffolds) if split.kind in ("scaffold", "scaffold_balanced") else ()


def _source(options: MolecularData, base: Path) -> tuple[Table, tuple[str, ...], str, str]:
    """The table, the targets, a name for the data and the unit of the targets."""
    if options.file is not None:
        path = Path(options.file).expanduser()
        path = path if path.is_absolute() else base / path
        return read_table(path), options.targets, path.name.partition(".")[0], options.unit or ""
    from gnas_datasets.molecules import load

    card, columns = load(options.dataset or "")
    n_rows = len(columns[card.smiles])
    table = Table(card.name, {k: tuple(v) for k, v in columns.items()}, tuple(range(1, n_rows + 1)), word="row")
    targets = options.targets or card.targets
    unit = options.unit if options.unit is not None else card.unit if targets == card.targets else ""
    return table, targets, card.name, unit


def _smiles_column(table: Table, asked: str | None) -> str:
    """Name of the column of SMILES.

    Raises:
        DataError: It is absent, or none was named and none is called so.
    """
    if asked is not None:
        table.column(asked, "smiles")
        return asked
    for name in _SMILES_NAMES:
        found = [column for column in table.columns if column.lower() == name]
        if found:
            return found[0]
    raise DataError(
        "no column is called smiles",
        place=f"{table.source}",
        accepted=", ".join(table.columns),
        remedy="name the column of SMILES with data.smiles",
    )


def _check_enough(rows: Rows, table: Table) -> None:
    if len(rows) < MIN_MOLECULES:
        raise DataError(
            "too few molecules",
            place=table.source,
            value=len(rows),
            accepted=f"at least {MIN_MOLECULES} with a readable SMILES and a label",
        )


def _overlap_note(parts: Parts, scaffolds: list[str]) -> tuple[str, ...]:
    shared = scaffold_overlap(parts, scaffolds)
    if not shared:
        return ()
    return (f"{shared} of {len(parts.test)} test molecules share a ring scaffold with training or validation",)


def _summary(
    table: Table,
    rows: Rows,
    parts: Parts,
    skipped: Skipped,
    notes: list[str],
    warnings: tuple[str, ...],
    kind: TaskKind,
    targets: tuple[str, ...],
    options: MolecularData,
) -> DataSummary:
    split = options.split
    seeded = split.kind in ("scaffold_balanced", "random", "group")
    facts = {
        "task": f"{kind}, {len(targets)} target{'s' * (len(targets) > 1)}: {', '.join(targets)}",
        "split": f"{split.kind}{f', seed {split.seed}' if seeded else ''}",
        "labels missing": f"{np.isnan(rows.labels).mean():.1%}",
    }
    for j, target in enumerate(targets[:12]):
        values = rows.labels[:, j][~np.isnan(rows.labels[:, j])]
        if kind == "binary":
            facts[target] = f"{int(values.sum())} positive of {len(values)}"
        else:
            facts[target] = (
                f"mean {values.mean():.3g}, std {values.std():.3g}, range {values.min():.3g} … {values.max():.3g}"
            )
    return DataSummary(
        rows=len(table),
        used=len(rows),
        parts={part: len(parts.of(part)) for part in PARTS},
        skipped=skipped,
        notes=tuple(notes),
        warnings=warnings,
        facts=facts,
    )
