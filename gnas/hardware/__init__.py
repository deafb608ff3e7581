"""gnas.hardware."""
