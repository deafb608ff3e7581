"""The search stage: ask, check, train, record, until the budget is spent or the space is.

Step k asks with a generator seeded by (seed, k), so a proposal depends on the study and on k alone. With one worker a
run that was killed and continued therefore proposes what the straight run proposes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gnas.architecture import Architecture
from gnas.calibration import Calibration
from gnas.errors import GnasError
from gnas.evaluate.candidate import derive_seed, explain, failed_evaluation, versions
from gnas.evaluate.job import Job
from gnas.evaluate.pruning import Pruner, estimated_value
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Evaluation, Objective
from gnas.executors.protocol import Executor
from gnas.ledger import Ledger
from gnas.progress import Progress, Snapshot, Stage
from gnas.searchers.protocol import Searcher
from gnas.study import Study, exceeded

_TICK_SECONDS = 1.0
_MOST_INFEASIBLE = 500
"""Proposals in a row that a measured constraint refuses before the stage gives up."""

_FIRST_SHARE = 0.5
"""Of the budget, for known architectures: a search that has no more than they take is no search."""

Measure = Callable[[Architecture], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class StageBudget:
    """When a search stage ends: at whichever comes first; None for no limit.

    Attributes:
        trials: Trainings; infeasible proposals are not counted.
        seconds: Wall-clock seconds of the stage, summed over resumptions. Trainings in flight are finished.
        cpu_seconds: CPU seconds of trainings.
    """

    trials: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None


@dataclass(slots=True)
class SearchStage:
    """One search over one study.

    Attributes:
        name: Under which its time is counted and progress told.
        study, searcher, executor: What is searched, by whom, where trainings run.
        recipe: Of all trainings.
        seed: Of the proposals.
        budget: When it ends.
        ledger, progress: What is spent, who is told.
        measure: Measures a candidate before training (`latency_ms`); None where nothing is measured.
        reuse: Evaluations of another study by digest; one with the same seed is recorded again instead of trained
            again, at its full cost.
        first: Known good architectures: step k proposes the k-th of them, before the searcher is asked, until half of
            the budget is spent.
        calibration: What was measured of architectures, and is not measured again; None where it is not kept.
        pruner: Ends candidates that fall behind; None for none. Then nothing is reused, since what another study let
            train to its end this one may not.
    """

    name: Stage
    study: Study
    searcher: Searcher
    executor: Executor[Job, Evaluation]
    recipe: Recipe
    seed: int
    budget: StageBudget
    ledger: Ledger
    progress: Progress
    measure: Measure | None = None
    reuse: Mapping[str, Evaluation] = field(default_factory=dict)
    first: tuple[Architecture, ...] = ()
    calibration: Calibration | None = None
    pruner: Pruner | None = None
    _exhausted: bool = field(default=False, init=False)
    _refused: int = field(default=0, init=False)
    _external: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Runs the stage to the end of its budget, from wherever the study stands.

        Raises:
            StudyError: An evaluation cannot be written.
        """
        self._external = self.executor.cpu_seconds
        with self.ledger.stage(self.name):
            self.progress.stage(self.snapshot())
            while True:
                self._fill()
                if not self.study.pending:
                    break
                for evaluation in self.executor.wait(_TICK_SECONDS):
                    self._record(self._with_costs(evaluation))
                self.progress.tick(self.snapshot())

    @property
    def exhausted(self) -> bool:
        """Whether the searcher had nothing new to propose."""
        return self._exhausted

    def snapshot(self) -> Snapshot:
        """Where the stage stands."""
        history, objective = self.study.evaluations, self.study.objective
        done = trained(history)
        best = best_of(history, objective)
        seconds = self.ledger.seconds(self.name)
        return Snapshot(
            stage=self.name,
            done=done,
            total=self.budget.trials,
            seconds=seconds,
            budget_seconds=self.budget.seconds,
            eta_seconds=self._eta(done, seconds),
            best=best.values[objective.name] if best else None,
            best_number=best.number if best else -1,
            failed=sum(evaluation.status == "failed" for evaluation in history),
            pruned=sum(evaluation.status == "pruned" for evaluation in history),
            infeasible=len(history) - done,
            running=len(self.study.pending),
        )

    def _eta(self, done: int, seconds: float) -> float | None:
        estimates = []
        if self.budget.seconds is not None:
            estimates.append(self.budget.seconds - seconds)
        if self.budget.trials is not None and done:
            estimates.append((self.budget.trials - done) * seconds / done)
        if self.budget.cpu_seconds is not None and (spent := training_cost(self.study.evaluations)):
            estimates.append((self.budget.cpu_seconds / spent - 1) * seconds)
        return max(0.0, min(estimates)) if estimates else None

    def _open(self) -> bool:
        """Whether the budget allows another training to start."""
        budget, running = self.budget, len(self.study.pending)
        if self._exhausted or self._refused >= _MOST_INFEASIBLE:
            return False
        if budget.trials is not None and trained(self.study.evaluations) + running >= budget.trials:
            return False
        if budget.seconds is not None and self.ledger.seconds(self.name) >= budget.seconds:
            return False
        return budget.cpu_seconds is None or training_cost(self.study.evaluations) < budget.cpu_seconds

    def _fill(self) -> None:
        while len(self.study.pending) < self.executor.slots and self._open():
            step = self.study.next_step()
            proposal = self._propose(step)
            if proposal is None:
                self._exhausted = True
                return
            self._start(proposal, step)

    def _propose(self, step: int) -> Architecture | None:
        """What step proposes: a pure function of the study and the step; None when the space is exhausted."""
        if step < len(self.first) and not self.study.known(self.first[step].digest) and self._beginning():
            return self.first[step]
        asked = self.searcher.ask(self.study, 1, np.random.default_rng([self.seed, step]))
        return asked[0] if asked else None

    def _beginning(self) -> bool:
        """Whether less than half of every limit of the budget is spent."""
        budget, history = self.budget, self.study.evaluations
        spent = (
            (trained(history) + len(self.study.pending), budget.trials),
            (self.ledger.seconds(self.name), budget.seconds),
            (training_cost(history), budget.cpu_seconds),
        )
        return all(limit is None or value < _FIRST_SHARE * limit for value, limit in spent)

    def _start(self, architecture: Architecture, step: int) -> None:
        study, digest = self.study, architecture.digest
        if study.known(digest):
            raise GnasError(f"{type(self.searcher).__name__} proposed {digest} a second time")
        reason = study.infeasible(architecture)
        # What no constraint and no measurement needs now is counted on the network that the worker builds anyway.
        costs = study.counted(architecture) if self.measure is None else study.costs(architecture)
        numerics = None if self.calibration is None else self.calibration.find(digest)
        bars = None if self.pruner is None else self.pruner.bars(study.evaluations, step)
        job = Job(len(study.evaluations), architecture, self.recipe, step, costs, numerics, bars)
        if reason:
            self._record(_infeasible(job, reason))
            return
        before = self.reuse.get(digest)
        if (
            before is not None
            and self.pruner is None
            and before.seed == derive_seed(self.recipe.seed, digest)
            and before.status != "infeasible"
        ):
            self._record(replace(before, step=step))
            return
        if self.measure is not None:
            try:
                job = replace(job, costs={**job.costs, **self.measure(architecture)})
            except Exception as error:
                self._record(failed_evaluation(job, explain(error)))
                return
            if reason := exceeded(job.costs, study.constraints):
                self._record(_infeasible(job, reason))
                return
        study.begin(architecture, step)
        self.executor.submit(job)
        self.progress.started(f"trial {job.number}", self.snapshot())

    def _with_costs(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation with the costs that a worker counts but could not tell because it died."""
        if evaluation.status != "failed" or evaluation.values:
            return evaluation
        architecture = next(a for a in self.study.pending if a.digest == evaluation.digest)
        return replace(evaluation, values=self.study.costs(architecture))

    def _record(self, evaluation: Evaluation) -> None:
        if evaluation.status == "pruned":
            estimate = estimated_value(evaluation, self.study.evaluations, self.study.objective)
            evaluation = replace(evaluation, estimate=estimate)
        recorded = self.study.record(evaluation)
        if self.calibration is not None:
            self.calibration.add(recorded)
        self._refused = self._refused + 1 if recorded.status == "infeasible" else 0
        external = self.executor.cpu_seconds
        self.ledger.add_cpu_seconds(external - self._external)
        self._external = external
        self.ledger.save()
        self.progress.evaluated(recorded, self.snapshot())


def trained(evaluations: Sequence[Evaluation]) -> int:
    """How many were trained or tried: all but the infeasible ones."""
    return sum(evaluation.status != "infeasible" for evaluation in evaluations)


def training_cost(evaluations: Sequence[Evaluation]) -> float:
    """CPU seconds of all trainings, failed ones included."""
    return math.fsum(evaluation.cpu_seconds for evaluation in evaluations)


def ranked(evaluations: Sequence[Evaluation], objective: Objective) -> list[Evaluation]:
    """The `ok` ones, best validation value first; ties in the order they were made."""
    usable = [e for e in evaluations if e.status == "ok" and math.isfinite(e.values.get(objective.name, math.nan))]
    return sorted(usable, key=lambda e: (-objective.sign() * e.values[objective.name], e.number))


def best_of(evaluations: Sequence[Evaluation], objective: Objective) -> Evaluation | None:
    """The best `ok` evaluation on validation."""
    order = ranked(evaluations, objective)
    return order[0] if order else None


def _infeasible(job: Job, reason: str) -> Evaluation:
    return Evaluation(
        number=job.number,
        digest=job.architecture.digest,
        assignment=job.architecture.assignment,
        status="infeasible",
        values=dict(job.costs),
        reason=reason,
        versions=versions(),
        step=job.step,
    )
