"""From a spec to a report and a model that predicts, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from gnas_timeseries.domain import DOMAIN

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
    planned = invoke("plan", path)
    assert planned.code == 0, planned.err
    assert "288 of 12 groups" in planned.out


def test_a_run_leaves_a_report_and_a_model_that_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "final": {"finalists": 1, "seeds": 1, "default_network": False, "random_search": False},
        "workers": 1,
        "executor": "inline",
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    out = tmp_path / "out"
    outcome = invoke("run", tmp_path / "spec.yaml", "--out", out)
    assert outcome.code == 0, outcome.err
    results = json.loads((out / "results.json").read_text())
    assert "gradient boosting" in json.dumps(results)
    assert "worst_group_accuracy" in json.dumps(results)
    assert "macro_f1" in (out / "report.html").read_text()
    (model,) = out.rglob("model.py")
    np.savez(tmp_path / "new.npz", X=x[:5])
    command = [sys.executable, str(model.parent / "predict.py"), "--file", str(tmp_path / "new.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "class,P(0),P(1),P(2)"
    assert len(lines) == 6
    assert sum(map(float, lines[1].split(",")[1:])) == pytest.approx(1, abs=1e-4)
