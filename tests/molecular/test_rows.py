from typing import Any

import numpy as np
import pytest
from gnas_molecular.options import MolecularData
from gnas_molecular.rows import Rows, merge_duplicates, readable_rows

from gnas.data.tables import Table
from gnas.errors import DataError

NAN = float("nan")


def _read(smiles: list[str], labels: list[Any], **data: Any) -> tuple[Rows, tuple[tuple[str, str], ...]]:
    ids = tuple(f"m{i}" for i in range(len(smiles)))
    table = Table("a.csv", {"smiles": tuple(smiles), "name": ids}, tuple(range(2, len(smiles) + 2)))
    options = MolecularData.model_validate({"file": "a.csv", "targets": "y", **data})
    return readable_rows(table, "smiles", np.array(labels, dtype=float).reshape(len(smiles), -1), options)


def test_unreadable_and_unlabelled_rows_are_reported_and_left_out() -> None:
    rows, skipped = _read(["CCO", "C1CC", "CCC", "CC"], [1, 2, NAN, 4], max_unparsable=0.5, id="name")
    assert rows.smiles == ("CCO", "CC")
    assert rows.index.tolist() == [0, 3]
    assert skipped == (("a.csv line 3 (m1)", "not a SMILES ('C1CC')"), ("a.csv line 4 (m2)", "no label"))


def test_too_many_unreadable_rows_are_refused_with_the_first_places() -> None:
    with pytest.raises(
        DataError, match=r"2 of 4 rows.*a.csv line 2: not a SMILES \('x'\); a.csv line 5.*max_unparsable"
    ):
        _read(["x", "CC", "CCC", "y"], [1, 2, 3, 4], max_unparsable=0.25)


def test_a_column_without_any_smiles_is_refused() -> None:
    with pytest.raises(DataError, match=r"none of the 2 rows.*is data.smiles the right column"):
        _read(["ethanol", "water!"], [1, 2], max_unparsable=1)


def test_partly_labelled_rows_are_kept() -> None:
    rows, skipped = _read(["CCO", "CC"], [[1, NAN], [NAN, NAN]])
    assert len(rows) == 1 and np.isnan(rows.labels[0, 1])
    assert skipped == (("a.csv line 3", "no label"),)


def _merged(labels: list[Any], policy: str, kind: Any) -> tuple[Rows, tuple[str, ...]]:
    smiles = ["OCC", "CC", "CCO", "C(O)C"]
    rows, _ = _read(smiles, labels)
    table = Table("a.csv", {"smiles": tuple(smiles)}, (2, 3, 4, 5))
    return merge_duplicates(rows, table, policy, kind)


def test_duplicates_take_the_mean() -> None:
    rows, notes = _merged([[1, NAN], [5, 5], [3, NAN], [8, 7]], "merge", "regression")
    assert rows.smiles == ("CCO", "CC")
    np.testing.assert_allclose(rows.labels, [[4, 7], [5, 5]])
    assert notes == ("2 duplicate rows of 1 molecules merged (mean taken)", "1 of them have conflicting labels")


def test_duplicates_may_take_the_first_label() -> None:
    rows, _ = _merged([[1, NAN], [5, 5], [3, NAN], [8, 7]], "first", "regression")
    np.testing.assert_allclose(rows.labels, [[1, 7], [5, 5]])


def test_classes_take_the_majority_and_ties_go() -> None:
    rows, _ = _merged([1, 0, 0, 1], "merge", "binary")
    assert rows.labels[:, 0].tolist() == [1, 0]
    rows, notes = _merged([1, 0, 0, NAN], "merge", "binary")
    assert rows.smiles == ("CC",)
    assert notes[-1] == "1 left out because their classes are tied"


def test_duplicates_may_be_refused() -> None:
    with pytest.raises(DataError, match=r"a.csv line 2, a.csv line 4"):
        _merged([1, 2, 3, NAN], "error", "regression")
