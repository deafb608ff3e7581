"""RunRecord: everything a report is made from, read or made up, before any judgement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gnas.evaluation import Constraint, Evaluation, Objective
from gnas.illustration import Figure
from gnas.results import RunResults

if TYPE_CHECKING:
    from gnas.space.protocol import Space


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run, finished or not.

    Attributes:
        name: As the spec names it; `folder`: where it lies.
        objective, constraints: What was asked for.
        search, random: Evaluations of the search and of random search.
        results: Final rows and facts; of an interrupted run, what there is.
        complete: Whether the run finished.
        space: The space it searched, to draw architectures and predict neighbours; None if it cannot be read.
        spec_text: The spec as given.
        remarks: What could not be read.
        figures: What the task drew of the chosen finalist's predictions.
    """

    name: str
    folder: str
    objective: Objective
    results: RunResults
    complete: bool
    constraints: tuple[Constraint, ...] = ()
    search: tuple[Evaluation, ...] = ()
    random: tuple[Evaluation, ...] = ()
    space: Space | None = None
    spec_text: str = ""
    remarks: tuple[str, ...] = field(default=())
    figures: tuple[Figure, ...] = ()
