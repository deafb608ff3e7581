"""Plan: all that can be known before a run: the data, the space, whether networks train, how long it will take."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from gnas.domain import AnsweringTask, DataSummary, NetworkBaseline, Task
from gnas.errors import CandidateError, GnasError, SpaceError
from gnas.feasible import Feasibility, check_feasible

if TYPE_CHECKING:
    from gnas.architecture import Architecture
    from gnas.problem import Problem

_MOST_ROWS_FOR_BASELINES = 5_000
_TIMED = 3
_TIMED_EPOCHS = 2
_TIMED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SampleCheck:
    """One sampled architecture, built and run forward and backward on one batch.

    Attributes:
        digest: Its canonical digest.
        costs: `n_params`, `macs`, `memory_bytes`.
        epoch_seconds: Seconds of one training epoch with validation; None where it was not timed.
        remark: Why it would fail in training; empty if it would not.
    """

    digest: str
    costs: Mapping[str, float]
    epoch_seconds: float | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Wall-clock seconds, each an upper estimate: early stopping makes trials shorter.

    Attributes:
        trial_seconds: One training over all epochs.
        search_seconds, random_search_seconds: The two searches, at equal cost.
        finals_seconds: Retraining finalists and the default network.
        baselines_seconds: Fitting the baselines; None where they were not timed.
        total_seconds: All of it.
    """

    trial_seconds: float
    search_seconds: float
    random_search_seconds: float
    finals_seconds: float
    baselines_seconds: float | None
    total_seconds: float


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What `gnas plan` tells.

    Attributes:
        name, domain: Of the spec.
        objective, direction: What would be optimised.
        data: Summary of the data, leaks and left-out rows included.
        space, space_size: Name and exact number of assignments.
        choices: Number of choices.
        feasibility: How the constraints cut the space.
        samples: Sampled architectures that were built and run.
        baselines: Validation metrics of the baselines that were fitted; of networks, which are only timed, none.
        estimate: How long the run would take.
        warnings: What deserves a thought before the run.
    """

    name: str
    domain: str
    objective: str
    direction: str
    data: DataSummary
    space: str
    space_size: int
    choices: int
    feasibility: Feasibility
    samples: tuple[SampleCheck, ...]
    estimate: Estimate
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def plan(problem: Problem, *, samples: int = 6, baselines: bool = True) -> PlanReport:
    """Tries everything a run would do, in small.

    Args:
        problem: What would be run. Only its sealed task is used: the test part stays locked.
        samples: Architectures built and run.
        baselines: Whether the baselines are fitted once, to be timed and to show the mark to beat.

    Raises:
        SpaceError: A sampled architecture cannot be built or run.
        SpecError: The constraints are impossible.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        feasibility = check_feasible(problem)
        checked = _check_samples(problem, samples)
        fitted = _fit_baselines(problem) if baselines else {}
    finally:
        torch.set_num_threads(threads)
    spec = problem.spec
    estimate = _estimate(problem, checked, {name: seconds for name, (_, seconds) in fitted.items()})
    return PlanReport(
        name=spec.name,
        domain=spec.domain,
        objective=problem.objective.name,
        direction=problem.objective.direction,
        data=problem.task.summary,
        space=problem.space.name,
        space_size=problem.space.count(),
        choices=len(problem.space.choices),
        feasibility=feasibility,
        samples=tuple(checked),
        estimate=estimate,
        baselines={name: metrics for name, (metrics, _) in fitted.items()},
        warnings=_warnings(problem, feasibility, checked, estimate),
    )


def _check_samples(problem: Problem, samples: int) -> list[SampleCheck]:
    rng = np.random.default_rng(problem.spec.seed)
    rows = problem.space.sample_codes(rng, samples)
    return [_check_sample(problem, problem.space.decode(row), timed=i < _TIMED) for i, row in enumerate(rows)]


def _check_sample(problem: Problem, architecture: Architecture, *, timed: bool) -> SampleCheck:
    """Builds, counts, runs one batch forward and backward, and times a few epochs; or asks a task that answers."""
    sealed = problem.task.sealed()
    if isinstance(sealed, AnsweringTask):
        try:
            sealed.answer("validation", architecture)
            return SampleCheck(architecture.digest, sealed.costs(architecture))
        except CandidateError as error:
            return SampleCheck(architecture.digest, {}, remark=str(error))
    import torch

    from gnas.evaluate.candidate import explain
    from gnas.evaluate.limits import Limits
    from gnas.evaluate.train import deterministic, train
    from gnas.evaluate.tuning import measured_numerics
    from gnas.hardware.costs import count_costs

    task, recipe = problem.task.sealed(), problem.recipe
    generator = torch.Generator().manual_seed(recipe.seed)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            network = problem.space.build(architecture)
        costs = count_costs(network, task.example(16), examples=16).as_values()
        batch = next(iter(task.batches("train", recipe.batch_size, generator=generator)))
        task.loss(network(*batch.inputs.values()), batch, recipe).backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        choices = ", ".join(f"{name}={value}" for name, value in architecture.assignment)
        raise SpaceError(
            f"a sampled architecture cannot be built and run: {explain(error)}",
            place=problem.space.name,
            value=choices,
            remedy="correct the space or the op; a run would count every such candidate as failed",
        ) from error
    if not timed:
        return SampleCheck(architecture.digest, costs)
    short = recipe.model_copy(update={"epochs": min(_TIMED_EPOCHS, recipe.epochs), "patience": None})
    started = time.perf_counter()
    try:
        device = problem.spec.device
        with deterministic(recipe.seed):
            numerics = measured_numerics(network.to(device), task, recipe, device=device)
        limits = Limits(seconds=_TIMED_SECONDS, memory_mb=problem.spec.budget.trial_memory_mb)
        fit = train(network, task, short, objective=problem.objective, device=device, limits=limits, numerics=numerics)
    except CandidateError as error:
        return SampleCheck(architecture.digest, costs, time.perf_counter() - started, str(error))
    return SampleCheck(architecture.digest, costs, fit.seconds / fit.epochs)


