"""Charts as records, and their layout in pixels; `templates/chart.svg.j2` and `rows.svg.j2` draw them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gnas.report.scale import Scale, Unit, fit

Shape = Literal["points", "line", "step"]
Format = Callable[[float], str]

_WIDTH, _HEIGHT, _ROWS_WIDTH = 470.0, 310.0, 660.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 12.0, 46.0
_ROW, _ROWS_TOP, _ROWS_BOTTOM = 24.0, 6.0, 40.0
_CHARACTER = 6.6
"""Width of a character of the label font, about."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A datum with the text shown when it is pointed at. `strong` marks are drawn larger."""

    x: float
    y: float
    text: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Marks under one name and colour (`tone`, 0 to 5)."""

    name: str
    shape: Shape
    marks: tuple[Mark, ...]
    tone: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis.

    Attributes:
        label: What it shows.
        log, zero, robust, unit: See `gnas.report.scale.fit`.
        form: How ticks are written; None for plain figures with as many decimals as tell them apart.
    """

    label: str
    log: bool = False
    zero: bool = False
    robust: bool = False
    unit: Unit = "number"
    form: Format | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """An x–y chart."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a row chart: a bar from zero, or a dot with its interval where `low` and `high` are given."""

    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    tone: int = 0


@dataclass(frozen=True, slots=True)
class RowChart:
    """Horizontal bars or intervals with names at the left."""

    title: str
    axis: Axis
    rows: tuple[Row, ...]
    bars: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A placed mark; `off` where it lies beyond the axis and is drawn at the edge."""

    x: float
    y: float
    text: str
    strong: bool
    off: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """A placed series: an SVG path (empty for points) and its dots."""

    name: str
    tone: int
    path: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A placed tick."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A chart in pixels."""

    title: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    traces: tuple[Trace, ...]
    off: int
    empty: bool


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A placed row: centre, label, and the value, interval and zero in pixels."""

    y: float
    label: str
    text: str
    value: float
    low: float | None
    high: float | None
    tone: int


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """A row chart in pixels."""

    title: str
    width: float
    height: float
    left: float
    right: float
    bottom: float
    x_label: str
    x_ticks: tuple[Tick, ...]
    zero: float | None
    rows: tuple[PlacedRow, ...]
    bars: bool


def place(chart: Chart) -> Placed:
    """The layout of an x–y chart."""
    marks = [mark for series in chart.series for mark in series.marks if _finite(mark)]
    xs = fit([m.x for m in marks], log=chart.x.log, zero=chart.x.zero, robust=chart.x.robust, unit=chart.x.unit)
    ys = fit([m.y for m in marks], log=chart.y.log, zero=chart.y.zero, robust=chart.y.robust, unit=chart.y.unit)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + xs.place(x) * (right - _LEFT), bottom - ys.place(y) * (bottom - _TOP)

    traces = tuple(_trace(series, at, xs, ys) for series in chart.series)
    return Placed(
        title=chart.title,
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        top=_TOP,
        bottom=bottom,
        x_label=chart.x.label,
        y_label=chart.y.label,
        x_ticks=_ticks(chart.x, xs, 5, lambda v: at(v, ys.low)[0]),
        y_ticks=_ticks(chart.y, ys, 5, lambda v: at(xs.low, v)[1]),
        traces=traces,
        off=sum(dot.off for trace in traces for dot in trace.dots),
        empty=not marks,
    )


def place_rows(chart: RowChart) -> PlacedRows:
    """The layout of a row chart."""
    ends = [end for row in chart.rows for end in (row.value, row.low, row.high) if end is not None]
    scale = fit(ends, zero=chart.bars or chart.axis.zero)
    longest = max((len(row.label) for row in chart.rows), default=0)
    left, right = min(290.0, 16.0 + _CHARACTER * longest), _ROWS_WIDTH - 1.6 * _RIGHT
    bottom = _ROWS_TOP + _ROW * len(chart.rows)

    def at(value: float) -> float:
        return left + scale.place(value) * (right - left)

    rows = tuple(
        PlacedRow(
            _ROWS_TOP + _ROW * (i + 0.5),
            row.label,
            row.text,
            at(row.value),
            None if row.low is None else at(row.low),
            None if row.high is None else at(row.high),
            row.tone,
        )
        for i, row in enumerate(chart.rows)
    )
    ticks = _ticks(chart.axis, scale, 6, at)
    zero = at(0.0) if scale.holds(0.0) else None
    height = bottom + _ROWS_BOTTOM
    return PlacedRows(
        chart.title, _ROWS_WIDTH, height, left, right, bottom, chart.axis.label, ticks, zero, rows, chart.bars
    )


def _ticks(axis: Axis, scale: Scale, most: int, at: Callable[[float], float]) -> tuple[Tick, ...]:
    values = scale.ticks(most)
    if axis.form is not None:
        return tuple(Tick(at(v), axis.form(v)) for v in values)
    digits = scale.decimals(most)
    written = [f"{v:g}" if scale.log else f"{v:,.{digits}f}" for v in values]
    return tuple(Tick(at(v), text.replace("-", "−")) for v, text in zip(values, written, strict=True))


def _finite(mark: Mark) -> bool:
    return math.isfinite(mark.x) and math.isfinite(mark.y)


def _trace(series: Series, at: Callable[[float, float], tuple[float, float]], xs: Scale, ys: Scale) -> Trace:
    marks = [mark for mark in series.marks if _finite(mark)]
    spots = [at(mark.x, mark.y) for mark in marks]
    path = _path(spots, step=series.shape == "step") if series.shape != "points" and len(spots) > 1 else ""
    dots = tuple(
        Dot(x, y, mark.text, mark.strong, not (xs.holds(mark.x) and ys.holds(mark.y)))
        for mark, (x, y) in zip(marks, spots, strict=True)
        if series.shape == "points" or mark.text
    )
    return Trace(series.name, series.tone, path, dots)


def _path(spots: Sequence[tuple[float, float]], *, step: bool) -> str:
    parts = [f"M{spots[0][0]:.1f} {spots[0][1]:.1f}"]
    for x, y in spots[1:]:
        parts.append(f"H{x:.1f}V{y:.1f}" if step else f"L{x:.1f} {y:.1f}")
    return "".join(parts)
