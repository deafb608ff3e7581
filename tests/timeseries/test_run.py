"""From a spec to a report and a model that predicts, through the command line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gnas_timeseries.data import load_series
from gnas_timeseries.domain import DOMAIN
from gnas_timeseries.options import SeriesData

from gnas.domain import Domain, load_domain
from gnas.spec import load_spec
from gnas.testing.command_line import invoke
from tests.timeseries.samples import subjects, waves, write_npz

pytestmark = pytest.mark.integration


def test_the_entry_point_finds_the_domain() -> None:
    assert load_domain("timeseries") is DOMAIN
    assert isinstance(DOMAIN, Domain)


def test_the_template_is_a_spec_on_generated_data(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    assert invoke("init", "timeseries", "--out", path).code == 0
    assert load_spec(path).domain == "timeseries"
    series = load_series(SeriesData.model_validate(load_spec(path).data), tmp_path)
    assert series.summary.facts["recordings"] == "288 of 12 groups"


def test_a_run_leaves_a_report_and_a_model_that_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GNAS_CACHE", str(tmp_path / "cache"))
    x, y = waves(60)
    write_npz(tmp_path / "waves.npz", X=x, y=y, who=subjects(60))
    spec = {
        "domain": "timeseries",
        "data": {"file": "waves.npz", "group": "who", "split": {"fractions": [0.6, 0.2, 0.2]}},
        "space": {"name": "timeseries/small", "restrict": {"width": [16], "depth": [1, 2]}},
        "search": {"algorithm": "random"},
        "budget": {"trials": 2},
        "recipe": {"epochs": 2},
        "final": {"finalists": 1, "seeds": 1, "baselines": [], "default_network": False, "random_search": False},
        "workers": 1,
        "executor": "inline",
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    out = tmp_path / "out"
    outcome = invoke("run", tmp_path / "spec.yaml", "--out", out)
    assert outcome.code == 0, outcome.err
    results = json.loads((out / "results.json").read_text())
    assert "worst_group_accuracy" in json.dumps(results)
    assert "macro_f1" in (out / "report.html").read_text()
    (model,) = out.rglob("model.py")
    np.savez(tmp_path / "new.npz", X=x[:5])
    exported = module_at(model.parent / "predict.py")
    capsys.readouterr()
    assert exported.main(["--file", str(tmp_path / "new.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "class,P(0),P(1),P(2)"
    assert len(lines) == 6
    assert sum(map(float, lines[1].split(",")[1:])) == pytest.approx(1, abs=1e-4)
    found = exported.footprint()
    assert found["flash_bytes"] == next(iter(n_params_of(results)))
    assert found["ram_bytes"] >= 16 * 24


def module_at(path: Path) -> Any:
    """A file as a module."""
    spec = importlib.util.spec_from_file_location("exported_predict", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def n_params_of(results: object) -> list[float]:
    """Every `n_params` in a mapping of mappings, in order."""
    if isinstance(results, dict):
        own = [results["n_params"]] if isinstance(results.get("n_params"), float | int) else []
        return own + [value for item in results.values() for value in n_params_of(item)]
    return [value for item in results for value in n_params_of(item)] if isinstance(results, list) else []
