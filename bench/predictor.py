"""Rank correlation of the predictor with true results of a tabular benchmark, beside peers' ideas on the same draws.

Run `OMP_NUM_THREADS=1 python bench/predictor.py --data nasbench201.csv.gz --target cifar10_val_200ep --labels 78,156`.
For every draw, rows of the table are drawn at random; their values are all that any model sees. τ is Kendall's, between
predictions and the values of all rows (`kendall_tau`), and of those that are no twins of a drawn one
(`kendall_tau_rest`), and with one entry for each class of twins, its mean (`kendall_tau_classes`). Twins are isomorphic
rows; among those drawn they share the mean of their values.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from peers import PEERS
from peers.table import Labelled, labelled, target_noise

from gnas.errors import UserError
from gnas.predictors.calibration import LEVELS, rmsce
from gnas.predictors.crossval import tau
from gnas.predictors.ranks import rank_gaussian
from gnas.predictors.stack import StackPredictor

Vector = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows whose labels are seen, rows that are judged, their classes, and which of them are no twins of a seen one."""

    number: int
    seen: Rows
    judged: Rows
    classes: NDArray[np.int64]
    rest: NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one JSON object on standard output; progress goes to standard error."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    try:
        data = labelled(options.data, options.space, options.target, options.proxies)
        counts = [int(part) for part in options.labels.split(",")]
        if max(counts) >= len(data.values):
            raise UserError("more labels than rows", value=max(counts), accepted=f"fewer than {len(data.values)}")
    except (UserError, ValueError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, UserError) else 2
    results = [measure(data, n, options) for n in counts]
    out: dict[str, object] = {
        "data": Path(options.data).name,
        "target": options.target,
        "space": data.space.name,
        "rows": len(data.values),
        "masked": data.masked,
        "judged_rows": options.test_rows or len(data.values),
        "draws": options.draws,
        "proxies": list(data.extra_names),
        "target_noise": target_noise(data),
        "labels": counts if len(counts) > 1 else counts[0],
    }
    out |= results[0] if len(results) == 1 else {"results": results, **_by_count(results)}
    print(json.dumps(out, indent=None if options.json else 2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a table: CSV, CSV.gz or nasbench101.npz")
    parser.add_argument("--space", help="name or file of its space, where the table does not tell")
    parser.add_argument("--target", required=True, help="the column to predict")
    parser.add_argument("--labels", default="78", help="numbers of labels, separated by commas")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--proxies", help="CSV of zero-cost features, matched by the column `index`")
    parser.add_argument("--members", help="members of the stack, separated by commas; default: its own choice")
    parser.add_argument("--test-rows", type=int, help="judge on so many random rows, not on all")
    parser.add_argument("--peers", default=",".join(PEERS), help="which peers to run, separated by commas; empty: none")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--json", action="store_true", help="the object on one line")
    return parser


def measure(data: Labelled, n_labels: int, options: argparse.Namespace) -> dict[str, object]:
    """All figures at one number of labels."""
    ours: list[dict[str, float]] = []
    peers: dict[str, list[dict[str, float]]] = {}
    weights: list[dict[str, float]] = []
    held: list[Vector] = []
    for number in range(options.draws):
        draw = drawn(data, n_labels, options.test_rows, options.seed + number)
        found, weight, inside = judge(data, draw, options.members)
        ours.append(found)
        weights.append(weight)
        held.append(inside)
        for name, predicted in peer_predictions(data, draw, options.peers).items():
            peers.setdefault(name, []).append(_taus(data, draw, predicted))
        line = {k: round(v, 4) for k, v in found.items()}
        others = {name: round(some[-1]["kendall_tau"], 4) for name, some in peers.items()}
        print(f"{n_labels} labels, draw {number}: {line} {others}", file=sys.stderr, flush=True)
    names = sorted({name for one in weights for name in one})
    return {
        "labels": n_labels,
        **summary(ours),
        "rmsce_of_mean_coverage": rmsce(np.mean(held, axis=0)),
        "weights": {name: float(np.mean([one.get(name, 0.0) for one in weights])) for name in names},
        "peers": {name: summary(some) for name, some in peers.items()},
    }


def drawn(data: Labelled, n_labels: int, test_rows: int | None, seed: int) -> Draw:
    """A draw; more labels with the same seed extend the fewer, and are judged on the same rows."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.values))
    judged = np.arange(len(order))
    if test_rows is not None and test_rows < len(order):
        judged = np.sort(order[-test_rows:])
    seen = order[:n_labels]
    classes = np.unique(data.classes(np.concatenate([seen, judged])), return_inverse=True)[1]
    rest = ~np.isin(classes[n_labels:], classes[:n_labels])
    return Draw(seed, seen, judged, np.unique(classes[n_labels:], return_inverse=True)[1], rest)


def judge(data: Labelled, draw: Draw, members: str | None) -> tuple[dict[str, float], dict[str, float], Vector]:
    """Our predictor on one draw: figures, the weights it chose, and the coverage of its intervals at each level."""
    chosen = tuple(members.split(",")) if members else None
    started, started_cpu = time.perf_counter(), time.process_time()
    model = StackPredictor(data.space, extra=data.extra_names, seed=draw.number, members=chosen)
    model.fit_codes(data.codes[draw.seen], data.values[draw.seen], data.extra[draw.seen], data.extra)
    fitted = time.perf_counter()
    latent = model.predict_latent(data.codes[draw.judged], data.extra[draw.judged])
    found = _taus(data, draw, model.moments_of_latent(*latent)[0])
    found["seconds_fit"], found["seconds_predict"] = fitted - started, time.perf_counter() - fitted
    found["cpu_seconds"] = time.process_time() - started_cpu
    inside = coverages(data, draw, model, latent)
    found |= {"coverage90": float(np.interp(0.9, LEVELS, inside)), "rmsce": rmsce(inside)}
    return found, model.report.weights, inside


def coverages(data: Labelled, draw: Draw, model: StackPredictor, latent: tuple[Vector, Vector]) -> Vector:
    """Share of the rest that intervals of each level hold, `(level,)`."""
    mean, std = (part[draw.rest] for part in latent)
    truth = data.values[draw.judged[draw.rest]]
    ends = [model.interval_of_latent(mean, std, float(level)) for level in LEVELS]
    return np.array([((low <= truth) & (truth <= high)).mean() for low, high in ends])


def peer_predictions(data: Labelled, draw: Draw, names: str) -> dict[str, Vector]:
    """Predictions of the peers for the judged rows, counts included."""
    codes, values = data.codes[draw.seen], data.values[draw.seen]
    # The same care as ours: a few dead networks would rule a squared error, ranks keep them in their place.
    ranked = rank_gaussian(values)
    out = {}
    for name in filter(None, names.split(",")):
        if name not in PEERS:
            raise SystemExit(f"unknown peer {name!r}; accepted: {', '.join(PEERS)}")
        out[name] = PEERS[name](data.space, codes, ranked, data.codes[draw.judged], draw.number)
    for name, column in data.counts.items():
        # Which way it points is learnt from the labels seen.
        sign = 1.0 if tau(column[draw.seen], values) >= 0 else -1.0
        out[name] = sign * column[draw.judged]
    return out


def _taus(data: Labelled, draw: Draw, predicted: Vector) -> dict[str, float]:
    truth = data.values[draw.judged]
    size = np.bincount(draw.classes)
    by_class = [np.bincount(draw.classes, weights=some) / size for some in (predicted, truth)]
    return {
        "kendall_tau": tau(predicted, truth),
        "kendall_tau_rest": tau(predicted[draw.rest], truth[draw.rest]),
        "kendall_tau_classes": tau(by_class[0].round(12), by_class[1]),
    }


def summary(draws: Sequence[Mapping[str, float]]) -> dict[str, object]:
    """Means over draws, the standard error of τ, and τ of every draw."""
    taus = np.array([one["kendall_tau"] for one in draws])
    error = float(taus.std(ddof=1) / np.sqrt(len(taus))) if len(taus) > 1 else None
    means = {name: float(np.mean([one[name] for one in draws])) for name in draws[0]}
    return {**means, "standard_error": error, "taus": [round(float(t), 5) for t in taus]}


def _by_count(results: Sequence[Mapping[str, object]]) -> dict[str, object]:
    names = (
        "kendall_tau",
        "standard_error",
        "kendall_tau_rest",
        "kendall_tau_classes",
        "coverage90",
        "rmsce",
        "rmsce_of_mean_coverage",
        "seconds_fit",
        "seconds_predict",
    )
    return {name: [one[name] for one in results] for name in names}


if __name__ == "__main__":
    sys.exit(main())
