from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gnas_molecular.data import Molecules, load_molecules
from gnas_molecular.options import MolecularData
from gnas_molecular.standardise import inchi_key, scaffold

from gnas.data.parts import PARTS
from gnas.errors import DataError
from tests.molecular.samples import columns_of, write_csv


def _load(folder: Path, columns: dict[str, list[Any]] | None = None, **data: Any) -> Molecules:
    path = write_csv(folder / "a.csv", columns or columns_of())
    options = MolecularData.model_validate({"file": path.name, "targets": "y", **data})
    return load_molecules(options, folder)


@pytest.mark.parametrize(
    "split",
    [
        {"kind": "scaffold_balanced"},
        {"kind": "scaffold"},
        {"kind": "random"},
        {"kind": "group", "column": "batch"},
        {"kind": "time", "column": "year"},
    ],
)
def test_no_molecule_is_in_two_parts_and_splits_are_deterministic(tmp_path: Path, split: dict[str, str]) -> None:
    molecules = _load(tmp_path, split=split)
    keys = [{inchi_key(molecules.smiles[i]) for i in molecules.parts.of(part)} for part in PARTS]
    assert sum(map(len, keys)) == len(set.union(*keys)) == molecules.summary.used
    again = _load(tmp_path, split=split)
    assert all(np.array_equal(molecules.parts.of(part), again.parts.of(part)) for part in PARTS)


def test_scaffolds_are_not_shared_by_default(tmp_path: Path) -> None:
    molecules = _load(tmp_path)
    found = [{scaffold(molecules.smiles[i]) for i in molecules.parts.of(part)} for part in PARTS]
    assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])
    assert molecules.summary.facts["split"] == "scaffold_balanced, seed 0"


def test_a_column_names_the_parts(tmp_path: Path) -> None:
    columns = columns_of()
    columns["part"] = ["Train"] * 40 + ["valid"] * 10 + ["TEST"] * 10
    molecules = _load(tmp_path, columns, split={"kind": "column", "column": "part"})
    assert molecules.summary.parts == {"train": 40, "validation": 10, "test": 10}
    assert molecules.parts.test.tolist() == list(range(50, 60))


def test_validation_is_carved_from_training_and_noted(tmp_path: Path) -> None:
    columns = columns_of()
    columns["part"] = ["train"] * 50 + ["test"] * 10
    molecules = _load(tmp_path, columns, split={"kind": "column", "column": "part"})
    assert molecules.parts.test.tolist() == list(range(50, 60))
    assert len(molecules.parts.validation) >= 1
    assert any("names no validation part" in note for note in molecules.summary.notes)


def _leaking() -> dict[str, list[Any]]:
    columns = columns_of()
    columns["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    columns["smiles"][55] = columns["smiles"][3]
    return columns


def test_a_molecule_in_two_parts_is_refused_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"1 molecules stand in two parts.*train \(a.csv line 5\).*test \(a.csv line 57\)"
    ):
        _load(tmp_path, _leaking(), split={"kind": "column", "column": "part"})


def test_leaks_may_be_removed_from_training(tmp_path: Path) -> None:
    molecules = _load(tmp_path, _leaking(), split={"kind": "column", "column": "part", "leaks": "remove"})
    assert molecules.summary.parts == {"train": 39, "validation": 10, "test": 10}
    assert any("left out because a later part" in warning for warning in molecules.summary.warnings)


def test_shared_scaffolds_of_a_predefined_split_are_noted(tmp_path: Path) -> None:
    columns = columns_of()
    columns["smiles"] = [f"c1ccccc1{'C' * (i + 1)}" for i in range(60)]
    columns["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    molecules = _load(tmp_path, columns, split={"kind": "column", "column": "part"})
    assert any("10 of 10 test molecules share a ring scaffold" in note for note in molecules.summary.notes)


def test_duplicates_never_straddle_a_random_split(tmp_path: Path) -> None:
    columns = columns_of()
    doubled = {name: values * 2 for name, values in columns.items()}
    molecules = _load(tmp_path, doubled, split={"kind": "random"})
    assert (molecules.summary.rows, molecules.summary.used) == (120, 60)


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        ({}, {"targets": "Y2"}, "no such column"),
        ({}, {"smiles": "smile"}, r"data.smiles.*did you mean 'smiles'"),
        ({}, {"id": "nome"}, "data.id"),
        ({}, {"split": {"kind": "time", "column": "yaer"}}, r"data.split.column.*did you mean 'year'"),
        ({"year": ["soon"] * 60}, {"split": {"kind": "time", "column": "year"}}, "line 2: not a time"),
        ({"batch": [""] * 60}, {"split": {"kind": "group", "column": "batch"}}, "line 2.*fill it in"),
        ({"batch": ["x"] * 60}, {"split": {"kind": "column", "column": "batch"}}, "line 2: not the name of a part"),
        ({"batch": ["x"] * 60}, {"split": {"kind": "group", "column": "batch"}}, "the validation part is empty"),
        ({"smiles": ["CCO"] * 60}, {}, "too few molecules"),
        ({"smiles": ["C" * (i + 1) for i in range(60)]}, {}, "the validation part is empty"),
        ({"active": [1] * 60}, {"targets": "active"}, "constant|one class"),
        ({"y": [""] * 60}, {}, "no labels at all"),
        ({"y": ["x"] * 60}, {}, "line 2: target 'y' is not a finite number"),
    ],
)
def test_bad_data_is_refused(tmp_path: Path, change: dict[str, list[Any]], data: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _load(tmp_path, {**columns_of(), **change}, **data)


def test_the_column_of_smiles_is_found_in_any_spelling(tmp_path: Path) -> None:
    columns = columns_of()
    columns = {"SMILES": columns.pop("smiles"), **columns}
    assert _load(tmp_path, columns).summary.used == 60
    with pytest.raises(DataError, match=r"no column is called smiles"):
        _load(tmp_path, {"structures": columns.pop("SMILES"), **columns})


def test_iso_dates_are_times(tmp_path: Path) -> None:
    columns = columns_of()
    columns["year"] = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(60)]
    molecules = _load(tmp_path, columns, split={"kind": "time", "column": "year"})
    assert molecules.parts.test.tolist() == list(range(54, 60))
