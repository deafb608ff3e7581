"""gnas.searchers."""
