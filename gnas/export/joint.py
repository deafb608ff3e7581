"""`export_ensemble`: the finalists of a run as one network that returns the mean of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.errors import ExportError, StudyError
from gnas.export.best import choose, restore, task_of
from gnas.export.report import FORMATS, ExportReport, Format, Origin
from gnas.results import read_results

if TYPE_CHECKING:
    from gnas.problem import Problem
    from gnas.results import FinalRow, RunResults


def export_ensemble(
    problem: Problem, out: Path, formats: Sequence[Format] = FORMATS, *, folder: Path | None = None
) -> ExportReport:
    """Exports the ensemble of a run's finalists, with the weights of the retraining seed that did best on validation.

    Args:
        problem: Of the run.
        out: The run folder.
        formats: See `export_model`.
        folder: Where to write; by default `out/ensemble`.

    Raises:
        StudyError: The run has not ended, has no ensemble, or lacks the weights of a member.
        ExportError: See `export_model`; or a member was not built from an architecture.
    """
    from gnas.build import Network
    from gnas.ensemble import ensemble
    from gnas.export.model import export_model

    results = read_results(out)
    if results is None:
        raise StudyError("the run has not ended", place=str(out), remedy="start the same gnas run again to finish it")
    row = _best(results, problem)
    if row is None:
        raise StudyError(
            "the run has no ensemble",
            place=str(out),
            remedy="an ensemble needs two finalists that were retrained: see final.finalists, and the notes of the run",
        )
    rows = [held for held in results.finals if held.kind == "finalist" and held.seed == row.seed and not held.reason]
    chosen = [choose(problem, out, held.trial, seed=row.seed) for held in rows]
    missing = [held.trial for held in chosen if held.weights is None]
    if missing:
        raise StudyError("the weights of a member are gone", place=str(out / "weights"), value=f"trial {missing[0]}")
    networks = [restore(problem, held) for held in chosen]
    task = task_of(problem, chosen[0])
    members = [network for network in networks if isinstance(network, Network)]
    if len(members) < len(networks):
        raise ExportError("only networks built from an architecture are exported", value=type(networks[0]).__name__)
    network = ensemble(members, task)
    note = f"It returns the mean of the outputs of {len(rows)} networks, those of trials "
    note += ", ".join(str(held.trial) for held in rows) + "."
    notes = (note, *chosen[0].origin.notes)
    origin = Origin(problem.spec.name, -1, row.seed, row.validation, row.test, problem.objective.name, notes)
    return export_model(network, network.architecture, task, folder or out / "ensemble", formats, origin=origin)


def _best(results: RunResults, problem: Problem) -> FinalRow | None:
    """The ensemble of the retraining seed that did best on validation."""
    name, sign = problem.objective.name, problem.objective.sign()
    rows = [row for row in results.finals if row.kind == "ensemble" and name in row.validation]
    return max(rows, key=lambda row: sign * row.validation[name], default=None)