def _fit_baselines(problem: Problem) -> dict[str, tuple[Mapping[str, float], float]]:
    """Validation metrics and seconds of each baseline the spec wants, where the data are small enough to try."""
    sealed, wanted = problem.task.sealed(), problem.spec.final.baselines
    if sealed.size("train") > _MOST_ROWS_FOR_BASELINES:
        return {}
    fitted: dict[str, tuple[Mapping[str, float], float]] = {}
    for name, baseline in sealed.baselines.items():
        if wanted == "all" or name in wanted:
            started = time.perf_counter()
            try:
                if isinstance(baseline, NetworkBaseline):
                    fitted[name] = ({}, _training_seconds(problem, sealed, baseline))
                    continue
                metrics = baseline.evaluate(sealed, problem.spec.seed)
            except (GnasError, ValueError):
                continue
            fitted[name] = (metrics["validation"], time.perf_counter() - started)
    return fitted


def _training_seconds(problem: Problem, task: Task, baseline: NetworkBaseline) -> float:
    """What training a known network may take, by one step of it: all its epochs may take far longer than a plan."""
    from gnas.evaluate.train import deterministic
    from gnas.evaluate.tuning import plain_step_seconds

    recipe, device = problem.recipe, problem.spec.device
    with deterministic(recipe.seed):
        seconds = plain_step_seconds(baseline.network(task).to(device), task, recipe, device=device)
    return seconds * math.ceil(task.size("train") / recipe.batch_size) * recipe.epochs


def _estimate(problem: Problem, checked: list[SampleCheck], baseline_seconds: Mapping[str, float]) -> Estimate:
    spec, final = problem.spec, problem.spec.final
    budget, workers = spec.budget, spec.workers if spec.executor != "inline" else 1
    epoch = fmean([check.epoch_seconds for check in checked if check.epoch_seconds is not None] or [0.0])
    trial = min(epoch * problem.search_recipe.epochs, budget.trial_minutes * 60)
    training = min(epoch * problem.recipe.epochs, budget.trial_minutes * 60)
    search = min(
        math.inf if budget.trials is None else trial * math.ceil(budget.trials / workers),
        math.inf if budget.minutes is None else budget.minutes * 60,
        math.inf if budget.cpu_minutes is None else budget.cpu_minutes * 60 / workers,
    )
    random_search = search if final.random_search else 0.0
    networks = final.finalists * (2 if final.random_search else 1) + (1 if final.default_network else 0)
    finals = training * math.ceil(networks * final.seeds / workers)
    timed = bool(baseline_seconds) or not final.baselines
    baselines = sum(baseline_seconds.values()) * final.seeds if timed else None
    return Estimate(
        trial_seconds=trial,
        search_seconds=search,
        random_search_seconds=random_search,
        finals_seconds=finals,
        baselines_seconds=baselines,
        total_seconds=search + random_search + finals + (baselines or 0.0),
    )


def _warnings(
    problem: Problem, feasibility: Feasibility, checked: list[SampleCheck], estimate: Estimate
) -> tuple[str, ...]:
    found = list(problem.task.summary.warnings)
    if feasibility.sampled and feasibility.feasible < 0.05 * feasibility.sampled:
        found.append(
            f"the constraints leave {feasibility.feasible} of {feasibility.sampled} sampled architectures: "
            "the search will spend time to find feasible ones"
        )
    if any(constraint.name == "latency_ms" for constraint in problem.constraints):
        found.append("latency_ms is measured after a candidate is built: it cannot be checked here")
    found += [f"a sampled architecture would fail: {check.remark}" for check in checked if check.remark]
    budget = problem.spec.budget
    if budget.trials is None and budget.minutes is not None and estimate.trial_seconds:
        trials = budget.minutes * 60 / estimate.trial_seconds * problem.spec.workers
        if trials < 20:
            found.append(f"about {trials:.0f} trials fit in {budget.minutes:g} minutes: give more time or fewer epochs")
    if problem.space.count() < (budget.trials or 0):
        found.append(f"the space holds {problem.space.count()} architectures, fewer than the {budget.trials} trials")
    return tuple(found)
