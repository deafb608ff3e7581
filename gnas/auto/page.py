"""`report.html` of `gnas auto`: one self-contained file in the house's style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from gnas.auto import words
from gnas.auto.analysis import Analysis
from gnas.auto.drawing import segment_svg
from gnas.auto.latency import Latency
from gnas.auto.results import Kind, Point, Results
from gnas.auto.summary import caveats, sentence
from gnas.autospace.coverage import Coverage
from gnas.report import text
from gnas.report.chart import Axis, Chart, Mark, Placed, Series, place
from gnas.report.html import render_page

_MOST_ROWS = 60
_FOLDER = files("gnas.auto") / "templates"


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
    return render_page("auto.html.j2", {"page": page, "words": words}, folders=(_FOLDER,), now=now)
