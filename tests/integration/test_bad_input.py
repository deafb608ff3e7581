"""The table of bad inputs: specs and data, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gnas.testing.command_line import invoke
from tests.integration.bad_input import MOLECULES, refused, rows, spec, told, write_spec, write_table

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GNAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


# The spec file.


def test_misspelt_key(tmp_path: Path) -> None:
    refused(tmp_path, spec(budget={"trails": 5}), 2, "spec.yaml:13: budget.trails", "unknown key", "'trials'?")


def test_misspelt_key_of_the_data_section(tmp_path: Path) -> None:
    data = {"file": "molecules.csv", "targets": ["y"], "split": {"knid": "random"}}
    refused(tmp_path, spec(data=data), 2, "spec.yaml:8: data.split.knid", "did you mean 'kind'?")


def test_wrong_type(tmp_path: Path) -> None:
    refused(tmp_path, spec(budget={"trials": "ten"}), 2, "spec.yaml:13: budget.trials", "'ten'", "integer >= 1")


def test_yaml_syntax(tmp_path: Path) -> None:
    refused(tmp_path, "domain: molecular\ndata: {file: a.csv\nbudget: 3\n", 2, "spec.yaml:3", "not valid YAML", "quote")


def test_duplicate_key(tmp_path: Path) -> None:
    refused(tmp_path, "domain: molecular\ndomain: other\n", 2, "spec.yaml:2: domain", "given twice", "keep one")


def test_empty_spec(tmp_path: Path) -> None:
    refused(tmp_path, "", 2, "spec.yaml", "empty", "gnas init")


def test_missing_spec(tmp_path: Path) -> None:
    told(invoke("run", tmp_path / "none.yaml"), 2, str(tmp_path / "none.yaml"), "no such spec file", "gnas init")


def test_unknown_space(tmp_path: Path) -> None:
    refused(tmp_path, spec(space="molecular/smal"), 3, "spec.yaml:9: space", "'molecular/smal'", "molecular/small")


def test_restriction_to_an_unknown_value(tmp_path: Path) -> None:
    space = {"name": "molecular/small", "restrict": {"hidden": [7]}}
    refused(tmp_path, spec(space=space), 3, "spec.yaml:12: space.restrict.hidden", "7", "32, 64")


def test_unknown_metric(tmp_path: Path) -> None:
    refused(tmp_path, spec(metric="rmze"), 2, "spec.yaml:24: metric", "'rmze'", "did you mean 'rmse'?")


def test_unknown_baseline(tmp_path: Path) -> None:
    refused(
        tmp_path,
        spec(final={"baselines": ["random forrest"]}),
        2,
        "spec.yaml:18: final.baselines[0]",
        "'random forest'?",
    )


def test_turns_of_a_split_that_leaves_no_choice(tmp_path: Path) -> None:
    data = {"file": "molecules.csv", "targets": ["y"], "split": {"kind": "column", "column": "part"}}
    content = spec(data=data, final={"turns": True})
    refused(tmp_path, content, 2, "final.turns", "cannot be divided anew", "leave final.turns out")


def test_unknown_device(tmp_path: Path) -> None:
    refused(tmp_path, spec(device="cuda:99"), 2, "spec.yaml:24: device", "'cuda:99'", "write device: cpu")


def test_unknown_op_in_a_space_file(tmp_path: Path) -> None:
    space = (
        "inputs: [atoms, bonds]\ngraph:\n  - {name: embed, op: embed, width: 8, from: atoms}\n"
        "  - {name: conv, op: gni, from: embed}\n  - {name: readout, op: readout, mode: sum}\n"
        "  - {name: head, op: head, width: 8, dropout: 0.0}\n"
    )
    (tmp_path / "mine.yaml").write_text(space, encoding="utf-8")
    refused(tmp_path, spec(space="mine.yaml"), 3, "mine.yaml:4", "'gni'", "'gin'")


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnas.problem.find_spec", lambda name: None)
    refused(tmp_path, spec(executor="ray"), 6, "'ray' is not installed", "pip install 'gnas[ray]'")


# The data.


def test_missing_file(tmp_path: Path) -> None:
    data = {"file": "molecule.csv", "targets": ["y"]}
    refused(tmp_path, spec(data=data), 4, "spec.yaml:4: data.file", "molecule.csv", "did you mean 'molecules.csv'?")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "molecules.csv").touch()
    refused(tmp_path, spec(), 4, "molecules.csv", "empty")


def test_missing_target_column(tmp_path: Path) -> None:
    data = {"file": "molecules.csv", "targets": ["Y"]}
    refused(tmp_path, spec(data=data), 4, "spec.yaml:5: data.targets", "'Y'", "did you mean 'y'?")


def test_missing_smiles_column(tmp_path: Path) -> None:
    data = {"file": "molecules.csv", "smiles": "smile", "targets": ["y"]}
    refused(tmp_path, spec(data=data), 4, "spec.yaml:5: data.smiles", "'smile'", "did you mean 'smiles'?")


def test_target_that_is_no_number(tmp_path: Path) -> None:
    table = rows()
    table[3]["y"] = "high"
    write_table(tmp_path / "molecules.csv", table)
    refused(tmp_path, spec(), 4, "molecules.csv line 5", "'high'", "a number")


def test_some_targets_missing_are_counted(tmp_path: Path) -> None:
    table = rows()
    for row in table[:4]:
        row["y"] = "nan" if row is table[0] else ""
    write_table(tmp_path / "molecules.csv", table)
    outcome = invoke("plan", write_spec(tmp_path, spec()), "--json", "--no-baselines")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["data"]["used"] == 36


def test_all_targets_missing(tmp_path: Path) -> None:
    write_table(tmp_path / "molecules.csv", [row | {"y": ""} for row in rows()])
    refused(tmp_path, spec(), 4, "molecules.csv column 'y'", "no labels", "choose another column")


def test_all_smiles_unparsable(tmp_path: Path) -> None:
    write_table(tmp_path / "molecules.csv", [row | {"smiles": "xx"} for row in rows()])
    refused(tmp_path, spec(), 4, "molecules.csv line 2", "none of the 40 rows", "'xx'", "data.smiles")


def test_too_many_smiles_unparsable(tmp_path: Path) -> None:
    table = rows()
    for index in (1, 5, 9):
        table[index]["smiles"] = "C(C"
    write_table(tmp_path / "molecules.csv", table)
    refused(tmp_path, spec(), 4, "molecules.csv line 3", "3 of 40", "'C(C'", "raise data.max_unparsable")


def test_a_few_smiles_unparsable_are_left_out_with_their_lines(tmp_path: Path) -> None:
    table = rows()
    table[5]["smiles"] = "C(C"
    write_table(tmp_path / "molecules.csv", table)
    outcome = invoke("plan", write_spec(tmp_path, spec()), "--no-baselines")
    assert outcome.code == 0, outcome.err
    assert "40 rows read, 39 used" in outcome.out
    assert "left out: molecules.csv line 7" in outcome.out


def test_one_class_only(tmp_path: Path) -> None:
    write_table(tmp_path / "molecules.csv", [row | {"alcohol": "1"} for row in rows()])
    data = {"file": "molecules.csv", "targets": ["alcohol"], "task": "binary"}
    refused(tmp_path, spec(data=data), 4, "molecules.csv column 'alcohol'", "one class only", "both classes")


def test_duplicate_molecules_across_a_predefined_split(tmp_path: Path) -> None:
    leak = {"smiles": "OCC", "y": "0.5", "alcohol": "1", "part": "test"}
    assert MOLECULES[0] == "CCO"
    write_table(tmp_path / "molecules.csv", [*rows(), leak])
    split = {"kind": "column", "column": "part"}
    data = {"file": "molecules.csv", "targets": ["y"], "split": split}
    refused(tmp_path, spec(data=data), 4, "spec.yaml:7: data.split", "line 2)", "line 42)", "set data.split.leaks")
    data["split"] = split | {"leaks": "remove"}
    outcome = invoke("plan", write_spec(tmp_path, spec(data=data)), "--no-baselines")
    assert outcome.code == 0, outcome.err
    assert "1 rows of 1 molecules left out because a later part of the split holds them too" in outcome.out


# The constraints.


def test_impossible_constraint(tmp_path: Path) -> None:
    place = "spec.yaml:25: constraints.n_params"
    refused(tmp_path, spec(constraints={"n_params": 10}), 2, place, "got 10", "the smallest found", "raise the limit")
