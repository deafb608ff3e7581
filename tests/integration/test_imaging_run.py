"""A whole run on synthetic lesions through the command line, and its model used from its own folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gnas_datasets.lesions import synthetic_lesions
from PIL import Image

from gnas.testing.command_line import invoke
from tests.integration.bad_input import spec, write_spec

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imaging")
    data = {"dataset": "synthetic-lesions", "synthetic": {"patients": 24, "images": 2, "size": 16, "difficulty": 0.1}}
    content = spec(
        domain="imaging",
        data=data,
        metric="auroc",
        space={"name": "imaging/small", "restrict": {"width": [8], "stages": [2], "block": ["conv"], "more": [0]}},
    )
    outcome = invoke("run", write_spec(folder, content), "--out", folder / "out")
    assert outcome.code == 0, outcome.err
    return folder / "out"


def test_the_report_shows_predictions(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ("Predictions of the chosen finalist", "Examples of test", "Confusion matrix on test", "Calibration"):
        assert words in page
    figures = json.loads((run / "figures.json").read_text(encoding="utf-8"))["figures"]
    assert figures[0]["title"] == "Examples of test"


def test_the_model_predicts_from_its_folder(run: Path, tmp_path: Path) -> None:
    made = synthetic_lesions(patients=12, images=1, size=20, seed=1)
    for i in range(3):
        Image.fromarray(made.images[i]).save(tmp_path / f"{i}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    answers = []
    for option in ([], ["--onnx"]):
        command = [sys.executable, "predict.py", "--folder", str(tmp_path), *option]
        done = subprocess.run(command, cwd=run / "best", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "3.png" in done.stderr and "1 of 4 images could not be read" in done.stderr
        header, *rows = [line.split(",") for line in done.stdout.splitlines()]
        assert header == ["image", "P(benign)", "P(healthy)", "P(malignant)"]
        assert rows[3][1:] == ["", "", ""]
        answers.append(np.array([[float(cell) for cell in row[1:]] for row in rows[:3]]))
    assert np.allclose(answers[0].sum(axis=1), 1, atol=1e-5)
    assert np.allclose(answers[0], answers[1], atol=1e-4)
