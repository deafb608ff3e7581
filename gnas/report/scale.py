"""Axes: limits, round ticks, linear and logarithmic positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A map from values to the unit interval.

    Attributes:
        low, high: Limits, `low < high`.
        log: Whether it is logarithmic (both limits positive).
    """

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Position of a value, clipped to 0…1."""
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def holds(self, value: float) -> bool:
        """Whether a value lies within the limits."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 6) -> list[float]:
        """Round values within the limits."""
        return _log_ticks(self.low, self.high, most) if self.log else _linear_ticks(self.low, self.high, most)


def fit(values: Sequence[float], *, log: bool = False, zero: bool = False, robust: bool = False) -> Scale:
    """A scale around finite values with a little room.

    Args:
        values: What must fit; others than finite ones are ignored.
        log: Logarithmic where every value is positive and they span a factor of three or more.
        zero: Whether zero must be on it.
        robust: Whether far outliers (three interquartile ranges beyond the quartiles) may be left off.
    """
    finite = np.array([v for v in values if math.isfinite(v)], dtype=np.float64)
    if finite.size == 0:
        return Scale(0.0, 1.0)
    if robust and finite.size >= 8:
        lower, upper = np.percentile(finite, [25, 75])
        room = 3.0 * (upper - lower)
        if room > 0:
            finite = finite[(finite >= lower - room) & (finite <= upper + room)]
    low, high = float(finite.min()), float(finite.max())
    if log and low > 0 and high / low >= 3.0:
        margin = (high / low) ** 0.04
        return Scale(low / margin, high * margin, log=True)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return Scale(low - room, high + room)
    margin = 0.04 * (high - low)
    return Scale(
        low if zero and low == 0.0 else low - margin,
        high if zero and high == 0.0 else high + margin,
    )


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in _STEPS if s * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**d for d in decades for m in mantissas if low <= m * 10.0**d <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]
