"""How fast a space samples and digests architectures: `python bench/space.py [--json]`.

Three spaces of NAS-Bench-201's shape. In the first most architectures come up again and again; in the second, with 30
ops to choose from instead of 5, hardly any does, so that every one is canonicalised; the third is NAS-Bench-101. Rates
are architectures per second of wall clock, from `sample_codes` to the digests, median of the rounds; the CPU rate is
per second of one core's work.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import numpy as np

from gnas.space import YamlSpace, load_space

MANY_OPS = """
inputs: [x]
graph:
  - name: cell
    from: x
    dag: {{nodes: 3, inputs: all, edge: {{choice: [none, {ops}]}}, join: sum}}
"""


def measure(space: YamlSpace, n: int, rounds: int, workers: int) -> dict[str, float]:
    """Rates and the share of different architectures among `n` sampled ones."""
    shares = [n // workers] * workers

    def work(seed: int, share: int) -> int:
        return len(np.unique(space.digests(space.sample_codes(np.random.default_rng(seed), share))))

    work(0, 1000)
    walls, cpus = [], []
    with ThreadPoolExecutor(workers) as pool:
        for r in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            list(pool.map(work, range(r * workers + 1, (r + 1) * workers + 1), shares))
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
    rows = space.sample_codes(np.random.default_rng(0), n)
    return {
        "per_second": n / statistics.median(walls),
        "per_cpu_second": n / statistics.median(cpus),
        "different": len(np.unique(space.digests(rows))) / n,
    }


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-n", type=int, default=200_000, help="architectures a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="threads")
    options = parser.parse_args()
    many = MANY_OPS.format(ops=", ".join(f"op{k}" for k in range(29)))
    spaces = {
        "nasbench201": load_space("nasbench201"),
        "nasbench201 with 30 ops": YamlSpace("many-ops", many, "bench"),
        "nasbench101": load_space("nasbench101"),
    }
    results = {name: measure(s, options.n, options.rounds, options.workers) for name, s in spaces.items()}
    about = {"threads": options.workers, "numpy": version("numpy"), "python": platform.python_version()}
    if options.json:
        print(json.dumps({"space": results, "about": about}))
        return
    print(f"{'space':<26}{'a second':>12}{'a CPU second':>14}{'different':>11}   ({options.workers} threads)")
    for name, r in results.items():
        print(f"{name:<26}{r['per_second']:>12,.0f}{r['per_cpu_second']:>14,.0f}{r['different']:>10.1%}")


if __name__ == "__main__":
    main()
