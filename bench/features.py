"""How fast architectures become features: `OMP_NUM_THREADS=1 python bench/features.py [--json] [SPACE ...]`.

Rates are architectures per second of one core's work, from rows of codes to the scaled columns of all blocks, median of
the rounds; sampling is not counted. Beside them the rate of the first step, the padded graphs, and what a call with few
rows takes, as a searcher makes it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np

from gnas.predictors.features import FeatureExtractor
from gnas.predictors.graphs import GraphBatch
from gnas.space import YamlSpace, load_space

SPACES = ("nasbench201", "nasbench101", "nasbenchgraph", "darts", "molecular/default")
_GRAPHS = 1024


def measure(space: YamlSpace, n: int, rounds: int) -> dict[str, float]:
    """Rates, number of columns, and milliseconds of a call with 32 rows."""
    start = time.process_time()
    extractor = FeatureExtractor.fit_space(space)
    fitted = time.process_time() - start
    codes = space.sample_codes(np.random.default_rng(1), n)
    few = [space.sample_codes(np.random.default_rng(seed), 32) for seed in range(rounds + 1)]
    extractor.features_of_codes(space, few.pop())
    return {
        "per_cpu_second": n / _cpu([lambda: extractor.features_of_codes(space, codes)] * rounds),
        "graphs_per_cpu_second": _GRAPHS / _cpu([lambda: GraphBatch.of_codes(space, codes[:_GRAPHS])] * rounds),
        "milliseconds_of_32": 1e3 * _cpu([partial(extractor.features_of_codes, space, rows) for rows in few]),
        "milliseconds_of_fit": 1e3 * fitted,
        "columns": extractor.width,
    }


def _cpu(calls: list[Callable[[], object]]) -> float:
    """Median CPU seconds."""
    taken = []
    for call in calls:
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spaces", nargs="*", default=SPACES, metavar="SPACE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-n", type=int, default=8192, help="architectures a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    before = os.getloadavg()[0]
    results = {name: measure(load_space(name), options.n, options.rounds) for name in options.spaces}
    about = {"load": [before, os.getloadavg()[0]], "numpy": version("numpy"), "python": platform.python_version()}
    if options.json:
        print(json.dumps({"features": results, "about": about}))
        return
    print(f"{'space':<20}{'columns':>8}{'a CPU second':>14}{'graphs alone':>14}{'32 rows, ms':>13}{'fit, ms':>9}")
    for name, r in results.items():
        rates = f"{r['per_cpu_second']:>14,.0f}{r['graphs_per_cpu_second']:>14,.0f}"
        print(f"{name:<20}{r['columns']:>8}{rates}{r['milliseconds_of_32']:>13.1f}{r['milliseconds_of_fit']:>9.0f}")
    print(f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
