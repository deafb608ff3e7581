"""gnas.executors."""
