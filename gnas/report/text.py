"""Numbers, units and values as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gnas.architecture import Value
from gnas.results import Intervals

_LABELS = {
    "n_params": "parameters",
    "macs": "MACs",
    "memory_bytes": "peak memory",
    "latency_ms": "latency",
}
_THOUSANDS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def number(value: float | None, *, signed: bool = False) -> str:
    """A figure with three significant digits, `0.0412`, `12.3`, `4,810`, with a true minus sign."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size and (size < 1e-4 or size >= 1e7):
        text = f"{size:.2e}"
    else:
        digits = 3 if size == 0 else max(0, min(6, 2 - math.floor(math.log10(size))))
        text = f"{size:,.{digits if size else 0}f}"
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    return sign + text


def cost(name: str, value: float | None) -> str:
    """A cost with its unit: `812 k`, `3.1 MiB`, `0.42 ms`."""
    if value is None or not math.isfinite(value):
        return "–"
    if name == "memory_bytes":
        return _scaled(value, _BYTES) or f"{value:.0f} B"
    if name.endswith("_ms"):
        return f"{number(value)} ms"
    return _scaled(value, _THOUSANDS) or number(value)


def axis_cost(name: str, value: float) -> str:
    """A cost at a tick, its unit in the axis label where it has a fixed one."""
    return f"{value:g}" if name.endswith("_ms") else cost(name, value)


def plus_minus(mean: float, sd: float | None, *, signed: bool = False) -> str:
    """`0.6302 ± 0.0029`: the spread with two significant digits, the mean to the same place."""
    if sd is None or not math.isfinite(sd) or not math.isfinite(mean):
        return number(mean, signed=signed)
    if sd == 0.0:
        return f"{number(mean, signed=signed)} ± 0"
    digits = min(6, max(0, 1 - math.floor(math.log10(sd))))
    sign = "−" if mean < 0 else "+" if signed and mean > 0 else ""
    return f"{sign}{abs(mean):,.{digits}f} ± {sd:,.{digits}f}"


def gap(mean: float, low: float | None, high: float | None) -> tuple[str, str]:
    """A difference and its interval, `−0.068` and `−0.083 to −0.054`; the interval is empty where there is none.

    All three are written with the decimals that two significant digits of the interval's width need, or one more where
    the difference would be left with a single digit.
    """
    if low is None or high is None:
        return number(mean, signed=True), ""
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return number(mean, signed=True), f"{number(low, signed=True)} to {number(high, signed=True)}"
    digits = 1 - math.floor(math.log10(width))
    if mean:
        digits = max(digits, min(digits + 1, 1 - math.floor(math.log10(abs(mean)))))
    digits = min(6, max(0, digits))
    written = [f"{'−' if v < 0 else '+'}{abs(v):,.{digits}f}" for v in (mean, low, high)]
    return written[0], f"{written[1]} to {written[2]}"


def interval_sentence(intervals: Intervals, metrics: Iterable[str]) -> str:
    """What a bootstrap gave for the exported network, metrics in their order."""
    known = [name for name in metrics if name in intervals.bounds]
    told = ", ".join("{} {} to {}".format(name, *map(number, intervals.bounds[name])) for name in known)
    groups = "" if intervals.units == intervals.examples else f" in {intervals.units} groups, drawn whole"
    return (
        f"Exported network, {100 * intervals.level:.0f} % bootstrap intervals over the {intervals.examples} test "
        f"examples{groups}: {told}."
    )


def label(name: str) -> str:
    """The readable name of a cost or metric."""
    return _LABELS.get(name, name)


def duration(seconds: float | None) -> str:
    """Seconds as `0.8 s`, `42 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(seconds: float) -> str:
    """Seconds at a tick: `0`, `45 s`, `1:30 min`, `2 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:g} s" if seconds else "0"
    if whole < 3600:
        return f"{whole // 60} min" if whole % 60 == 0 else f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600} h" if whole % 3600 == 0 else f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def choice_value(value: Value) -> str:
    """A choice's value in words."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(choice_value(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def shorten(text: str, limit: int) -> str:
    """The first line of a text, at most `limit` characters."""
    first = text.strip().splitlines()[0].strip() if text.strip() else ""
    return first if len(first) <= limit else first[: limit - 1].rstrip() + "…"


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> str:
    for size, unit in scales:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return ""
