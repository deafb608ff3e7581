"""Latency of sub-networks beside the whole model: ONNX Runtime where it can be exported, else PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gnas.auto.example import Example
from gnas.auto.flat import Flat
from gnas.errors import ExportError, MissingExtraError
from gnas.hardware.costs import evaluating
from gnas.hardware.latency import onnx_call
from gnas.hardware.onnx import fast_onnx
from gnas.hardware.pairing import Schedule, calibrate, median_interval, paired_ratios, thread_clock

_SCHEDULE = Schedule(rounds=31, seconds=2.0, warmup=2)
CAREFUL = Schedule(rounds=101, seconds=4.0, warmup=5)
"""For what is written down of a finished sub-network."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of a sub-network beside the whole model, taken in turns on one thread.

    Attributes:
        whole_ms: Milliseconds of the whole model for the example.
        share: Median of the paired ratios.
        low, high: Its 95 % interval.
        runtime: `ONNX Runtime` or `PyTorch`.
    """

    whole_ms: float
    share: float
    low: float
    high: float
    runtime: str


def latency(network: nn.Module, whole: nn.Module, example: Example, schedule: Schedule = _SCHEDULE) -> Latency:
    """Times a sub-network beside the whole model on the example; both take the same inputs."""
    clock = thread_clock()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours, theirs, runtime = _calls(network, whole, example)
        ratios = median_interval(paired_ratios(ours, theirs, clock, schedule))
        milliseconds = 1e3 * calibrate(theirs, clock, rounds=3, blocks=3)
    finally:
        torch.set_num_threads(threads)
    return Latency(milliseconds, ratios.median, ratios.low, ratios.high, runtime)


def _calls(
    network: nn.Module, whole: nn.Module, example: Example
) -> tuple[Callable[[], object], Callable[[], object], str]:
    try:
        pair = [Flat(module, example) for module in (network, whole)]
        inputs = [flat.named(example) for flat in pair]
        ours, theirs = (onnx_call(fast_onnx(f, x, {}), x) for f, x in zip(pair, inputs, strict=True))
    except (ExportError, MissingExtraError):
        return _eager(network, example), _eager(whole, example), "PyTorch"
    return ours, theirs, "ONNX Runtime"


def _eager(network: nn.Module, example: Example) -> Callable[[], object]:
    def call() -> object:
        with evaluating(network):
            return network(*example.args, **example.kwargs)

    return call
