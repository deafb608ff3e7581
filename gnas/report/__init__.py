"""What a run says: the comparison table, the report's data and the self-contained HTML page."""

from gnas.report.compare import ComparisonRow, Difference, Spread, comparison_table

__all__ = ["ComparisonRow", "Difference", "Spread", "comparison_table"]
