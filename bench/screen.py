"""How fast `gnas screen` is: `python bench/screen.py [--pool 1000000] [--labels 200] [--space darts] [--json]`.

Everything the verb does from a CSV file of labels to the table of the best: reading, fit, cross-validation, sampling,
encoding, predicting, choosing. Labels are a made-up function of the graph (each op has a worth, which grows with its
depth) with noise, so that one can see how good the chosen ones really are: their mean worth stands beside quantiles of
a random sample. `--recall` screens a smaller pool twice, with a student and without, and tells how many of the
predictor's own best the student's way finds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from gnas.architecture import Architecture
from gnas.evaluation import Objective
from gnas.predictors.protocol import Vector
from gnas.predictors.warm import WarmStack
from gnas.screening.costs import CostBook
from gnas.screening.pool import SampledPool
from gnas.screening.request import Source
from gnas.screening.screen import Limits, screen
from gnas.screening.work import screen_request
from gnas.space import Codes, Space, load_space
from gnas.space.scope import text_of

NOISE = 0.3
REFERENCE = 2000


def worth(space: Space, codes: Codes, seed: int) -> Vector:
    """The made-up value of each row, `(n,)`."""
    rng = np.random.default_rng(seed)
    reference = [space.decode(row) for row in space.sample_codes(rng, 64)]
    ops = sorted({node.op for architecture in reference for node in architecture.nodes})
    value = dict(zip(ops, rng.uniform(0, 1, len(ops)).tolist(), strict=True))
    return np.array([_worth(space.decode(row), value) for row in codes])


def _worth(architecture: Architecture, value: dict[str, float]) -> float:
    depth = np.zeros(len(architecture.nodes))
    total = 0.0
    for i, node in enumerate(architecture.nodes):
        own = value.get(node.op, 0.0)
        depth[i] = max((depth[j] for j in node.inputs), default=0.0) + (own > 0.5)
        total += own * (1 + 0.1 * depth[i])
    return total


def measure(name: str, n_labels: int, pool: int, top: int, seed: int) -> dict[str, object]:
    """One screening from end to end."""
    space = load_space(name)
    rng = np.random.default_rng(seed)
    codes = space.sample_codes(rng, n_labels)
    truth = worth(space, codes, seed)
    values = truth + NOISE * truth.std() * rng.normal(size=n_labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*(choice.name for choice in space.choices), "worth"])
            for row, value in zip(codes.tolist(), values.tolist(), strict=True):
                cells = ["" if k < 0 else text_of(c.values[k]) for c, k in zip(space.choices, row, strict=True)]
                writer.writerow([*cells, value])
        source = Source(space=name, evaluations=path, metric="worth", direction="maximize")
        stages: dict[str, float] = {}
        wall, cpu = time.perf_counter(), time.process_time()
        last = [wall]

        def told(stage: str, done: int, total: int) -> None:
            now = time.perf_counter()
            stages[stage] = stages.get(stage, 0.0) + now - last[0]
            last[0] = now

        _, found = screen_request(source, pool=str(pool), top=top, where=None, predictor=None, seed=seed, told=told)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    best = np.array([space.encode(dict(c.assignment)) for c in found.top])
    random = worth(space, space.sample_codes(rng, REFERENCE), seed)
    return {
        "space": name,
        "labels": n_labels,
        "pool": found.pool.drawn,
        "screened": found.pool.distinct,
        "exact": found.pool.exact,
        "seconds": wall,
        "cpu_seconds": cpu,
        "stages": stages,
        "kendall_tau": found.honesty.predictor.tau,
        "student_kendall_tau": found.pool.student_tau,
        "worth_of_top": float(worth(space, best, seed).mean()),
        "worth_of_random": {f"{q:g}": float(np.quantile(random, q)) for q in (0.5, 0.99, 1.0)},
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def recall(name: str, n_labels: int, pool: int, top: int, seed: int) -> dict[str, object]:
    """The best of one pool with the predictor going through all of it, and with a student before it."""
    space, rng = load_space(name), np.random.default_rng(seed)
    codes = space.sample_codes(rng, n_labels)
    truth = worth(space, codes, seed)
    model = WarmStack(space).fit_codes(codes, truth + NOISE * truth.std() * rng.normal(size=n_labels))
    found, cpus = [], []
    for direct in (pool, 0):
        cpu = time.process_time()
        best, _ = screen(
            space,
            model,
            SampledPool(space, pool, seed),
            objective=Objective("worth", "maximize"),
            limits=Limits((), {}, CostBook(None)),
            seen=codes,
            best_label=float(truth.max()),
            top=top,
            seed=seed,
            direct=direct,
            workers=2,
        )
        found.append({candidate.digest for candidate in best})
        cpus.append(time.process_time() - cpu)
    return {
        "pool": pool,
        "top": top,
        "found": len(found[0] & found[1]),
        "cpu_seconds": {"predictor alone": cpus[0], "with a student": cpus[1]},
    }


def main() -> None:
    """Print the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="darts")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--pool", type=int, default=1_000_000)
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recall", type=int, default=0, metavar="N", help="also screen a pool of N twice")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.space, options.labels, options.pool, options.top, options.seed)
    if options.recall:
        found["recall"] = recall(options.space, options.labels, options.recall, options.top, options.seed)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(
            f"{key.replace('_', ' ')}: {value:,.3g}"
            if isinstance(value, float)
            else f"{key.replace('_', ' ')}: {value}"
        )


if __name__ == "__main__":
    main()
