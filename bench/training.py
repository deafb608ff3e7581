"""Candidates an hour: the engine beside a plain PyTorch loop with a DataLoader and Lightning, on the same candidates.

Run `python bench/training.py`. Each science has random candidates of one of our spaces, trained for the same epochs
with the same batch size, schedule and validation: by the engine (worker processes of one thread each, data on the
device), by a plain loop (one process, torch's own number of threads, DataLoader), by the same loop on one thread, and
by Lightning where it is installed. All take turns, `--repeats` times; ratios are taken within a turn. Workers and
imports are up before anything is timed. Images are not augmented. The engine's overhead is taken on one thread in this
process, in the least CPU seconds of all turns, beside a loop tuned by hand in the same numerics.

Two threads that wait for each other suffer from other programs far more than two processes do, so on a busy machine
wall-clock ratios flatter us. There, set `OMP_WAIT_POLICY=passive` and look at the column `alone`: the CPU seconds of a
loop's main thread, which is what it would take on a machine of its own were waking the other thread free, over our CPU
seconds shared out to the workers.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from loops.engine import Engine
from loops.lightning_loop import installed, train_lightning
from loops.plain import Loaders, datasets, loaders, train_plain
from loops.subject import Subject, thinned
from loops.tuned import train_tuned
from torch import nn

from gnas.architecture import Architecture
from gnas.evaluate.candidate import CandidateWork, derive_seed
from gnas.evaluate.job import Job
from gnas.evaluate.train import deterministic
from gnas.evaluation import Evaluation

GOALS = {"molecules": 2.0, "images": 2.5, "series": 2.0}
OVERHEAD_GOAL = 0.05
_SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
_PLAIN, _ALONE, _LIGHTNING = "plain loop", "plain loop, one thread", "Lightning"
Loop = Callable[[nn.Module, Subject, Loaders, str], float]


def main() -> None:
    """Prints a table for each science."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sciences", default="molecules,images,series")
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--examples", type=int, default=1500, help="at most so many images or series to learn from")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=Path, default=_SHARED / "imaging" / "pneumoniamnist.npz")
    parser.add_argument("--series", type=Path, default=_SHARED / "sensors" / "mitbih_ds1_180hz.npz")
    options = parser.parse_args()
    specs: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {
        "molecules": lambda folder: molecules(),
        "images": lambda folder: images(thinned(options.images, folder, options.examples)),
        "series": lambda folder: series(thinned(options.series, folder, options.examples)),
    }
    for name in options.sciences.split(","):
        with tempfile.TemporaryDirectory() as folder:
            spec = specs[name](Path(folder))
            subject = Subject.of(name, spec, options.candidates, options.epochs, options.seed)
        print(report(subject, options.repeats, options.workers, options.device), flush=True)


def molecules() -> Mapping[str, Any]:
    """FreeSolv, which comes inside a dependency."""
    return {"domain": "molecular", "data": {"dataset": "freesolv"}, "space": "molecular/default"}


def images(path: Path) -> Mapping[str, Any]:
    """PneumoniaMNIST, or any file in its layout."""
    still = {"flip": "none", "shift": 0, "rotate": 0, "scale": 0, "brightness": 0}
    data = {"file": str(path.resolve()), "augment": still}
    return {"domain": "imaging", "data": data, "space": "imaging/small"}


def series(path: Path) -> Mapping[str, Any]:
    """Heart beats, or any archive of windows."""
    # Windows that touch are no matter here: what is learnt is not compared.
    data = {"file": str(path.resolve()), "split": {"leaks": "warn"}}
    return {"domain": "timeseries", "data": data, "space": "timeseries/small"}


