"""The main job on images and series: `gnas run` beside the fields' strong baselines and random search.

    python bench/sciences.py --data ../shared/data --problems pneumonia beats --cpu-minutes 8 --seeds 3

Each run is an ordinary `gnas run` of a spec written beside its folder, so that an interrupted bench continues and any
figure can be traced to its report. The test part is read by the final stage only. Official parts are kept where data
have them; a seed then changes the search, the part set aside for validation and the trainings. Beats are split by
patient, anew for each seed. Differences are paired by seed; `±` is the standard error over seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from contest import Contest, run_all, summarise, tables
from contest.series import beats, engines

OFFICIAL = ("Epilepsy", "RacketSports", "BasicMotions")
PROBLEMS = ("pneumonia", "lesions", "beats", "cmapss", *(name.lower() for name in OFFICIAL))


def problem(name: str, seed: int, data: Path, out: Path) -> Mapping[str, Any]:
    """Domain, metric and data of a problem; data that need another form are written to `out`."""
    if name == "pneumonia":
        images: dict[str, Any] = {"file": str((data / "imaging" / "pneumoniamnist.npz").resolve())}
        return {"domain": "imaging", "metric": "auroc", "data": images}
    if name == "lesions":
        images = {"dataset": "synthetic-lesions", "synthetic": {"seed": seed}, "split": {"seed": seed}}
        return {"domain": "imaging", "metric": "auroc", "data": images}
    sensors = data / "sensors"
    if name == "beats":
        file = beats(sensors / "mitbih_ds1_180hz.npz", out / f"beats-{seed}.npz", seed)
        given = {"file": str(file), "group": "record", "split": {"kind": "given", "column": "part"}}
        return {"domain": "timeseries", "metric": "macro_f1", "data": given}
    if name == "cmapss":
        train, test = engines(sensors, out)
        series = {
            "file": str(train),
            "test_file": str(test),
            "record": "unit",
            "time": "cycle",
            "targets": "life",
            "task": "regression",
            "cap": 125.0,
            "window": {"length": 30, "stride": 2, "test": "last"},
            "split": {"kind": "given", "seed": seed},
            "unit": "cycles",
        }
        return {"domain": "timeseries", "metric": "rmse", "data": series}
    file = next(sensors / f"{official}.npz" for official in OFFICIAL if official.lower() == name).resolve()
    return {"domain": "timeseries", "metric": "accuracy", "data": {"file": str(file), "split": {"seed": seed}}}


def spec(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The spec of one run."""
    return {
        "name": f"{name}-{seed}",
        "seed": seed,
        **problem(name, seed, options.data, options.out),
        **({"constraints": {"macs": options.macs}} if options.macs else {}),
        "budget": {"cpu_minutes": options.cpu_minutes, "trial_minutes": 4},
        "search": {"algorithm": options.algorithm, "epochs": options.epochs},
        "recipe": {"epochs": options.final_epochs},
        "final": {
            "finalists": options.finalists,
            "seeds": options.retrainings,
            "default_network": options.default_network,
        },
        "workers": options.workers,
    }


def main() -> None:
    """Runs what is missing and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=PROBLEMS)
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0, 1, …")
    parser.add_argument("--cpu-minutes", type=float, default=8.0, help="of search; random search gets the same again")
    parser.add_argument("--macs", type=float, help="largest candidate, multiply-accumulates an example")
    parser.add_argument("--epochs", type=int, default=10, help="of a candidate while searching")
    parser.add_argument("--final-epochs", type=int, default=25, help="of finalists and of networks among the baselines")
    parser.add_argument("--default-network", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--finalists", type=int, default=2)
    parser.add_argument("--retrainings", type=int, default=2)
    parser.add_argument("--algorithm", default="bayes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-sciences"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    summaries = []
    for name in options.problems:
        contest = Contest(name, partial(spec, name, options=options))
        summaries.append(summarise(name, run_all(contest, options.seeds, options.out)))
    print(json.dumps(summaries, indent=2) if options.json else tables(summaries))


if __name__ == "__main__":
    main()
