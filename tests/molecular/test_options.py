from typing import Any

import pytest
from gnas_molecular.options import MolecularData
from pydantic import ValidationError


def test_one_target_may_be_given_bare() -> None:
    assert MolecularData.model_validate({"file": "a.csv", "targets": "y"}).targets == ("y",)
    assert MolecularData.model_validate({"file": "a.csv", "targets": ["y", "z"]}).targets == ("y", "z")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"targets": "y"}, "either file or dataset"),
        ({"file": "a.csv", "dataset": "freesolv", "targets": "y"}, "either file or dataset"),
        ({"file": "a.csv"}, "targets is missing"),
        ({"file": "a.csv", "targets": ["y", "y"]}, "twice"),
        ({"file": "a.csv", "targets": "y", "colour": 1}, "Extra inputs"),
        ({"file": "a.csv", "targets": "y", "split": {"kind": "scafold"}}, "scaffold_balanced"),
        ({"file": "a.csv", "targets": "y", "split": {"fractions": [0.8, 0.1, 0.2]}}, "sum to 1"),
        ({"file": "a.csv", "targets": "y", "split": {"fractions": [1.0, 0.0, 0.0]}}, "positive"),
        ({"file": "a.csv", "targets": "y", "split": {"kind": "time"}}, "needs split.column"),
        ({"file": "a.csv", "targets": "y", "split": {"column": "part"}}, "no use"),
        ({"file": "a.csv", "targets": "y", "max_unparsable": 2}, "less than or equal to 1"),
    ],
)
def test_inconsistent_options_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MolecularData.model_validate(data)
