"""gnas.testing."""
