"""Figures of the chosen finalist's predictions, drawn by the task and kept in the run folder for the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gnas.domain import IllustratedTask
from gnas.export.outputs import tested
from gnas.illustration import FIGURES, figures_json
from gnas.runfolder import write_json, writing

if TYPE_CHECKING:
    from gnas.problem import Problem


def illustrate(problem: Problem, out: Path) -> int:
    """Has the task draw the test outputs of the retraining that is exported, and writes `out/figures.json`.

    The outputs are those that the final comparison kept: the test part is not predicted anew.

    Returns:
        The number of figures; 0 where the task draws none.

    Raises:
        StudyError: The run has chosen nothing yet, or the file cannot be written.
    """
    if not isinstance(problem.task, IllustratedTask) or (found := tested(problem, out)) is None:
        return 0
    task, outputs = found
    if not isinstance(task, IllustratedTask):
        return 0
    figures = tuple(task.figures("test", outputs))
    with writing(out / FIGURES, "the results are kept"):
        write_json(out / FIGURES, figures_json(figures))
    return len(figures)
