"""`report.html` of `gnas auto`: one self-contained file in the house's style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from gnas import __version__
from gnas.auto import words
from gnas.auto.analysis import Analysis
from gnas.auto.drawing import segment_svg
from gnas.auto.latency import Latency
from gnas.auto.results import Kind, Point, Results
from gnas.auto.summary import caveats, sentence
from gnas.autospace.coverage import Coverage
from gnas.report import text
from gnas.report.chart import Axis, Chart, Mark, Placed, Series, place

_MOST_ROWS = 60
_FOLDERS = (files("gnas.auto") / "templates", files("gnas.report") / "templates")


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows.

    Attributes:
        coverage: Of the space.
        sentence: The summary in one sentence.
        tone: `good` where something can be chosen, else `bad`.
        caveats: What to know beside it.
        latency: Of the smallest sub-network.
        svg: The segment graph.
        seconds: Of parsing.
        command: That made the page.
        versions: Of libraries.
        results: The smaller models; None without a task.
        charts: Of metric against cost.
        most_rows: Rows of long tables.
    """

    coverage: Coverage
    sentence: str
    tone: str
    caveats: tuple[str, ...]
    latency: Latency | None
    svg: str | None
    seconds: float
    command: str
    versions: tuple[tuple[str, str], ...]
    results: Results | None = None
    charts: tuple[Placed, ...] = ()
    most_rows: int = _MOST_ROWS


def page_of(analysis: Analysis, results: Results | None = None, *, command: str, versions: Mapping[str, str]) -> Page:
    """The page of a parsed model."""
    cover = analysis.coverage
    return Page(
        coverage=cover,
        sentence=sentence(cover),
        tone="good" if cover.count > 1 else "bad",
        caveats=caveats(cover),
        latency=analysis.latency,
        results=results,
        charts=() if results is None else charts(results),
        svg=segment_svg(analysis.space, cover),
        seconds=analysis.seconds,
        command=command,
        versions=tuple(versions.items()),
    )


def charts(results: Results) -> tuple[Placed, ...]:
    """Metric against parameters and against MACs."""
    return tuple(place(_chart(results, cost)) for cost in ("n_params", "macs"))


def _chart(results: Results, cost: str) -> Chart:
    def mark(point: Point, strong: bool) -> Mark:
        told = f"{point.name}: {results.metric} {text.number(point.score)}, {text.label(cost)} "
        return Mark(point.costs[cost], point.score, told + text.cost(cost, point.costs[cost]), strong)

    pairs = list(zip(results.points, results.on_front(cost), strict=True))
    edge = sorted((p for p, on in pairs if on), key=lambda p: p.costs[cost])
    kinds: tuple[tuple[str, Kind, int, bool], ...] = (
        ("on the way, inherited weights", "on the way", 5, False),
        ("sub-network, fine-tuned", "final", 4, True),
        ("whole model", "whole", 2, True),
    )
    series = [Series("Pareto front", "step", tuple(mark(p, False) for p in edge), 0)]
    series += [
        Series(name, "points", tuple(mark(p, strong) for p, _ in pairs if p.kind == kind), tone)
        for name, kind, tone, strong in kinds
    ]
    x = Axis(text.label(cost), log=True, form=lambda value: text.axis_cost(cost, value))
    shown = tuple(s for s in series if s.marks)
    return Chart(f"{results.metric} against {text.label(cost)}", x, Axis(results.metric, robust=True), shown)


def render(page: Page, *, now: datetime | None = None) -> str:
    """The whole page; every string of the model is escaped, nothing is loaded from elsewhere."""
    script, style = _source("report.js"), _source("report.css")
    written = (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    return (
        _environment()
        .get_template("auto.html.j2")
        .render(
            page=page,
            style=style,
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            written=written,
            version=__version__,
            text=text,
            words=words,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = text.number
    environment.filters["plus_minus"] = text.plus_minus
    environment.filters["duration"] = text.duration
    environment.filters["choice_value"] = text.choice_value
    return environment


def _source(name: str) -> str:
    folder = next(f for f in _FOLDERS if (f / name).is_file())
    return (folder / name).read_text(encoding="utf-8")
