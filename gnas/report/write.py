"""The two verbs: what a run folder says, as data and as a page."""

from __future__ import annotations

from pathlib import Path

from gnas.report.data import ReportData, summarise
from gnas.report.read import read_run

REPORT = "report.html"


def report_data(out: Path) -> ReportData:
    """All a report says of a run folder; an interrupted run gives what there is.

    Raises:
        StudyError: It is no run folder, or its files are damaged.
    """
    return summarise(read_run(out))


def write_report(out: Path) -> Path:
    """Writes `out/report.html`, one file that loads nothing from elsewhere.

    Returns:
        Its path.

    Raises:
        StudyError: It is no run folder, its files are damaged, or it cannot be written.
    """
    from gnas.report.page import render
    from gnas.runfolder import write_whole, writing

    page = render(report_data(out))
    path = out / REPORT
    with writing(path, "the study is kept"):
        write_whole(path, page)
    return path
