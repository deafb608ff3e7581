"""One problem run for several seeds, each as an ordinary `gnas run`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gnas.evaluation import Objective
from gnas.report import comparison_table
from gnas.report.compare import best_on_validation
from gnas.results import RunResults

FINALIST, ENSEMBLE, DEFAULT = "finalist", "ensemble", "default network"
RANDOM, RANDOM_ENSEMBLE = "random search", "random ensemble"


@dataclass(frozen=True, slots=True)
class Contest:
    """A problem.

    Attributes:
        name: For tables and folders.
        spec: The spec of a run with a seed.
        judged: What is compared; None for what is searched for.
    """

    name: str
    spec: Callable[[int], Mapping[str, Any]]
    judged: Objective | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """What a run gave.

    Attributes:
        metric: What is compared.
        larger: Whether larger is better.
        values: Test value of each contender, mean over its retraining seeds.
        macs: Multiply-accumulates of those that are networks.
        seconds: Wall clock of the run.
    """

    metric: str
    larger: bool
    values: Mapping[str, float]
    macs: Mapping[str, float]
    seconds: float


def run_all(contest: Contest, seeds: Iterable[int], out: Path) -> list[Played]:
    """A run for each seed; one that is finished is read, one that was interrupted continues."""
    return [_run(contest, seed, out) for seed in seeds]


def _run(contest: Contest, seed: int, out: Path) -> Played:
    folder = out / f"{contest.name}-{seed}"
    if not (folder / "results.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        spec = folder.parent / f"{folder.name}.yaml"
        spec.write_text(yaml.safe_dump(dict(contest.spec(seed)), sort_keys=False), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "gnas", "run", str(spec), "--out", str(folder), "--quiet"], check=True)
    played = contenders(folder, contest.judged)
    told = ", ".join(f"{name} {value:.4g}" for name, value in played.values.items())
    print(f"{folder.name}: {told}; {played.seconds:.0f} s", file=sys.stderr, flush=True)
    return played


def contenders(folder: Path, judged: Objective | None = None) -> Played:
    """Test values of everyone in a finished run: the chosen finalist, random search's choice, baselines.

    Args:
        folder: Of the run.
        judged: What to read where it is not the objective of the run.
    """
    results = RunResults.from_json((folder / "results.json").read_text(encoding="utf-8"))
    metric = judged.name if judged else results.objective
    random_best = best_on_validation(results, "random_search")
    names = {"ensemble": ENSEMBLE, "random_ensemble": RANDOM_ENSEMBLE, "default_network": DEFAULT}
    values: dict[str, float] = {}
    macs: dict[str, float] = {}
    for row in comparison_table(results):
        if row.chosen:
            name = FINALIST
        elif row.kind == "random_search" and row.name == random_best:
            name = RANDOM
        elif row.kind == "baseline":
            name = row.name
        else:
            name = names.get(row.kind, "")
        if name and metric in row.test:
            values[name] = row.test[metric].mean
            macs |= {name: row.costs["macs"]} if "macs" in row.costs else {}
    larger = (judged.direction if judged else results.direction) == "maximize"
    return Played(metric, larger, values, macs, sum(results.stages.values()))
