"""Small tasks on real data with a network each, for benches that start from a trained model."""

from collections.abc import Callable, Mapping
from pathlib import Path

from real import beats, molecules, supernets, xrays
from real.task import Task

TASKS: Mapping[str, Callable[[Path], Task]] = {"xrays": xrays.load, "beats": beats.load, "molecules": molecules.load}
"""Loaders by name; each reads a folder of data."""
SUPERNETS: Mapping[str, Callable[[Path], Task]] = {
    "unets": supernets.unets,
    "demo": supernets.demo,
    "cells": supernets.cells,
}
"""The same of the networks of ASGNAS's demonstrations."""

__all__ = ["SUPERNETS", "TASKS", "Task"]
