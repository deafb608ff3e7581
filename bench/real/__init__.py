"""Small tasks on real data with a network each, for benches that start from a trained model."""

from collections.abc import Callable, Mapping
from pathlib import Path

from real import beats, molecules, xrays
from real.task import Task

TASKS: Mapping[str, Callable[[Path], Task]] = {"xrays": xrays.load, "beats": beats.load, "molecules": molecules.load}
"""Loaders by name; each reads a folder of data."""

__all__ = ["TASKS", "Task"]
