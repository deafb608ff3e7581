"""What a run says: the comparison table, the report's data and the self-contained HTML page."""

from gnas.report.compare import ComparisonRow, Difference, Spread, comparison_table
from gnas.report.data import ReportData, summarise
from gnas.report.read import read_run
from gnas.report.record import RunRecord
from gnas.report.write import report_data, write_report

__all__ = [
    "ComparisonRow",
    "Difference",
    "ReportData",
    "RunRecord",
    "Spread",
    "comparison_table",
    "read_run",
    "report_data",
    "summarise",
    "write_report",
]
