"""The page: report data through the templates into one self-contained HTML file."""

from __future__ import annotations

from datetime import datetime

from gnas.report.chart import place, place_rows
from gnas.report.data import ReportData
from gnas.report.figures import (
    change_chart,
    comparison_chart,
    curve_chart,
    front_chart,
    importance_chart,
    progress_chart,
)
from gnas.report.html import render_page


def render(data: ReportData, *, now: datetime | None = None) -> str:
    """The whole page.

    Every string of the run is escaped; the page loads nothing, and its content policy lets only its own script run.

    Args:
        data: What it says.
        now: When it was written; the present by default.
    """
    return render_page("page.html.j2", {"data": data, "figures": _figures(data)}, now=now)


def _figures(data: ReportData) -> dict[str, object]:
    ablation = data.ablation
    measured = ablation.measured if ablation else ()
    predicted = ablation.predicted if ablation else ()
    return {
        "trials": place(progress_chart(data, by_seconds=False)),
        "seconds": place(progress_chart(data, by_seconds=True)),
        "fronts": [place(front_chart(front, data)) for front in data.fronts],
        "comparison": place_rows(comparison_chart(data.comparison, data.objective)),
        "importance": place_rows(importance_chart(data.importances)),
        "measured": place_rows(change_chart(measured, data.objective, title="Measured changes of the winner")),
        "predicted": place_rows(change_chart(predicted, data.objective, title="Predicted changes of the winner")),
        "curves": place(curve_chart(data.portraits, data.objective)),
    }
