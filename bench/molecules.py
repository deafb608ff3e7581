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
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from contest import Contest, run_all, summarise, tables

DATASETS: Mapping[str, Mapping[str, Any]] = {
    "esol": {"targets": ["logS"], "task": "regression", "metric": "rmse"},
    "freesolv": {"targets": ["dG_hyd_expt"], "task": "regression", "metric": "rmse"},
    "bbbp": {"targets": ["p_np"], "task": "binary", "metric": "auroc"},
    "bace": {"targets": ["active"], "task": "binary", "metric": "auroc"},
}


def spec(dataset: str, split: int, options: argparse.Namespace) -> dict[str, Any]:
    """The spec of one run."""
    facts = DATASETS[dataset]
    return {
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
        contest = Contest(dataset, partial(spec, dataset, options=options))
        summaries.append(summarise(dataset, run_all(contest, range(options.splits), options.out)))
    print(json.dumps(summaries, indent=2) if options.json else tables(summaries))


if __name__ == "__main__":
    main()
