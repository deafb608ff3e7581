"""The main job on images and series: `gnas run` beside the fields' strong baselines and random search.

    python bench/sciences.py --data ../shared/data --problems pneumonia beats --seeds 3

Each run is an ordinary `gnas run` of a spec written beside its folder, so that an interrupted bench continues and any
figure can be traced to its report. The test part is read by the final stage only. Official parts are kept where data
have them; a seed then changes the search, the part set aside for validation and the trainings. Beats are split by
patient, lesions by patient, anew for each seed. Random search gets the CPU seconds that the search had; networks among
the baselines are trained by the recipe of the finalists. Differences are paired by seed; `±` is the standard error over
seeds. What a run may spend stands in `BUDGETS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from contest import Contest, run_all, summarise, tables
from contest.series import beats, engines

from gnas.evaluation import Objective

OFFICIAL = ("Epilepsy", "RacketSports", "BasicMotions")
INSIDE_AEON = ("JapaneseVowels", "OSULeaf", "ArrowHead", "ItalyPowerDemand")
PROBLEMS = ("pneumonia", "pneumonia-resnet", "masks", "beats", "cmapss", *(name.lower() for name in OFFICIAL))
DEVELOPMENT = ("lesions", "cmapss-development", *(name.lower() for name in INSIDE_AEON))
"""Nothing on them is a result."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one run may spend.

    Attributes:
        cpu_minutes: Of search; random search gets the same again.
        epochs: Of a candidate while searching.
        final_epochs: Of finalists and of networks among the baselines.
        macs: Largest candidate, multiply-accumulates an example; None for no limit.
        objective: What is searched for; empty for what is compared.
        refit: Whether final trainings and baselines join validation to training data.
        default_network: Whether the domain's unsearched network is compared too.
        retrainings: Of each finalist and baseline.
        finalists: Of the search, and of random search.
        class_weights: Of the recipe; random kernels choose theirs on validation.
        baselines: These alone; all where there are none.
        searched: Whether there is a search to speak of; else one trial, and no random search.
        turns: Whether each retraining, baselines' too, validates on other groups.
    """

    cpu_minutes: float
    epochs: int
    final_epochs: int
    macs: float | None = None
    objective: str = ""
    refit: bool = False
    default_network: bool = False
    retrainings: int = 2
    finalists: int = 2
    class_weights: str = "none"
    baselines: tuple[str, ...] = ()
    searched: bool = True
    turns: bool = False


SMALL = Budget(2.0, 50, 150, macs=3e6, objective="log_loss", refit=True, retrainings=1)
BUDGETS: Mapping[str, Budget] = {
    "pneumonia": Budget(4.0, 3, 20, macs=12e6, retrainings=1),
    "pneumonia-resnet": Budget(
        4.0, 1, 3, macs=12e6, retrainings=1, finalists=1, baselines=("ResNet-18",), searched=False
    ),
    "lesions": Budget(2.0, 5, 10),
    "masks": Budget(6.0, 10, 20, macs=47e6, default_network=True, retrainings=1),
    "beats": Budget(3.0, 3, 5, macs=2e6, refit=True, default_network=True, class_weights="balanced"),
    "cmapss": Budget(3.0, 6, 8, macs=4e6, refit=True, finalists=3, baselines=("gradient boosting",), turns=True),
    "cmapss-development": Budget(3.0, 6, 8, macs=4e6, refit=True, retrainings=1, finalists=3),
}
"""Masks have at most the multiply-accumulates of the U-Net among their baselines, X-rays a tenth of ResNet-18's.

