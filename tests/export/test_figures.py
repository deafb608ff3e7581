"""The chosen finalist's predictions, drawn by a task that can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gnas.domain import IllustratedTask, Part
from gnas.export.figures import illustrate
from gnas.illustration import Figure, read_figures
from gnas.problem import Problem
from gnas.testing.toy import ToyTask, toy_problem


class Drawing(ToyTask):
    def figures(self, part: Part, outputs: torch.Tensor) -> Sequence[Figure]:
        return (Figure(part, f"<svg>{outputs.sum():g}</svg>"),)


def problem_of(monkeypatch: pytest.MonkeyPatch, weights: Path | None, task: Any) -> Problem:
    chosen = SimpleNamespace(weights=weights)
    monkeypatch.setattr("gnas.export.outputs.choose", lambda problem, out: chosen)
    monkeypatch.setattr("gnas.export.outputs.task_of", lambda problem, chosen: problem.task)
    return replace(toy_problem(), task=task)


def test_the_outputs_that_were_kept_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Drawing(ToyTask.make().data)
    assert isinstance(task, IllustratedTask) and not isinstance(ToyTask.make(), IllustratedTask)
    np.savez(tmp_path / "w.npz", validation=np.zeros(2), test=np.ones(3, dtype=np.float32))
    assert illustrate(problem_of(monkeypatch, tmp_path / "w.safetensors", task), tmp_path) == 1
    assert read_figures(tmp_path) == (Figure("test", "<svg>3</svg>"),)


def test_nothing_is_written_where_there_is_nothing_to_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert illustrate(problem_of(monkeypatch, tmp_path / "w.safetensors", ToyTask.make()), tmp_path) == 0
    assert illustrate(problem_of(monkeypatch, None, Drawing(ToyTask.make().data)), tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
