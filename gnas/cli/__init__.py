"""The command line: one module per verb."""

from gnas.cli.app import main

__all__ = ["main"]
