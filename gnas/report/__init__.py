"""gnas.report."""
