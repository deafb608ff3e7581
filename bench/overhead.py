"""What the engine does around a candidate: ask, build, count, store. Without training and export.

Run `OMP_NUM_THREADS=1 python bench/overhead.py`. A study on molecular/default is filled to `--trials` evaluations of
random architectures with made-up values, whose networks are built and counted as in a run; then the next candidates are
timed stage by stage, in milliseconds. Steps at which hyper-parameters are fitted anew (at every quarter more of
evaluations) count like all others. With `--restarted` the costs of layers met before are forgotten, as by a process
that has just begun.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from gnas.architecture import Architecture
from gnas.evaluate.candidate import derive_seed, versions
from gnas.evaluate.train import deterministic
from gnas.evaluation import Evaluation, Objective
from gnas.hardware.counter import CostCounter
from gnas.ledger import Ledger
from gnas.meters import cost_counter
from gnas.problem import load_problem
from gnas.searchers import make_searcher
from gnas.study import JOURNAL, Study, open_storage

GOAL_MS = 50.0
_SPEC = """\
domain: molecular
data: {dataset: freesolv}
space: molecular/default
"""


def main() -> None:
    """Prints a table of medians and 95th percentiles, and how busy the machine was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="evaluations already in the study")
    parser.add_argument("--repeats", type=int, default=25, help="candidates timed")
    parser.add_argument("--algorithm", default="bayes")
    parser.add_argument("--restarted", action="store_true", help="forget the costs of layers met before")
    options = parser.parse_args()
    torch.set_num_threads(1)
    busy = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), options.trials, options.repeats, options.algorithm, options.restarted)
    busy.append(os.getloadavg()[0])
    print(f"{options.algorithm}, molecular/default, {options.trials} trials in the study; milliseconds a candidate")
    print(f"{'stage':10s} {'CPU':>8s} {'CPU 95 %':>9s} {'wall':>8s} {'wall 95 %':>9s}")
    for stage, pairs in times.items():
        wall, cpu = (sorted(1e3 * pair[i] for pair in pairs) for i in range(2))
        columns = f"{statistics.median(cpu):8.1f} {_high(cpu):9.1f} {statistics.median(wall):8.1f} {_high(wall):9.1f}"
        print(f"{stage:10s} {columns}")
    print(f"load average {busy[0]:.1f} before, {busy[1]:.1f} after, on {os.cpu_count()} cores")
    total = statistics.median(1e3 * pair[1] for pair in times["all"])
    print(f"goal: under {GOAL_MS:.0f} ms; CPU median {total:.1f} ms: {'kept' if total < GOAL_MS else 'MISSED'}")


def _high(ordered: Sequence[float]) -> float:
    """The 95th percentile of sorted values: the smallest that at least 95 % do not exceed."""
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def measure(
    folder: Path, trials: int, repeats: int, algorithm: str, restarted: bool
) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of each stage, for `repeats` candidates after `trials` evaluations."""
    spec = folder / "spec.yaml"
    spec.write_text(_SPEC)
    problem = load_problem(spec)
    storage, _ = open_storage(folder / JOURNAL)
    sealed = problem.task.sealed()
    count = CostCounter(sealed)
    objective = Objective("rmse", "minimize")
    study = Study(
        problem.space, objective, (), storage=storage, costs=cost_counter(problem.space, sealed), place=folder
    )
    rng = np.random.default_rng(0)
    while len(study.evaluations) < trials:
        architecture = problem.space.sample(rng)
        if not study.known(architecture.digest):
            study.record(_evaluation(study, architecture, count(problem.space.build(architecture))))
    if restarted:
        count = CostCounter(sealed)
    searcher, ledger = make_searcher(algorithm), Ledger(folder / "run.json")
    times: dict[str, list[tuple[float, float]]] = {}
    for repeat in range(repeats + 1):
        clock = _Clock(times if repeat else {})  # The first one also imports.
        step = study.next_step()
        (architecture,) = searcher.ask(study, 1, np.random.default_rng([0, step]))
        clock.lap("ask")
        with deterministic(derive_seed(0, architecture.digest)):
            network = problem.space.build(architecture)
        clock.lap("build")
        costs = count(network)
        clock.lap("count")
        study.record(_evaluation(study, architecture, costs))
        ledger.save()
        clock.lap("store")
        clock.total("all")
    return times


def _evaluation(study: Study, architecture: Architecture, costs: Mapping[str, float]) -> Evaluation:
    """A record as a training would give it; its value depends on the digest alone."""
    value = 1.0 + derive_seed(0, architecture.digest) / 2**63
    return Evaluation(
        number=len(study.evaluations),
        digest=architecture.digest,
        assignment=architecture.assignment,
        status="ok",
        values={**costs, "rmse": value, "mae": value, "r2": 0.5, "spearman": 0.5},
        fidelity=40.0,
        seconds=5.0,
        cpu_seconds=5.0,
        versions=versions(),
        curve=tuple(value + 1.0 / (epoch + 1) for epoch in range(40)),
        step=study.next_step(),
    )


class _Clock:
    """Wall and CPU seconds between laps."""

    def __init__(self, times: dict[str, list[tuple[float, float]]]) -> None:
        self._times = times
        self._start = self._last = (time.perf_counter(), time.process_time())

    def lap(self, stage: str) -> None:
        now = (time.perf_counter(), time.process_time())
        self._add(stage, self._last, now)
        self._last = now

    def total(self, stage: str) -> None:
        self._add(stage, self._start, self._last)

    def _add(self, stage: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._times.setdefault(stage, []).append((end[0] - start[0], end[1] - start[1]))


if __name__ == "__main__":
    main()
