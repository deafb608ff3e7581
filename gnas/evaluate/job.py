"""The record of one evaluation to run."""

from __future__ import annotations

from dataclasses import dataclass, field

from gnas.architecture import Architecture
from gnas.evaluate.pruning import Bars
from gnas.evaluate.recipe import Recipe
from gnas.numerics import Numerics


@dataclass(frozen=True, slots=True)
class Job:
    """One evaluation to run.

    Attributes:
        number: Position in the study.
        architecture: What to train.
        recipe: How.
        step: The `ask` it came from.
        costs: Already counted (`n_params`, …), to be kept in the evaluation's values; empty where a constraint did not
            ask for them: then the worker counts.
        numerics: Known to be fastest; None where the worker has to find out.
        bars: What it has to reach not to be pruned; None for nothing.
    """

    number: int
    architecture: Architecture
    recipe: Recipe
    step: int = 0
    costs: dict[str, float] = field(default_factory=dict)
    numerics: Numerics | None = None
    bars: Bars | None = None
