"""The main job on four MoleculeNet sets: `gnas run` on scaffold-balanced splits, beside trees and random search.

    python bench/molecules.py --data ../shared/data/molecules --minutes 4 --splits 3

Each run is an ordinary `gnas run` of a spec written beside its folder, so that an interrupted bench continues and any
figure can be traced to its report. The test split is read by the final stage only. Contenders: the chosen finalist
(mean over its retraining seeds: a single network), the ensemble of finalists, the two tree baselines, the domain's
unsearched network, random search at equal cost. Differences are paired by split; `±` is the standard error over splits.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml

DATASETS: Mapping[str, Mapping[str, Any]] = {
    "esol": {"targets": ["logS"], "task": "regression", "metric": "rmse"},
    "freesolv": {"targets": ["dG_hyd_expt"], "task": "regression", "metric": "rmse"},
    "bbbp": {"targets": ["p_np"], "task": "binary", "metric": "auroc"},
    "bace": {"targets": ["active"], "task": "binary", "metric": "auroc"},
}
CONTENDERS = (
    "finalist",
    "ensemble",
    "random forest",
    "gradient boosting",
    "default network",
    "random search",
    "random ensemble",
)


def write_spec(folder: Path, dataset: str, split: int, options: argparse.Namespace) -> Path:
    """The spec of one run, written into its folder."""
    facts = DATASETS[dataset]
    spec = {
        "domain": "molecular",
        "name": f"{dataset}-{split}",
        "seed": split,
        "metric": facts["metric"],
        "data": {
            "file": str((options.data / f"{dataset}.csv").resolve()),
            "smiles": "smiles",
            "targets": list(facts["targets"]),
            "task": facts["task"],
            "split": {"kind": "scaffold_balanced", "seed": split},
        },
        # A limit on size keeps a candidate's training to about half a minute on one core; it binds both searches.
        "constraints": {"macs": options.macs},
        "budget": (
            {"minutes": options.minutes} if options.cpu_minutes is None else {"cpu_minutes": options.cpu_minutes}
        )
        | {"trial_minutes": 4},
        "search": {"algorithm": options.algorithm, "epochs": options.epochs},
        "recipe": {"epochs": options.final_epochs},
        "final": {
            "finalists": options.finalists,
            "seeds": options.retrainings,
            "default_network": options.default_network,
            "turns": options.turns,
            "refit": options.refit,
        },
        "workers": options.workers,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def run_one(dataset: str, split: int, options: argparse.Namespace) -> dict[str, Any]:
    """Test values of every contender in one run; runs it unless its results are there."""
    folder = options.out / f"{dataset}-{split}"
    if not (folder / "results.json").exists():
        spec = write_spec(folder, dataset, split, options)
        command = [sys.executable, "-m", "gnas", "run", str(spec), "--out", str(folder), "--quiet"]
        subprocess.run(command, check=True)
    return contenders(folder)


def contenders(folder: Path) -> dict[str, Any]:
    """Mean test value over retraining seeds of each contender, and the wall-clock seconds of the run."""
    from gnas.report import comparison_table
    from gnas.report.compare import best_on_validation
    from gnas.results import RunResults

    results = RunResults.from_json((folder / "results.json").read_text(encoding="utf-8"))
    random_best = best_on_validation(results, "random_search")
    values: dict[str, float] = {}
    for row in comparison_table(results):
        if results.objective not in row.test:
            continue
        value = row.test[results.objective].mean
        if row.chosen:
            values["finalist"] = value
        elif row.kind == "random_search" and row.name == random_best:
            values["random search"] = value
        elif row.kind == "ensemble":
            values["ensemble"] = value
        elif row.kind == "random_ensemble":
            values["random ensemble"] = value
        elif row.kind == "default_network":
            values["default network"] = value
        elif row.kind == "baseline":
            values[row.name] = value
    return {"values": values, "seconds": sum(results.stages.values()), "direction": results.direction}


def summarise(dataset: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over splits and paired differences; a positive one is in our favour."""
    sign = 1.0 if DATASETS[dataset]["metric"] == "auroc" else -1.0
    names = [name for name in CONTENDERS if all(name in run["values"] for run in runs)]
    columns = {name: [float(run["values"][name]) for run in runs] for name in names}
    trees = [name for name in ("random forest", "gradient boosting") if name in columns]
    tree = max(trees, key=lambda name: sign * fmean(columns[name]))
    pairs = {
        "finalist - better tree": ("finalist", tree),
        "ensemble - better tree": ("ensemble", tree),
        "finalist - random search": ("finalist", "random search"),
        "ensemble - random ensemble": ("ensemble", "random ensemble"),
        "finalist - default network": ("finalist", "default network"),
    }
    gains = {
        label: spread([sign * (a - b) for a, b in zip(columns[ours], columns[theirs], strict=True)])
        for label, (ours, theirs) in pairs.items()
        if ours in columns and theirs in columns
    }
    return {
        "dataset": dataset,
        "metric": DATASETS[dataset]["metric"],
        "splits": len(runs),
        "better_tree": tree,
        "test": {name: spread(values) for name, values in columns.items()},
        "per_split": columns,
        "gains": gains,
        "seconds": [run["seconds"] for run in runs],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {"mean": fmean(values), "se": error}


def markdown(summaries: Sequence[dict[str, Any]]) -> str:
    """Two tables: test values and gains."""
    head = ["data (metric)", *CONTENDERS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in summaries:
        cells = [
            f"{row['test'][n]['mean']:.3f} ± {row['test'][n]['se']:.3f}" if n in row["test"] else "" for n in CONTENDERS
        ]
        lines.append("| " + " | ".join([f"{row['dataset']} ({row['metric']})", *cells]) + " |")
    labels = list(summaries[0]["gains"]) if summaries else []
    lines += ["", "| gain, positive is ours | " + " | ".join(labels) + " |", "|" + " --- |" * (len(labels) + 1)]
    for row in summaries:
        cells = [f"{row['gains'][label]['mean']:+.3f} ± {row['gains'][label]['se']:.3f}" for label in labels]
        lines.append("| " + " | ".join([f"{row['dataset']} (tree: {row['better_tree']})", *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/molecules"))
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=list(DATASETS))
    parser.add_argument("--splits", type=int, default=3, help="split seeds 0, 1, …")
    parser.add_argument("--minutes", type=float, default=3.0, help="of search; random search gets the same again")
    parser.add_argument("--cpu-minutes", type=float, help="of the search's trainings, in the stead of --minutes")
    parser.add_argument("--macs", type=float, default=4e6, help="largest candidate, multiply-accumulates a molecule")
    parser.add_argument("--epochs", type=int, default=15, help="of a candidate while searching")
    parser.add_argument("--final-epochs", type=int, default=40, help="of finalists")
    parser.add_argument("--default-network", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--turns",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="each retraining seed validates on other molecules",
    )
    parser.add_argument("--refit", action=argparse.BooleanOptionalAction, default=False, help="train on validation too")
    parser.add_argument("--finalists", type=int, default=3)
    parser.add_argument("--retrainings", type=int, default=3)
    parser.add_argument("--algorithm", default="bayes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-molecules"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    summaries = []
    for dataset in options.datasets:
        runs = [run_one(dataset, split, options) for split in range(options.splits)]
        summaries.append(summarise(dataset, runs))
        print(f"{dataset}: done", file=sys.stderr)
    print(json.dumps(summaries, indent=2) if options.json else markdown(summaries))


if __name__ == "__main__":
    main()
