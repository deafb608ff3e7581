from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml
from gnas_imaging import domain as module
from gnas_imaging.domain import DOMAIN
from gnas_imaging.options import ImagingData
from gnas_imaging.task import ImagingTask
from gnas_imaging.testing import arrays, task_of

from gnas.domain import Domain, IllustratedTask, Task, TurningTask, load_domain
from gnas.errors import MissingExtraError, SpecError
from gnas.spec import Spec
from gnas.testing.domain import DomainTestCase


class Promises(DomainTestCase):
    """The suite on arrays whose test part changes in pixels and labels."""

    options: ClassVar[dict[str, Any]]

    def content(self) -> dict[str, Any]:
        return arrays()

    def make_task(self, folder: Path) -> ImagingTask:
        return task_of(folder, self.content(), **self.options)

    def make_task_with_other_test_rows(self, folder: Path) -> ImagingTask:
        content = self.content()
        content["test_images"] = content["test_images"][::-1] // 2
        labels = content["test_labels"].copy()
        labels[:3] = labels[3]
        content["test_labels"] = labels * 2 if self.options.get("task") == "regression" else labels
        return task_of(folder, content, **self.options)


class TestBinaryTasksKeepThePromises(Promises):
    options: ClassVar[dict[str, Any]] = {}


class TestMultiClassTasksKeepThePromises(Promises):
    options: ClassVar[dict[str, Any]] = {"size": 10}

    def content(self) -> dict[str, Any]:
        return arrays(classes=3, channels=3)


class TestMultiLabelTasksKeepThePromises(Promises):
    options: ClassVar[dict[str, Any]] = {"task": "multilabel"}

    def content(self) -> dict[str, Any]:
        content = arrays()
        for part in ("train", "val", "test"):
            first = content[f"{part}_labels"]
            content[f"{part}_labels"] = np.concatenate([first, np.arange(len(first))[:, None] % 3 == 0], axis=1)
        return content


class TestRegressionsKeepThePromises(Promises):
    options: ClassVar[dict[str, Any]] = {"task": "regression"}

    def content(self) -> dict[str, Any]:
        return arrays(classes=8)


class TestVolumesKeepThePromises(Promises):
    options: ClassVar[dict[str, Any]] = {}

    def content(self) -> dict[str, Any]:
        content = arrays(size=8)
        return {k: np.repeat(v[:, None], 6, axis=1) if k.endswith("images") else v for k, v in content.items()}


def test_the_entry_point_finds_the_domain() -> None:
    assert load_domain("imaging") is DOMAIN
    assert isinstance(DOMAIN, Domain)


def test_an_imaging_task_is_a_task(tmp_path: Path) -> None:
    task = task_of(tmp_path, arrays())
    assert isinstance(task, Task) and isinstance(task, TurningTask) and isinstance(task, IllustratedTask)


def test_importing_the_domain_is_light() -> None:
    heavy = ("torch", "PIL", "sklearn", "scipy")
    code = f"import sys, gnas_imaging.domain; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pillow.*pip install 'gnas\[imaging\]'"):
        task_of(tmp_path, arrays())


def test_the_template_is_a_spec_on_embedded_data() -> None:
    spec = Spec.model_validate(yaml.safe_load(DOMAIN.template()))
    data = ImagingData.model_validate(spec.data)
    assert (spec.domain, data.dataset) == ("imaging", "synthetic-lesions")


def test_the_objective_comes_first(tmp_path: Path) -> None:
    data = ImagingData.model_validate({"file": "images.npz", "specificity": 0.75})
    task_of(tmp_path, arrays())
    task = DOMAIN.task(data, metric="balanced_accuracy", base=tmp_path, cache=tmp_path)
    assert task.metrics[0].name == "balanced_accuracy"
    assert "sensitivity_at_75" in [metric.name for metric in task.metrics]
    with pytest.raises(SpecError, match="did you mean 'auroc'"):
        DOMAIN.task(data, metric="aurok", base=tmp_path, cache=tmp_path)
