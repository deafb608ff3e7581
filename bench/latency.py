"""How steady latency measurements are: plain medians and minima against paired ratios, on random molecular networks.

Run `python bench/latency.py`. Every network is measured in each trial in three ways; the spread of a way is the
standard deviation over trials divided by the mean, averaged over networks, and its rank agreement is the mean of
Kendall's tau between the orders of the networks in two trials. CPU times of counting costs and of exporting are printed
too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gnas.hardware.costs import count_costs
from gnas.hardware.inputs import Example
from gnas.hardware.latency import OnnxLatencyMeter, onnx_call
from gnas.hardware.onnx import fast_onnx
from gnas.problem import default_cache
from gnas.space import load_space

RUNS = 120
Model = tuple[bytes, Example]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--trials", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = exported(options.networks)
    meter = OnnxLatencyMeter()
    ways: Mapping[str, Callable[[Model], float]] = {
        "median of times": lambda model: statistics.median(times(model)),
        "minimum of times": lambda model: min(times(model)),
        "median of paired ratios": lambda model: float(np.median(meter.ratios(*model))),
    }
    readings = {name: np.empty((options.trials, len(models))) for name in ways}
    for trial, (name, way) in itertools.product(range(options.trials), ways.items()):
        readings[name][trial] = [way(model) for model in models]
    print(
        f"\n{options.trials} trials of {len(models)} networks, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(f"{'way':26s} {'spread':>7s} {'worst':>7s} {'agreement':>10s}")
    for name, values in readings.items():
        spreads = values.std(axis=0) / values.mean(axis=0)
        print(f"{name:26s} {spreads.mean():7.1%} {spreads.max():7.1%} {agreement(values):10.3f}")
    unit = meter.reference_ms()
    latencies = np.median(readings["median of paired ratios"], axis=0) * unit
    print(f"reference {unit:.3f} ms; networks {latencies.min():.3f} to {latencies.max():.3f} ms")


def exported(n: int) -> list[Model]:
    """Random networks as ONNX, with one molecule each."""
    from gnas_molecular.domain import DOMAIN

    data = DOMAIN.data_model.model_validate({"dataset": "freesolv"})
    task = DOMAIN.task(data, metric=None, base=Path.cwd(), cache=default_cache()).sealed()
    space = load_space("molecular/default").bind(task.ops, task.inputs, task.output)
    rng = np.random.default_rng(0)
    counting, exporting, models = [], [], []
    for _ in range(n):
        network = space.build(space.sample(rng))
        counting.append(cpu_seconds(lambda network=network: count_costs(network, task.example(16), examples=16)))  # type: ignore[misc]
        start = time.process_time()
        model = fast_onnx(network, task.example(5), task.dynamic_axes(), checks=(task.example(1),))
        exporting.append(time.process_time() - start)
        models.append((model, task.example(1)))
    print(f"counting costs of 16 molecules: {1e3 * statistics.median(counting):.1f} ms (median)")
    print(f"exporting and checking: {statistics.median(exporting):.2f} s (median), {max(exporting):.2f} s (most)")
    return models


def cpu_seconds(call: Callable[[], object]) -> float:
    """Of the fastest of three calls."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def times(model: Model) -> list[float]:
    """Wall-clock seconds of single runs."""
    call = onnx_call(*model)
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def agreement(values: NDArray[np.float64]) -> float:
    """Mean Kendall tau between the rows of `(trial, network)`."""
    from scipy.stats import kendalltau

    pairs = itertools.combinations(values, 2)
    return statistics.fmean(float(kendalltau(a, b).statistic) for a, b in pairs)


if __name__ == "__main__":
    main()
