"""Figures of predicted numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gnas.illustration.figure import Figure
from gnas.illustration.plot import Line, Points, plot

_MOST = 600


def agreement_figure(
    truth: ArrayLike, predicted: ArrayLike, *, name: str = "", unit: str = "", of: str = "test"
) -> Figure:
    """Predicted against true values with the diagonal; of many examples an even choice is drawn.

    Args:
        truth: `(example,)`, NaN where unknown.
        predicted: `(example,)`.
        name: Of what is predicted.
        unit: Of both.
        of: Name of the part, for the title.
    """
    x, y = (np.asarray(values, dtype=np.float64).reshape(-1) for values in (truth, predicted))
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    shown = np.unique(np.linspace(0, max(len(x) - 1, 0), min(len(x), _MOST)).astype(np.int64))
    both = np.concatenate([x, y]) if len(x) else np.array([0.0, 1.0])
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * (high - low) or 0.5
    bounds = (low - margin, high + margin)
    tail = f" ({unit})" if unit else ""
    svg = plot(
        (Line(bounds, bounds, 5), Points(x[shown], y[shown], 0)),
        x_label=f"true {name}".strip() + tail,
        y_label=f"predicted {name}".strip() + tail,
        x_range=bounds,
        y_range=bounds,
    )
    caption = "On the line, prediction and truth agree."
    if len(shown) < len(x):
        caption += f" {len(shown)} of {len(x)} examples are drawn, evenly chosen."
    return Figure(f"Predicted against true {name}".strip() + f" on {of}", svg, caption)
