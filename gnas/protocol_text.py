"""The protocol of a run in words, for the report: what was split, seen, chosen and compared, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gnas.domain import AnsweringTask
from gnas.finals import choose
from gnas.results import FinalRow
from gnas.search_stage import trained, training_cost

if TYPE_CHECKING:
    from gnas.problem import Problem
    from gnas.study import Study


def protocol_facts(problem: Problem, search: Study, random: Study, rows: Sequence[FinalRow]) -> dict[str, str]:
    """Facts by name, in the order to show them."""
    spec, objective, task = problem.spec, problem.objective, problem.task
    seeds = range(spec.seed, spec.seed + spec.final.seeds)
    parts = ", ".join(f"{part} {size:,}" for part, size in task.summary.parts.items())
    facts = {
        "parts": parts,
        **task.summary.facts,
        "objective": f"{objective.name}, {objective.direction}d on validation",
        "space": f"{problem.space.name}, {problem.space.count():,} assignments",
        "algorithm": f"{spec.search.algorithm}, seed {spec.seed}",
        "what the search saw": "training and validation parts only; the searcher, the executors and their workers held "
        "a task from which the test part had been removed",
        "search": _cost(search),
        "start": _start(problem),
        "epochs": f"at most {problem.search_recipe.epochs} while searching, {problem.recipe.epochs} for finalists",
    }
    if spec.final.random_search:
        facts["random search at equal cost"] = f"{_cost(random)}; {_rule(search, spec.budget.trials)}"
    facts["finalists"] = (
        f"the {spec.final.finalists} best of the search on validation, and likewise of random search, each retrained "
        f"from scratch with seeds {', '.join(map(str, seeds))}"
    )
    facts["choice"] = (
        "the single network compared and exported is the finalist with the best mean validation value over the "
        "retrainings; the test part has no say"
    )
    if spec.final.turns:
        facts["turns"] = (
            "each retraining seed validated on another part of the learning data, the first on the one the search had; "
            "so did the baselines"
        )
    if isinstance(task, AnsweringTask):
        return facts | _answered(spec.final.finalists)
    rival = choose(rows, "random_search", objective)
    if rival:
        facts["choice of random search"] = f"{rival}, by the same rule"
    facts["test part"] = "read once for each final row, after everything was chosen" + (
        "; networks were retrained on training and validation data for the number of epochs that validation chose, and "
        "so were baselines"
        if spec.final.refit
        else ""
    )
    facts["ensembles"] = "the mean of the finalists' outputs, for each retraining seed"
    return facts


def _answered(finalists: int) -> dict[str, str]:
    """What differs where the task answers instead of training."""
    return {
        "start": "both searches began alike",
        "epochs": "none: nothing was trained, the task knew each answer",
        "finalists": f"the {finalists} best of the search on validation, and likewise of random search",
        "choice": "the single architecture compared is the best on validation; the test part has no say",
        "test part": "read once for each final row, after everything was chosen",
        "export": "none: the task answers without training, so there are no weights",
    }


def _start(problem: Problem) -> str:
    if problem.spec.search.start == "none":
        return "the search began with no known network"
    return "the search began with the known networks of the field that its space has; random search did not"


def _cost(study: Study) -> str:
    told = f"{trained(study.evaluations):,} trainings, {training_cost(study.evaluations):,.0f} CPU seconds"
    for status in ("pruned", "failed"):
        count = sum(evaluation.status == status for evaluation in study.evaluations)
        told += f", {count} {status}" if count else ""
    return told


def _rule(search: Study, trials: int | None) -> str:
    if trials is not None and trained(search.evaluations) >= trials:
        return "equal means as many trainings"
    return "equal means as many CPU seconds of training"
