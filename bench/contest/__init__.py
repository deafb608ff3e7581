"""Runs of `gnas run` over seeds of a split, and tables of who was better by how much."""

from contest.runs import Contest, contenders, run_all
from contest.table import spread, summarise, tables

__all__ = ["Contest", "contenders", "run_all", "spread", "summarise", "tables"]
