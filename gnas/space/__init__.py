"""gnas.space."""
