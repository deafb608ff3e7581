"""Axes: limits, round ticks, linear and logarithmic positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["number", "bytes", "seconds"]

_RELATIVE, _TINY = 1e-9, 1e-200
"""Spans below these are no span: their ticks could not be told apart."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_CLOCK = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A map from values to the unit interval.

    Attributes:
        low, high: Limits, `low < high`.
        log: Whether it is logarithmic (both limits positive).
        unit: What is round: tenths, powers of two of bytes, or times of the clock.
    """

    low: float
    high: float
    log: bool = False
    unit: Unit = "number"

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
        if self.log:
            return (
                _powers_of_two(self.low, self.high, most) if self.unit == "bytes" else _tens(self.low, self.high, most)
            )
        step = self._step(most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        digits = 6 - math.floor(math.log10(step))
        return [round(i * step, digits) + 0.0 for i in range(first, last + 1)]

    def decimals(self, most: int = 6) -> int:
        """Decimals that tell linear ticks apart."""
        step = self._step(most)
        return next((d for d in range(9) if abs(round(step, d) - step) < 1e-6 * step), 9)

    def _step(self, most: int) -> float:
        raw = (self.high - self.low) / most
        if self.unit == "seconds" and 1.0 <= raw <= _CLOCK[-1]:
            return next(step for step in _CLOCK if step >= raw)
        if self.unit == "bytes" and raw >= 1.0:
            return float(2 ** math.ceil(math.log2(raw)))
        power = 10.0 ** math.floor(math.log10(raw))
        return next(s * power for s in _STEPS if s * power >= raw * (1 - 1e-9))


def fit(
    values: Sequence[float], *, log: bool = False, zero: bool = False, robust: bool = False, unit: Unit = "number"
) -> Scale:
    """A scale around finite values with a little room.

    Args:
        values: What must fit; others than finite ones are ignored.
        log: Logarithmic where every value is positive and they span a factor of three or more (and of no absurd size).
        zero: Whether zero must be on it.
        robust: Whether far outliers (three interquartile ranges beyond the quartiles) may be left off.
        unit: What ticks are round in.
    """
    finite = np.array([v for v in values if math.isfinite(v)], dtype=np.float64)
    if finite.size == 0:
        return Scale(0.0, 1.0, unit=unit)
    if robust and finite.size >= 8:
        lower, upper = np.percentile(finite, [25, 75])
        room = 3.0 * (upper - lower)
        if room > 0:
            finite = finite[(finite >= lower - room) & (finite <= upper + room)]
    low, high = float(finite.min()), float(finite.max())
    if log and low > _TINY and high < 1.0 / _TINY and 3.0 <= high / low < 1.0 / _TINY:
        margin = (high / low) ** 0.04
        return Scale(low / margin, high * margin, log=True, unit=unit)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    size = max(abs(low), abs(high))
    if high - low <= max(_RELATIVE * size, _TINY):
        room = size * 0.1 if size > _TINY else 1.0
        return Scale(low - room, high + room, unit=unit)
    margin = 0.04 * (high - low)
    return Scale(
        low if zero and low == 0.0 else low - margin,
        high if zero and high == 0.0 else high + margin,
        unit=unit,
    )


def _tens(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for mantissas in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**d for d in decades for m in mantissas if low <= m * 10.0**d <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def _powers_of_two(low: float, high: float, most: int) -> list[float]:
    ticks = [2.0**p for p in range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)]
    return ticks[:: max(1, math.ceil(len(ticks) / most))]
