"""A model of a run: which architecture, which weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.errors import StudyError

if TYPE_CHECKING:
    from torch import nn

    from gnas.architecture import Architecture
    from gnas.evaluation import Evaluation
    from gnas.export.report import Origin
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
        origin: What the export says of it.
    """

    trial: int
    architecture: Architecture
    seed: int
    weights: Path | None
    origin: Origin


def choose(folder: Path, problem: Problem, trial: int | None) -> Chosen:
    """The model of a trial, or of the finalist the run chose, with the retraining that did best on validation.

    Raises:
        StudyError: No such trial, it failed, or the run has chosen nothing yet.
    """
    from gnas.study import read_evaluations

    evaluations = {e.number: e for e in read_evaluations(folder / "study.journal")}
    rows = _finalists(folder)
    if trial is None:
        trial = _chosen_trial(folder, rows)
    if trial not in evaluations:
        last = max(evaluations, default=-1)
        raise StudyError(
            "no such trial", place=str(folder), value=trial, accepted=f"0 to {last}" if last >= 0 else "none yet"
        )
    evaluation = evaluations[trial]
    if evaluation.status != "ok":
        raise StudyError(
            f"trial {trial} is {evaluation.status}",
            place=str(folder),
            value=evaluation.reason,
            remedy="choose a trial that ended well",
        )
    return _chosen(folder, problem, evaluation, [row for row in rows if row.digest == evaluation.digest])


def restore(problem: Problem, chosen: Chosen) -> nn.Module:
    """The network with the weights the run kept."""
    from safetensors.torch import load_file

    network = problem.space.build(chosen.architecture)
    network.load_state_dict(load_file(str(chosen.weights)))
    return network.eval()


def retrain(problem: Problem, chosen: Chosen) -> nn.Module:
    """The network trained as the search trained it: the same seeds, the same data, the test part sealed."""
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
    )
    return network.cpu().eval()


def _chosen(folder: Path, problem: Problem, evaluation: Evaluation, rows: list[FinalRow]) -> Chosen:
    from gnas.export.report import Origin

    objective = problem.objective
    architecture = problem.space.decode(problem.space.encode(dict(evaluation.assignment)))
    good = [row for row in rows if not row.reason and objective.name in row.validation]
    good.sort(key=lambda row: -objective.sign() * row.validation[objective.name])
    for row in good:
        path = folder / "weights" / f"{row.digest}-{row.seed}.safetensors"
        if path.is_file():
            origin = Origin(problem.spec.name, evaluation.number, row.seed, row.validation, row.test, objective.name)
            return Chosen(evaluation.number, architecture, row.seed, path, origin)
    origin = Origin(problem.spec.name, evaluation.number, evaluation.seed, evaluation.values, {}, objective.name)
    return Chosen(evaluation.number, architecture, evaluation.seed, None, origin)


def _chosen_trial(folder: Path, rows: list[FinalRow]) -> int:
    from gnas.cli.folder import results_of

    results = results_of(folder)
    if results is None or not results.chosen:
        raise StudyError(
            "the run has not chosen a finalist yet",
            place=str(folder),
            remedy="start the same gnas run again to finish it, or name a trial with --trial",
        )
    return next(row.trial for row in results.finals if row.name == results.chosen)


def _finalists(folder: Path) -> list[FinalRow]:
    from gnas.records import from_json
    from gnas.results import FinalRow

    path = folder / "finals.jsonl"
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(from_json(FinalRow, line))
        except ValueError:
            # A line cut short by a crash: the run writes it anew when it continues.
            continue
    return rows
