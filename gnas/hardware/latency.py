"""Meters: how long one forward takes on a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gnas.hardware.inputs import DynamicAxes, Example
from gnas.hardware.onnx import fast_onnx
from gnas.hardware.pairing import DEFAULT, Clock, Schedule, calibrate, median_interval, paired_ratios, thread_clock
from gnas.hardware.reference import device_name, reference_network, store_calibration, stored_calibration
from gnas.hardware.runtime import OnnxSession, to_arrays


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured quantity.

    Attributes:
        median: Best estimate.
        low, high: 95 % confidence interval.
        unit: Of the three (`ms`).
        device: What it was measured on.
        spread: Half the interquartile range of the single readings, relative to the median.
        n: Number of readings.
    """

    median: float
    low: float
    high: float
    unit: str
    device: str
    spread: float
    n: int

    def as_values(self) -> dict[str, float]:
        """As entries of `Evaluation.values`: `latency_ms` with `latency_low_ms` and `latency_high_ms`."""
        return {
            f"latency_{self.unit}": self.median,
            f"latency_low_{self.unit}": self.low,
            f"latency_high_{self.unit}": self.high,
        }


@runtime_checkable
class Meter(Protocol):
    """Measures one property of a network on a device."""

    def measure(self, network: nn.Module, example: Example, dynamic_axes: DynamicAxes) -> Measurement:
        """The property for one forward on `example` (model inputs by name)."""
        ...


class OnnxLatencyMeter:
    """Milliseconds of one forward in ONNX Runtime on one CPU thread.

    The median of paired ratios against a fixed reference network that alternates with the candidate, times the
    milliseconds of the reference. Those are calibrated once and kept in `folder`, so that the latencies of one run are
    in one unit however the machine's speed changes between resumptions; the interval is that of the ratio.

    Args:
        folder: The run folder; None calibrates once for this meter.
        schedule: How long to measure.
        clock: Seconds, monotonic; by default CPU seconds of the thread.
    """

    def __init__(self, folder: Path | None = None, *, schedule: Schedule = DEFAULT, clock: Clock | None = None) -> None:
        self._folder = folder
        self._schedule = schedule
        self._clock = clock or thread_clock()
        self._reference: Callable[[], object] | None = None
        self._milliseconds: float | None = None

    def measure(
        self, network: nn.Module, example: Example, dynamic_axes: DynamicAxes, checks: Sequence[Example] = ()
    ) -> Measurement:
        """Exports, checks and times a network.

        Args:
            network: What to measure.
            example: What one forward is timed on.
            dynamic_axes: Axes of each input that vary, with their names.
            checks: Examples of other sizes; the first is what the exporter traces, and the export must agree on all.

        Raises:
            ExportError: The network cannot be written as ONNX.
            MissingExtraError: The extra `edge` is not installed.
        """
        traced, *others = (*checks, example)
        return self.measure_onnx(fast_onnx(network, traced, dynamic_axes, checks=others), example)

    def measure_onnx(self, model: bytes, example: Example) -> Measurement:
        """Times an exported model on `example`."""
        ratios = median_interval(self.ratios(model, example))
        unit = self.reference_ms()
        return Measurement(
            ratios.median * unit, ratios.low * unit, ratios.high * unit, "ms", device_name(), ratios.spread, ratios.n
        )

    def ratios(self, model: bytes, example: Example) -> NDArray[np.float64]:
        """Paired ratios of an exported model to the reference, shape `(pair,)`."""
        return paired_ratios(onnx_call(model, example), self._call(), self._clock, self._schedule)

    def reference_ms(self) -> float:
        """Milliseconds of the reference network: stored, or calibrated now."""
        if self._milliseconds is None:
            stored = None if self._folder is None else stored_calibration(self._folder)
            if stored is None:
                stored = 1e3 * calibrate(self._call(), self._clock)
                if self._folder is not None:
                    stored = store_calibration(self._folder, stored)
            self._milliseconds = stored
        return self._milliseconds

    def _call(self) -> Callable[[], object]:
        if self._reference is None:
            network, example, axes = reference_network()
            self._reference = onnx_call(fast_onnx(network, example, axes), example)
        return self._reference


def onnx_call(model: bytes, example: Example) -> Callable[[], Any]:
    """A call that runs an exported model on `example` once."""
    session = OnnxSession(model)
    bound = session.bind(to_arrays(example))
    return lambda: session.run_bound(bound)
