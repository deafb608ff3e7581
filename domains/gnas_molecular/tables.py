"""Tables of molecules read from CSV, TSV, Parquet and SDF, each row with the place it came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gnas.data import tables
from gnas.data.tables import TEXT, Cell, Reader, Table, open_bytes
from gnas.errors import DataError


def read_table(path: Path) -> Table:
    """Reads a file by its ending.

    Raises:
        DataError: It is absent, empty, of another format, or damaged.
    """
    return tables.read_table(path, _READERS)


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
    with rdBase.BlockLogs(), open_bytes(path) as file:
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


_READERS: Mapping[str, Reader] = {**TEXT, ".parquet": _read_parquet, ".sdf": _read_sdf, ".sdf.gz": _read_sdf}
