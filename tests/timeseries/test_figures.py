from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_timeseries.task import SeriesTask

from gnas.domain import IllustratedTask
from gnas.errors import DataError
from tests.timeseries.samples import task_of, waves


def outputs_of(task: SeriesTask) -> torch.Tensor:
    return torch.cat([batch.targets for batch in task.batches("test", 64)]) * 3


def test_classes_have_a_confusion_matrix_and_the_worst_traces_first(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    assert isinstance(task, IllustratedTask)
    outputs = outputs_of(task)
    outputs[2] = outputs[2].roll(1)
    figures = task.figures("test", outputs)
    assert [figure.title for figure in figures[:1]] == ["Confusion matrix"] or "onfusion" in figures[0].title
    assert len(figures) == 6
    true = int(task.store("test").labels[2, 0])
    assert figures[2].title.startswith(f"{true}, predicted {(true + 1) % 3} with")
    assert all(figure.svg.startswith("<svg") for figure in figures)
    with pytest.raises(DataError):
        task.sealed().figures("test", outputs)


def test_values_and_labels_have_figures_of_their_own(tmp_path: Path) -> None:
    x, y = waves()
    values = task_of(tmp_path, x, y * 10.0, task="regression")
    figures = values.figures("test", outputs_of(values))
    assert len(figures) == 5
    assert figures[1].title.startswith("y ")
    labels = task_of(tmp_path, x, np.stack([y == 0, y == 1], 1).astype(int))
    titles = [figure.title for figure in labels.figures("test", outputs_of(labels))]
    assert any("predicted" in title for title in titles)
