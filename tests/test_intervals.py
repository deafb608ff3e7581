"""Bootstrap intervals: the textbook's where that is known, wider for clusters, in the results of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnas.domain import Part, ResamplingTask
from gnas.intervals import bootstrap
from gnas.results import RunResults
from gnas.run import run
from gnas.testing.toy import ToyTask, toy_problem

N = 200


@dataclass(frozen=True)
class Means:
    """The metric is the mean of the outputs; `names` are the clusters."""

    names: tuple[int, ...]

    def clusters(self, part: Part) -> Sequence[Hashable]:
        return self.names

    def scorer(self, part: Part, outputs: Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        values = outputs.numpy()
        undefined = float("nan")
        return lambda rows: {"mean": float(values[rows].mean()), "rare": 1.0 if 0 in rows[:20] else undefined}


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    outputs = torch.randn(N, generator=torch.Generator().manual_seed(0))
    found = bootstrap(Means(tuple(range(N))), "test", outputs, draws=2000)
    low, high = found.bounds["mean"]
    half = 1.96 * float(outputs.std()) / N**0.5
    mean = float(outputs.mean())
    assert [low, high] == pytest.approx([mean - half, mean + half], abs=0.25 * half)
    assert (found.units, found.examples, found.draws) == (N, N, 2000)


def test_examples_of_one_cluster_are_drawn_together() -> None:
    each = torch.randn(20, generator=torch.Generator().manual_seed(1))
    outputs = each.repeat_interleave(10)
    alone = bootstrap(Means(tuple(range(N))), "test", outputs).bounds["mean"]
    found = bootstrap(Means(tuple(i // 10 for i in range(N))), "test", outputs)
    wider = found.bounds["mean"]
    assert wider[1] - wider[0] > 2 * (alone[1] - alone[0])
    assert (found.units, found.examples) == (20, N)


def test_a_metric_that_is_mostly_undefined_has_no_interval() -> None:
    assert set(bootstrap(Means(tuple(range(N))), "test", torch.randn(N)).bounds) == {"mean"}


def test_a_seed_repeats() -> None:
    outputs = torch.randn(N)
    task = Means(tuple(range(N)))
    first, again, other = (bootstrap(task, "test", outputs, seed=seed).bounds for seed in (1, 1, 2))
    assert first == again != other


def test_a_run_tells_the_intervals_of_what_it_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scorer(task: ToyTask, part: Part, outputs: Tensor) -> Callable[[NDArray[Any]], Mapping[str, float]]:
        truth = task.data[part][1]
        return lambda rows: {"rmse": float((outputs - truth)[torch.from_numpy(rows)].square().mean().sqrt())}

    monkeypatch.setattr(ToyTask, "clusters", lambda task, part: range(task.size(part)), raising=False)
    monkeypatch.setattr(ToyTask, "scorer", scorer, raising=False)
    monkeypatch.setattr("gnas.run.latency_measure", lambda space, task, out: lambda architecture: {"latency_ms": 1.0})
    monkeypatch.setattr("gnas.export.export_best", lambda problem, out: None)
    monkeypatch.setattr("gnas.report.write_report", lambda out: None)
    problem = toy_problem(final={"finalists": 1, "seeds": 1, "default_network": False, "random_search": False})
    assert isinstance(problem.task, ResamplingTask)
    results = run(problem, tmp_path)
    (row,) = (row for row in results.finals if row.kind == "finalist")
    assert results.intervals is not None
    low, high = results.intervals.bounds["rmse"]
    assert low < row.test["rmse"] < high
    assert RunResults.from_json((tmp_path / "results.json").read_text(encoding="utf-8")) == results
    monkeypatch.setattr(ToyTask, "scorer", lambda task, part, outputs: 1 / 0)
    again = run(problem, tmp_path / "failing")
    assert again.intervals is None and any("no bootstrap intervals" in note for note in again.notes)
