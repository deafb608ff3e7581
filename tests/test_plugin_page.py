"""The plug-in of `docs/plugin.md`: no longer than it says, conforming, and found as any other domain."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from gnas.domain import Domain, Task
from gnas.testing.command_line import invoke
from gnas.testing.domain import DomainTestCase

PAGE = (Path(__file__).parents[1] / "docs" / "plugin.md").read_text(encoding="utf-8")
PLUGIN, SPACE, ENTRY_POINT, SPEC, _ = re.findall(r"^```(?:python|yaml|toml)\n(.*?)^```", PAGE, flags=re.M | re.S)


def write(folder: Path, changed: bool = False) -> Path:
    """The files of the page in `folder`, with forty spectra."""
    rng = np.random.default_rng(0)
    concentration = rng.uniform(0, 1, 40)
    peak = np.exp(-((np.arange(12) - 5.0) ** 2) / 8)
    spectra = concentration[:, None] * peak + rng.normal(size=(40, 12)) * 0.02
    if changed:
        test = np.sort(np.random.default_rng(0).permutation(40)[34:])
        concentration[test] += 0.3
    rows = [",".join(["concentration", *(f"nm{i}" for i in range(12))])]
    rows += [",".join(f"{value:.5f}" for value in (c, *row)) for c, row in zip(concentration, spectra, strict=True)]
    (folder / "spectra.csv").write_text("\n".join(rows))
    for name, content in (("gnas_spectra.py", PLUGIN), ("spectra.yaml", SPACE), ("spec.yaml", SPEC)):
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    path = write(tmp_path_factory.mktemp("plugin")) / "gnas_spectra.py"
    spec = importlib.util.spec_from_file_location("gnas_spectra", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules["gnas_spectra"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gnas_spectra"]


class TestSpectra(DomainTestCase):
    plugin: ClassVar[ModuleType]

    @pytest.fixture(autouse=True)
    def _plugin(self, plugin: ModuleType) -> None:
        type(self).plugin = plugin

    def make_task(self, folder: Path, changed: bool = False) -> Task:
        data = self.plugin.SpectraData(file="spectra.csv", target="concentration")
        task: Task = self.plugin.DOMAIN.task(data, metric=None, base=write(folder, changed), cache=folder)
        return task

    def make_task_with_other_test_rows(self, folder: Path) -> Task:
        return self.make_task(folder, changed=True)


def test_the_plugin_is_a_domain_of_sixty_lines(plugin: ModuleType) -> None:
    assert isinstance(plugin.DOMAIN, Domain)
    code = [line for line in PLUGIN.splitlines() if line.strip()]
    assert len(code) <= 60


@pytest.mark.integration
def test_the_plugin_is_found_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    record = tmp_path / "gnas_spectra-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: gnas-spectra\nVersion: 1.0\n", encoding="utf-8")
    group, line = ENTRY_POINT.strip().splitlines()
    assert group == '[project.entry-points."gnas.domains"]'
    (record / "entry_points.txt").write_text("[gnas.domains]\n" + line.replace('"', "") + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    quick = (
        "\nfinal: {finalists: 1, seeds: 1, random_search: false}\nrecipe: {epochs: 2}\nexecutor: inline\nworkers: 1\n"
    )
    (tmp_path / "spec.yaml").write_text(SPEC + quick, encoding="utf-8")
    done = invoke("run", tmp_path / "spec.yaml", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "rmse" in json.dumps(json.loads((tmp_path / "out" / "results.json").read_text()))
    assert list((tmp_path / "out").rglob("model.py"))
