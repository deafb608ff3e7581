"""gnas.evaluate."""