@dataclass(slots=True)
class Times:
    """What one way of training took, a turn after the other.

    Attributes:
        wall, cpu: Seconds for all candidates.
        alone: Seconds they would take on a machine of its own.
        values: Mean of the candidates' best validation values.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


def report(subject: Subject, repeats: int, workers: int, device: str) -> str:
    """The table of one science."""
    engine = Engine(subject, workers, device)
    loops: dict[str, Loop] = {_PLAIN: train_plain, _ALONE: _on_one_thread}
    if installed():
        loops[_LIGHTNING] = train_lightning
    data = datasets(subject.task)
    times = {name: Times() for name in ("gnas", *loops)}
    load = [os.getloadavg()[0]]
    try:
        for _ in range(repeats):
            evaluations, wall, cpu = engine.run()
            best = [_best(subject, evaluation) for evaluation in evaluations]
            _add(times["gnas"], (wall, cpu, cpu / workers), best)
            for name, loop in loops.items():
                before = _clocks()
                values = [_trained(loop, subject, data, architecture, device) for architecture in subject.candidates]
                _add(times[name], [after - start for after, start in zip(_clocks(), before, strict=True)], values)
    finally:
        engine.close()
    load.append(os.getloadavg()[0])
    overheads = overhead(subject, engine.work(), evaluations, device, repeats)
    return "\n".join(_lines(subject, times, overheads, load, device, workers))


def _trained(loop: Loop, subject: Subject, data: Any, architecture: Architecture, device: str) -> float:
    torch.manual_seed(derive_seed(subject.recipe.seed, architecture.digest))
    network = subject.space.build(architecture)
    return loop(network, subject, loaders(subject.task, subject.recipe.batch_size, data, device), device)


def _on_one_thread(network: nn.Module, subject: Subject, found: Loaders, device: str) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train_plain(network, subject, found, device)
    finally:
        torch.set_num_threads(threads)


def _best(subject: Subject, evaluation: Evaluation) -> float:
    if evaluation.status != "ok":
        raise SystemExit(f"a candidate of {subject.name} cannot be trained: {evaluation.reason}")
    sign = subject.objective.sign()
    return sign * max(sign * value for value in evaluation.curve)


def _clocks() -> tuple[float, float, float]:
    """Wall clock, CPU seconds of this process, and of this thread of it."""
    return time.perf_counter(), time.process_time(), time.thread_time()


def _add(times: Times, seconds: Sequence[float], values: Sequence[float]) -> None:
    for held, value in zip((times.wall, times.cpu, times.alone), seconds, strict=True):
        held.append(value)
    times.values.append(statistics.fmean(values))


def overhead(
    subject: Subject, work: CandidateWork, evaluations: Sequence[Evaluation], device: str, repeats: int
) -> list[tuple[float, float]]:
    """Least CPU seconds of each candidate by the engine, and by a loop tuned by hand, over the turns."""
    work.prepare()
    least = [(math.inf, math.inf)] * len(evaluations)
    for _ in range(repeats):
        for i, (architecture, known) in enumerate(zip(subject.candidates, evaluations, strict=True)):
            start = time.process_time()
            work.run(Job(i, architecture, subject.recipe))
            middle = time.process_time()
            with deterministic(0):
                network = subject.space.build(architecture)
                train_tuned(network, subject, device, known.numerics)
            end = time.process_time()
            least[i] = min(least[i][0], middle - start), min(least[i][1], end - middle)
    return least


def _lines(
    subject: Subject,
    times: Mapping[str, Times],
    overheads: Sequence[tuple[float, float]],
    load: Sequence[float],
    device: str,
    workers: int,
) -> list[str]:
    n, ours, recipe = len(subject.candidates), times["gnas"], subject.recipe
    examples = f"{recipe.epochs} epochs of {subject.task.size('train'):,} examples in batches of {recipe.batch_size}"
    busy = f"load average {load[0]:.1f} before, {load[1]:.1f} after, on {os.cpu_count()} cores"
    lines = [
        f"\n{subject.name}: {n} candidates, {examples}, on {device}; {workers} workers; {busy}",
        f"| | candidates an hour | wall ÷ gnas | alone ÷ gnas | CPU seconds a candidate | {subject.objective.name} |",
        "|---|---|---|---|---|---|",
    ]
    for name, held in times.items():
        hourly = statistics.median(3600 * n / wall for wall in held.wall)
        ratios = " | ".join(_spread(_ratios(held, ours, clock)) for clock in ("wall", "alone"))
        seconds, value = statistics.median(held.cpu) / n, statistics.median(held.values)
        lines.append(f"| {name} | {hourly:,.0f} | {ratios} | {seconds:.2f} | {value:.4g} |")
    if _LIGHTNING not in times:
        lines.append(f"| {_LIGHTNING} | not installed | | | | |")
    goal = GOALS[subject.name]
    for clock in ("wall", "alone"):
        ratio = statistics.median(_ratios(times[_PLAIN], ours, clock))
        lines.append(f"goal by {clock}: {goal:g} times the plain loop: {'kept' if ratio >= goal else 'MISSED'}")
    share = sum(mine for mine, _ in overheads) / sum(tuned for _, tuned in overheads)
    each = _spread([mine / tuned for mine, tuned in overheads])
    kept = "kept" if share <= 1 + OVERHEAD_GOAL else "MISSED"
    lines.append(f"gnas ÷ a loop tuned by hand, least CPU seconds: {share:.2f}, by candidate {each}")
    lines.append(f"goal: {1 + OVERHEAD_GOAL:.2f}: {kept}")
    return lines


def _ratios(theirs: Times, ours: Times, clock: str) -> list[float]:
    """By turn."""
    return [a / b for a, b in zip(getattr(theirs, clock), getattr(ours, clock), strict=True)]


def _spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
