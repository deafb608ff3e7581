"""A plot of lines and points on linear axes as SVG, in the classes of the report's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 14.0, 10.0, 42.0
_TICKS = 5
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points `(x[i], y[i])` in colour `tone` (0 to 5); values that are not finite interrupt it."""

    x: ArrayLike
    y: ArrayLike
    tone: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """Dots at `(x[i], y[i])` in colour `tone`, each with an optional text that is shown on pointing."""

    x: ArrayLike
    y: ArrayLike
    tone: int = 0
    name: str = ""
    texts: tuple[str, ...] = ()


Mark = Line | Points


def plot(
    marks: Sequence[Mark],
    *,
    x_label: str = "",
    y_label: str = "",
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    width: float = 470.0,
    height: float = 310.0,
) -> str:
    """An `<svg>` element.

    Args:
        marks: What is drawn, in order; named ones get a legend.
        x_label: Under the horizontal axis.
        y_label: Beside the vertical axis.
        x_range: Lowest and highest value shown; by default those of the marks.
        y_range: The same of the vertical axis.
        width: In pixels, as are all lengths.
        height: The same.
    """
    x_low, x_high = x_range or _range([mark.x for mark in marks])
    y_low, y_high = y_range or _range([mark.y for mark in marks])
    named = [mark for mark in marks if mark.name]
    top = _TOP + (18.0 if named else 0.0)
    right, bottom = width - _RIGHT, height - _BOTTOM

    def place(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        across = _LEFT + (x - x_low) / (x_high - x_low) * (right - _LEFT)
        return across, bottom - (y - y_low) / (y_high - y_low) * (bottom - top)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">']
    for value in ticks(y_low, y_high):
        _, (at,) = place(np.array([x_low]), np.array([value]))
        parts.append(f'<line class="grid" x1="{_LEFT:g}" x2="{right:g}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text("tick", _LEFT - 8, at + 4, f"{value:.4g}", "end"))
    for value in ticks(x_low, x_high):
        (at,), _ = place(np.array([value]), np.array([y_low]))
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom:g}" y2="{bottom + 4:g}"/>')
        parts.append(_text("tick", at, bottom + 18, f"{value:.4g}", "middle"))
    parts.append(f'<line class="axis" x1="{_LEFT:g}" x2="{right:g}" y1="{bottom:g}" y2="{bottom:g}"/>')
    parts.append(_text("label", (_LEFT + right) / 2, height - 6, x_label, "middle"))
    parts.append(_turned(13, (top + bottom) / 2, y_label))
    for mark in marks:
        across, down = place(_array(mark.x), _array(mark.y))
        parts.append(_line(mark, across, down) if isinstance(mark, Line) else _dots(mark, across, down))
    parts += _legend(named)
    return "\n".join([*(part for part in parts if part), "</svg>"])


def ticks(low: float, high: float) -> list[float]:
    """Round values between two bounds, about five."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(step for step in _STEPS if step * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _array(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64).reshape(-1)


def _range(values: Sequence[ArrayLike]) -> tuple[float, float]:
    together = np.concatenate([_array(value) for value in values]) if values else np.zeros(0)
    together = together[np.isfinite(together)]
    if not len(together):
        return 0.0, 1.0
    low, high = float(together.min()), float(together.max())
    margin = 0.04 * (high - low) or max(abs(high) * 0.1, 0.5)
    return low - margin, high + margin


def _line(mark: Line, across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    path, drawing = [], False
    for x, y in zip(across, down, strict=True):
        finite = math.isfinite(x) and math.isfinite(y)
        if finite:
            path.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        drawing = finite
    return f'<path class="line tone{mark.tone}" d="{"".join(path)}"/>' if path else ""


def _dots(mark: Points, across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    texts = mark.texts or ("",) * len(across)
    found = []
    for x, y, text in zip(across, down, texts, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            tip = f" data-tip={quoteattr(text)}" if text else ""
            found.append(f'<circle class="dot tone{mark.tone}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"{tip}/>')
    return "\n".join(found)


def _legend(named: Sequence[Mark]) -> list[str]:
    parts, x = [], _LEFT
    for mark in named:
        kind = "line" if isinstance(mark, Line) else "bar"
        parts.append(f'<path class="{kind} tone{mark.tone}" d="M{x:.1f} 11h14v2h-14z"/>')
        parts.append(_text("tick", x + 19, 16, mark.name, "start"))
        x += 34 + 6.6 * len(mark.name)
    return parts


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> str:
    if not text:
        return ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _turned(x: float, y: float, text: str) -> str:
    if not text:
        return ""
    place = f"translate({x:.1f} {y:.1f}) rotate(-90)"
    return f'<text class="label" transform="{place}" text-anchor="middle">{escape(text)}</text>'
