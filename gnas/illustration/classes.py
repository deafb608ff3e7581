"""Figures of predicted classes: the confusion matrix, and how far probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gnas.illustration.figure import Figure
from gnas.illustration.plot import Line, Points, plot

_CELL, _LABEL, _HEAD = 46.0, 150.0, 66.0
_LONGEST = 20
_NARROWEST = 470.0
_BINS = 10


def confusion_figure(truth: ArrayLike, predicted: ArrayLike, names: Sequence[str], *, of: str = "test") -> Figure:
    """The confusion matrix: rows are true classes, columns predicted ones, shades the share of the row.

    Args:
        truth: Class of each example, `(example,)`, counted from 0.
        predicted: The predicted class of each, `(example,)`.
        names: Of the classes.
        of: Name of the part, for the title.
    """
    n = len(names)
    counts = np.zeros((n, n), dtype=np.int64)
    np.add.at(counts, (np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # NOTE: names lean out to the right of the last column, and few classes must not be drawn larger than text is.
    width, height = max(_LABEL + n * _CELL + _HEAD, _NARROWEST), _HEAD + n * _CELL + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">']
    for i, name in enumerate(names):
        y, x = _HEAD + (i + 0.5) * _CELL, _LABEL + (i + 0.5) * _CELL
        parts.append(f'<text class="tick" x="{_LABEL - 8:g}" y="{y + 4:.1f}" text-anchor="end">{_short(name)}</text>')
        turn = f"translate({x + 4:.1f} {_HEAD - 8:g}) rotate(-40)"
        parts.append(f'<text class="tick" transform="{turn}" text-anchor="start">{_short(name, 9)}</text>')
    for i in range(n):
        for j in range(n):
            x, y = _LABEL + j * _CELL, _HEAD + i * _CELL
            tip = f"{names[i]} predicted as {names[j]}: {counts[i, j]} ({share[i, j]:.0%} of {names[i]})"
            tone = 0 if i == j else 4
            ink = ' style="fill:var(--card)"' if share[i, j] > 0.5 else ""
            parts.append(
                f'<g data-tip={quoteattr(tip)}><rect class="hit" x="{x:g}" y="{y:g}" width="{_CELL:g}" '
                f'height="{_CELL:g}"/><rect class="bar tone{tone}" x="{x + 1:g}" y="{y + 1:g}" width="{_CELL - 2:g}" '
                f'height="{_CELL - 2:g}" style="fill-opacity:{0.9 * share[i, j]:.3f};stroke-opacity:0.15"/>'
                f'<text class="label"{ink} x="{x + _CELL / 2:g}" y="{y + _CELL / 2 + 4:g}" text-anchor="middle">'
                f"{counts[i, j]}</text></g>"
            )
    parts.append("</svg>")
    right = int(np.trace(counts))
    caption = f"Rows are true classes, columns predicted ones: {right} of {int(counts.sum())} are right."
    return Figure(f"Confusion matrix on {of}", "\n".join(parts), caption)


def calibration_figure(truth: ArrayLike, probability: ArrayLike, *, of: str = "test", what: str = "") -> Figure:
    """How often what is predicted with a probability is so: ten bins of equal width, against the diagonal.

    Args:
        truth: Whether it was so, `(example,)`, 0 or 1.
        probability: That it is so, `(example,)`.
        of: Name of the part, for the title.
        what: What the probability is of, for the axis.
    """
    hits = np.asarray(truth, dtype=np.float64).reshape(-1)
    chance = np.asarray(probability, dtype=np.float64).reshape(-1)
    means, shares, counts = calibration_bins(hits, chance)
    marks = (
        Line([0.0, 1.0], [0.0, 1.0], 5, "perfect"),
        Line(means, shares, 0, "model"),
        Points(
            means,
            shares,
            0,
            texts=tuple(
                f"{c} examples: predicted {m:.2f}, found {s:.2f}" for m, s, c in zip(means, shares, counts, strict=True)
            ),
        ),
    )
    label = f"predicted probability{f' of {what}' if what else ''}"
    svg = plot(marks, x_label=label, y_label="share found", x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    error = expected_calibration_error(hits, chance)
    caption = f"Expected calibration error {error:.3f} over {_BINS} bins of equal width."
    return Figure(f"Calibration on {of}", svg, caption)


def calibration_bins(
    hits: NDArray[np.float64], chance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean probability, share of hits and number of examples of each bin that holds any."""
    place = np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    held = counts > 0
    means = np.bincount(place, weights=chance, minlength=_BINS)[held] / counts[held]
    shares = np.bincount(place, weights=hits, minlength=_BINS)[held] / counts[held]
    return means, shares, counts[held]


def expected_calibration_error(hits: NDArray[np.float64], chance: NDArray[np.float64]) -> float:
    """Mean distance between probability and share of hits over ten bins of equal width, weighted by their examples.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 3, arXiv:1706.04599.
    """
    means, shares, counts = calibration_bins(hits, chance)
    return float(np.sum(counts * np.abs(means - shares)) / counts.sum()) if counts.sum() else float("nan")


def _short(name: str, most: int = _LONGEST) -> str:
    return escape(name if len(name) <= most else f"{name[: most - 1]}…")
