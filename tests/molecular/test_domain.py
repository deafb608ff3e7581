import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gnas_molecular import domain as module
from gnas_molecular.domain import DOMAIN
from gnas_molecular.task import MoleculeTask

from gnas.domain import Domain, Task, load_domain
from gnas.errors import DataError, MissingExtraError, SpecError
from gnas.spec import Spec
from gnas.testing.domain import DomainTestCase
from tests.molecular.samples import columns_of, task_of

SPLIT = {"kind": "column", "column": "part"}


def _with_parts() -> dict[str, list[Any]]:
    columns = columns_of()
    columns["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    return columns


class TestMoleculesKeepThePromises(DomainTestCase):
    def make_task(self, folder: Path) -> MoleculeTask:
        return task_of(folder, _with_parts(), split=SPLIT)

    def make_task_with_other_test_rows(self, folder: Path) -> MoleculeTask:
        columns = _with_parts()
        columns["y"] = [value if i < 50 else value * 100 for i, value in enumerate(columns["y"])]
        columns["smiles"] = [s if i < 50 else f"{'C' * (i - 20)}Br" for i, s in enumerate(columns["smiles"])]
        return task_of(folder, columns, split=SPLIT)


class TestBinaryTasksWithGapsKeepThePromises(DomainTestCase):
    def _columns(self) -> dict[str, list[Any]]:
        columns = _with_parts()
        columns["other"] = ["" if i % 4 == 0 else i % 2 for i in range(60)]
        return columns

    def make_task(self, folder: Path) -> MoleculeTask:
        return task_of(folder, self._columns(), split=SPLIT, targets=["active", "other"])

    def make_task_with_other_test_rows(self, folder: Path) -> MoleculeTask:
        columns = self._columns()
        columns["active"] = [v if i < 50 else i % 2 for i, v in enumerate(columns["active"])]
        columns["other"] = [v if i < 50 else int(i < 52) for i, v in enumerate(columns["other"])]
        return task_of(folder, columns, split=SPLIT, targets=["active", "other"])


def test_the_entry_point_finds_the_domain() -> None:
    assert load_domain("molecular") is DOMAIN
    assert isinstance(DOMAIN, Domain)


def test_a_molecule_task_is_a_task(tmp_path: Path) -> None:
    assert isinstance(task_of(tmp_path), Task)


def test_importing_the_domain_is_light() -> None:
    heavy = ("torch", "rdkit", "sklearn", "pyarrow")
    code = f"import sys, gnas_molecular.domain; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "rdkit" else object())
    with pytest.raises(MissingExtraError, match=r"rdkit.*pip install 'gnas\[molecular\]'"):
        task_of(tmp_path)


def test_the_template_is_a_spec_on_embedded_data() -> None:
    spec = Spec.model_validate(yaml.safe_load(DOMAIN.template()))
    data = DOMAIN.data_model.model_validate(spec.data)
    assert spec.domain == DOMAIN.name
    assert data.dataset == "solubility"  # type: ignore[attr-defined]


def test_the_named_metric_comes_first_and_units_are_known(tmp_path: Path) -> None:
    task = task_of(tmp_path, unit="kcal/mol")
    units = {metric.name: metric.unit for metric in task.metrics}
    assert units == {"rmse": "kcal/mol", "mae": "kcal/mol", "r2": "", "spearman": ""}
    assert task.metrics[0].name == "rmse"
    options = DOMAIN.data_model.model_validate({"file": "molecules.csv", "targets": "y"})
    chosen = DOMAIN.task(options, metric="spearman", base=tmp_path, cache=tmp_path / "cache")
    assert [m.name for m in chosen.metrics] == ["spearman", "rmse", "mae", "r2"]
    with pytest.raises(SpecError, match=r"metric: no such metric for a regression task.*'rmse'"):
        DOMAIN.task(options, metric="RMSD", base=tmp_path, cache=tmp_path / "cache")


def test_an_objective_that_is_undefined_on_validation_is_refused(tmp_path: Path) -> None:
    columns = _with_parts()
    columns["active"] = [v if i < 40 or i >= 50 else 1 for i, v in enumerate(columns["active"])]
    with pytest.raises(DataError, match=r"auroc is not defined on the validation part"):
        task_of(tmp_path, columns, split=SPLIT, targets="active")


def test_a_target_without_classes_in_training_is_refused(tmp_path: Path) -> None:
    columns = _with_parts()
    columns["active"] = [1 if i < 40 else i % 2 for i in range(60)]
    with pytest.raises(DataError, match=r"target 'active' has one value only in the training part"):
        task_of(tmp_path, columns, split=SPLIT, targets="active")
