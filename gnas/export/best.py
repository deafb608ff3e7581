"""`export_best`: a model of a run folder, with the weights the run kept or newly trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.domain import at_turn
from gnas.errors import StudyError
from gnas.export.report import FORMATS, ExportReport, Format, Origin
from gnas.results import read_results

if TYPE_CHECKING:
    from torch import nn

    from gnas.architecture import Architecture
    from gnas.domain import Task
    from gnas.numerics import Numerics
    from gnas.problem import Problem
    from gnas.results import FinalRow


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be exported.

    Attributes:
        trial: Number in the study.
        architecture: Its graph.
        seed: Seed of its training.
        weights: File of its weights; None where they were not kept.
        origin: What the export tells of it.
        refit: Whether those weights were trained on validation data too.
        turn: Which division of the learning data they were trained on.
        numerics: In which the search trained it, where there was a choice.
    """

    trial: int
    architecture: Architecture
    seed: int
    weights: Path | None
    origin: Origin
    refit: bool = False
    turn: int = 0
    numerics: Numerics | None = None


def export_best(
    problem: Problem,
    out: Path,
    trial: int | None = None,
    formats: Sequence[Format] = FORMATS,
    *,
    folder: Path | None = None,
    told: Callable[[str], None] | None = None,
) -> ExportReport:
    """Exports a model of a run.

    Args:
        problem: Of the run.
        out: The run folder.
        trial: Number of a trial of the search; by default the finalist the run chose. A trial that was no finalist
            is trained again as the search trained it: same seeds, test part sealed.
        formats: See `export_model`.
        folder: Where to write; by default `out/best`, or `out/trial-N`.
        told: Gets a line before anything that takes long.

    Raises:
        StudyError: No such trial, it failed, or the run has chosen nothing yet.
        ExportError: See `export_model`.
    """
    from gnas.export.model import export_model

    chosen = choose(problem, out, trial)
    if chosen.weights is None and told is not None:
        told(f"trial {chosen.trial} was no finalist, so its weights were not kept: training it again")
    network = restore(problem, chosen) if chosen.weights is not None else retrain(problem, chosen)
    target = folder or out / ("best" if trial is None else f"trial-{trial}")
    return export_model(network, chosen.architecture, task_of(problem, chosen), target, formats, origin=chosen.origin)


def choose(problem: Problem, out: Path, trial: int | None = None, *, seed: int | None = None) -> Chosen:
    """The model of a trial, or of the finalist the run chose, with the retraining that did best on validation.

    Args:
        problem: Of the run.
        out: The run folder.
        trial: Number of a trial of the search; by default the finalist the run chose.
        seed: Of its retraining, where that is not to be the best.

    Raises:
        StudyError: No such trial, it failed, or the run has chosen nothing yet.
    """
    from gnas.study import JOURNAL, read_evaluations

    storage = problem.spec.storage
    study = (out / JOURNAL, "search") if storage is None else (storage, f"{problem.spec.name}/search")
    evaluations = {evaluation.number: evaluation for evaluation in read_evaluations(*study)}
    rows = _rows(out)
    number = _chosen_trial(out) if trial is None else trial
    if number not in evaluations:
        last = max(evaluations, default=-1)
        raise StudyError(
            "no such trial", place=str(out), value=number, accepted=f"0 to {last}" if last >= 0 else "none yet"
        )
    evaluation = evaluations[number]
    if evaluation.status != "ok":
        raise StudyError(
            f"trial {number} is {evaluation.status}",
            place=str(out),
            value=evaluation.reason,
            remedy="choose a trial that ended well",
        )
    architecture = problem.space.decode(problem.space.encode(dict(evaluation.assignment)))
    objective, run = problem.objective, problem.spec.name
    trained = [row for row in rows if row.digest == evaluation.digest and objective.name in row.validation]
    trained = [row for row in trained if seed in (None, row.seed)]
    for row in sorted(trained, key=lambda row: -objective.sign() * row.validation[objective.name]):
        path = out / "weights" / f"{row.digest}-{row.seed}.safetensors"
        if path.is_file() and not row.reason:
            refit = problem.spec.final.refit
            notes = ("Its weights were trained on training and validation data together.",) if refit else ()
            origin = Origin(run, number, row.seed, row.validation, row.test, objective.name, notes)
            turn = row.seed - problem.spec.seed if problem.spec.final.turns else 0
            return Chosen(number, architecture, row.seed, path, origin, refit, turn)
    origin = Origin(run, number, evaluation.seed, evaluation.values, {}, objective.name)
    return Chosen(number, architecture, evaluation.seed, None, origin, numerics=evaluation.numerics)


def task_of(problem: Problem, chosen: Chosen) -> Task:
    """The task the weights were trained on: its scalers belong to them."""
    task = at_turn(problem.task, chosen.turn)
    return task.merged() if chosen.refit else task


def restore(problem: Problem, chosen: Chosen) -> nn.Module:
    """The network with the weights the run kept.

    Raises:
        StudyError: The weights are not those of this architecture.
    """
    from safetensors.torch import load_file

    network = problem.space.build(chosen.architecture)
    try:
        network.load_state_dict(load_file(str(chosen.weights)))
    except Exception as error:  # damaged files and other shapes raise several kinds
        raise StudyError(
            "the weights do not fit the architecture",
            place=str(chosen.weights),
            value=str(error).splitlines()[0],
            remedy="remove the file and export the trial by its number, which trains it again",
        ) from error
    return network.eval()


def retrain(problem: Problem, chosen: Chosen) -> nn.Module:
    """The network trained by the recipe, with the seed it had in the search, the test part sealed."""
    from gnas.evaluate.train import deterministic, train

    with deterministic(chosen.seed):
        network = problem.space.build(chosen.architecture)
    train(
        network,
        problem.task.sealed(),
        problem.recipe,
        objective=problem.objective,
        device=problem.spec.device,
        seed=chosen.seed,
        numerics=chosen.numerics,
    )
    return network.cpu().eval()


def _rows(out: Path) -> list[FinalRow]:
    from gnas.results import FinalRow

    path = out / "finals.jsonl"
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(FinalRow.from_json(line))
        except ValueError:
            # A line cut short by a crash: the run writes it anew when it continues.
            continue
    return rows


def _chosen_trial(out: Path) -> int:
    results = read_results(out)
    if results is not None:
        for row in results.finals:
            if row.name == results.chosen and row.kind == "finalist":
                return row.trial
    raise StudyError(
        "the run has not chosen a finalist yet",
        place=str(out),
        remedy="start the same gnas run again to finish it, or name a trial",
    )
