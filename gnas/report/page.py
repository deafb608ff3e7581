"""The page: report data through the templates into one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from gnas import __version__
from gnas.report import text
from gnas.report.chart import place, place_rows
from gnas.report.compare import Spread
from gnas.report.data import ReportData
from gnas.report.figures import (
    change_chart,
    comparison_chart,
    curve_chart,
    front_chart,
    importance_chart,
    progress_chart,
)

_FOLDER = files("gnas.report") / "templates"


def render(data: ReportData, *, now: datetime | None = None) -> str:
    """The whole page.

    Every string of the run is escaped; the page loads nothing, and its content policy lets only its own script run.

    Args:
        data: What it says.
        now: When it was written; the present by default.
    """
    script, style = _source("report.js"), _source("report.css")
    written = (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            figures=_figures(data),
            style=style,
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            written=written,
            version=__version__,
            text=text,
        )
    )


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


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = text.number
    environment.filters["plus_minus"] = _parts
    environment.filters["duration"] = text.duration
    environment.filters["choice_value"] = text.choice_value
    return environment


def _parts(value: Spread) -> tuple[str, str]:
    mean, _, sd = text.plus_minus(value.mean, value.sd).partition(" ± ")
    return mean, sd


def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
