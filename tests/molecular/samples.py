"""Small molecular tables for the tests of the molecular domain."""

from __future__ import annotations

import atexit
import csv
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gnas_datasets.molecules import load
from gnas_molecular.domain import DOMAIN
from gnas_molecular.options import MolecularData
from gnas_molecular.task import MoleculeTask


@cache
def freesolv(n: int) -> tuple[tuple[str, str], ...]:
    """`n` rows of SMILES and value, spread over FreeSolv."""
    _, columns = load("freesolv")
    step = len(columns["smiles"]) // n
    return tuple(zip(columns["smiles"][::step][:n], columns["expt"][::step][:n], strict=True))


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def columns_of(n: int = 60) -> dict[str, list[Any]]:
    """Columns `smiles`, `y` (regression), `active` (binary), `late` (regression with gaps), `year`, `batch`."""
    rows = freesolv(n)
    values = [float(value) for _, value in rows]
    middle = sorted(values)[n // 2]
    return {
        "smiles": [smiles for smiles, _ in rows],
        "y": values,
        "active": [int(value > middle) for value in values],
        "late": [value * 2 if i % 3 else "" for i, value in enumerate(values)],
        "year": [2000 + i % 20 for i in range(n)],
        "batch": [f"b{i % 12}" for i in range(n)],
    }


def task_of(folder: Path, columns: Mapping[str, Sequence[object]] | None = None, **data: Any) -> MoleculeTask:
    """The task of a table written to `folder`; target `y` and a random split unless told otherwise."""
    path = write_csv(folder / "molecules.csv", columns or columns_of())
    options = {"file": path.name, "targets": "y", "split": {"kind": "random"}, **data}
    return DOMAIN.task(MolecularData.model_validate(options), metric=None, base=folder, cache=_shared_cache())


@cache
def _shared_cache() -> Path:
    """One folder of features for all tests of a session: descriptors are slow."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)