`pneumonia-resnet` trains ResNet-18 for about the CPU seconds of a search where the processor has no bfloat16; where it
has, ResNet-18 among the baselines of `pneumonia` takes about as many.
"""


def problem(name: str, seed: int, data: Path, out: Path) -> Mapping[str, Any]:
    """Domain, metric and data of a problem; data that need another form are written to `out`."""
    if name.startswith("pneumonia"):
        images: dict[str, Any] = {"file": str((data / "imaging" / "pneumoniamnist.npz").resolve())}
        return {"domain": "imaging", "metric": "auroc", "data": images}
    if name in ("lesions", "masks"):
        drawn = {"seed": seed, **({"patients": 120, "difficulty": 0.6} if name == "masks" else {})}
        images = {"dataset": "synthetic-lesions", "synthetic": drawn, "split": {"seed": seed}}
        if name == "lesions":
            return {"domain": "imaging", "metric": "auroc", "data": {**images, "task": "auto"}}
        changes = {"flip": "both"}
        return {"domain": "imaging", "metric": "dice", "data": {**images, "task": "segmentation", "augment": changes}}
    sensors = data / "sensors"
    if name == "beats":
        file = beats(sensors / "mitbih_ds1_180hz.npz", out / f"beats-{seed}.npz", seed)
        given = {"file": str(file), "group": "record", "split": {"kind": "given", "column": "part"}}
        return {"domain": "timeseries", "metric": "macro_f1", "data": given}
    if name.startswith("cmapss"):
        train, test = engines(sensors, out, development=name.endswith("development"))
        series = {
            "file": str(train),
            "test_file": str(test),
            "record": "unit",
            "time": "cycle",
            "targets": "life",
            "task": "regression",
            "cap": 125.0,
            "window": {"length": 60, "least": 30, "stride": 3, "test": "last"},
            "split": {"kind": "given", "seed": seed},
            "unit": "cycles",
        }
        return {"domain": "timeseries", "metric": "rmse", "data": series}
    # NOTE: the official training part of Epilepsy holds copies of some of its series.
    split = {"seed": seed, "fractions": [0.6, 0.25, 0.15], "leaks": "warn"}
    inside = {official.lower(): official for official in INSIDE_AEON}
    if name in inside:
        unequal = {"unequal": "pad"} if name == "japanesevowels" else {}
        return {
            "domain": "timeseries",
            "metric": "accuracy",
            "data": {"dataset": inside[name], "split": split, **unequal},
        }
    file = next(sensors / f"{official}.npz" for official in OFFICIAL if official.lower() == name).resolve()
    return {"domain": "timeseries", "metric": "accuracy", "data": {"file": str(file), "split": split}}


def spec(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The spec of one run."""
    budget = BUDGETS.get(name, SMALL)
    return {
        "name": f"{name}-{seed}",
        "seed": seed,
        **problem(name, seed, options.data, options.out),
        **({"metric": budget.objective} if budget.objective else {}),
        **({"constraints": {"macs": budget.macs}} if budget.macs else {}),
        "budget": {
            "cpu_minutes": budget.cpu_minutes,
            "trial_minutes": 4,
            **({} if budget.searched else {"trials": 1}),
        },
        "search": {"algorithm": "bayes", "epochs": budget.epochs},
        "recipe": {"epochs": budget.final_epochs, "class_weights": budget.class_weights},
        "final": {
            "finalists": budget.finalists,
            "seeds": budget.retrainings,
            "default_network": budget.default_network and not options.alone,
            "random_search": budget.searched and not options.no_random_search,
            "baselines": [] if options.alone else options.baselines or list(budget.baselines) or "all",
            "refit": budget.refit,
            "turns": budget.turns,
        },
        "workers": options.workers,
    }


def main() -> None:
    """Runs what is missing and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=(*PROBLEMS, *DEVELOPMENT))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-random-search", action="store_true")
    parser.add_argument("--baselines", nargs="+", help="these alone")
    parser.add_argument("--alone", action="store_true", help="no baselines and no default network")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-sciences"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    summaries = []
    for name in options.problems:
        metric = problem(name, 0, options.data, options.out)["metric"]
        judged = Objective(metric, "minimize" if metric == "rmse" else "maximize")
        contest = Contest(name, partial(spec, name, options=options), judged)
        summaries.append(summarise(name, run_all(contest, options.seeds, options.out)))
    print(json.dumps(summaries, indent=2) if options.json else tables(summaries))


if __name__ == "__main__":
    main()
