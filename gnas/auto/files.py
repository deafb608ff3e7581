"""What `gnas auto` writes into its folder."""

from __future__ import annotations

from pathlib import Path

from gnas.auto.analysis import Analysis
from gnas.auto.page import page_of, render
from gnas.auto.results import Results
from gnas.auto.summary import as_plain
from gnas.facts import library_versions
from gnas.runfolder import write_json, write_whole, writing

REPORT, COVERAGE, DRAWING = "report.html", "coverage.json", "segments.svg"


def write_report(analysis: Analysis, results: Results | None, out: Path, *, command: str) -> tuple[Path, ...]:
    """Writes `coverage.json`, `segments.svg` (unless the graph is too large) and `report.html`; gives their paths.

    Raises:
        StudyError: The folder cannot be written.
    """
    page = page_of(analysis, results, command=command, versions=library_versions())
    with writing(out, ""):
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / COVERAGE, as_plain(analysis, results))
        if page.svg is not None:
            write_whole(out / DRAWING, page.svg)
        write_whole(out / REPORT, render(page))
    names = [COVERAGE, REPORT, *([DRAWING] if page.svg is not None else [])]
    return tuple(out / name for name in names)
