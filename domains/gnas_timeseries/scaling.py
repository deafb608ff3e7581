"""Scaled signals: by the mean and spread of the training part, or each series by its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas_timeseries.predict import scaled

Signals = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SignalScaler:
    """Scales the channels of series.

    Attributes:
        kind: `channel`, `series` or `none`.
        mean, std: `(channel,)` of the training part for `channel`; `std` is 1 for a channel that is constant there.
        mask: Whether a channel is added that tells which steps are there.
    """

    kind: str
    mean: Vector
    std: Vector
    mask: bool

    @classmethod
    def fit(cls, kind: str, values: Signals, steps: NDArray[np.int64], mask: bool) -> SignalScaler:
        """The scaler of training series `(series, channel, step)`, of which the first `steps` `(series,)` are there."""
        channels = values.shape[1]
        if kind != "channel":
            return cls(kind, np.zeros(channels), np.ones(channels), mask)
        there = (np.arange(values.shape[2]) < steps[:, None])[:, None]
        count = float(steps.sum())
        mean = np.where(there, values, 0.0).sum(axis=(0, 2), dtype=np.float64) / count
        spread = np.where(there, values - mean[:, None].astype(np.float32), 0.0)
        std = np.sqrt(np.square(spread, dtype=np.float64).sum(axis=(0, 2)) / count)
        # NOTE: a spread of rounding errors is no spread; dividing by it would blow noise up.
        flat = std <= 1e-6 * np.maximum(1.0, np.abs(mean))
        return cls(kind, mean, np.where(flat, 1.0, std), mask)

    def as_mapping(self) -> dict[str, Any]:
        """The scaler as `predict.scaled` takes it and JSON holds it."""
        return {"kind": self.kind, "mean": self.mean.tolist(), "std": self.std.tolist(), "mask": self.mask}

    def __call__(self, values: Signals, steps: NDArray[np.int64]) -> Signals:
        """Scaled series `(series, channel, step)`, zeros where steps are not there, with the mask as a last channel."""
        return scaled(values, steps, self.as_mapping())
