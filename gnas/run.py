"""A whole run: search, random search at equal cost, final comparison, export, report. Started again, it continues."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.calibration import Calibration
from gnas.domain import AnsweringTask, ResamplingTask
from gnas.entrants import best_of_study, default_network, with_latency
from gnas.errors import SpecError, StudyError, UserError
from gnas.evaluate.candidate import CandidateWork, explain
from gnas.evaluate.final import FinalWork
from gnas.evaluate.job import Job
from gnas.evaluate.limits import Limits
from gnas.evaluate.pruning import make_pruner
from gnas.evaluation import Evaluation
from gnas.executors import Executor, make_executor
from gnas.facts import library_versions, study_facts
from gnas.finals import FinalsFile, FinalStage, choose
from gnas.hardware.counter import CostCounter
from gnas.ledger import LEDGER, Ledger
from gnas.meters import cost_counter, latency_measure
from gnas.progress import Progress, SilentProgress, Snapshot
from gnas.protocol_text import protocol_facts
from gnas.results import RESULTS, FinalRow, Intervals, RunResults
from gnas.runfolder import RunLock, write_bytes, write_json, write_whole, writing
from gnas.search_stage import SearchStage, StageBudget, ranked, trained, training_cost
from gnas.searchers import make_searcher
from gnas.starts import starting_architectures
from gnas.study import JOURNAL, Study, open_storage

if TYPE_CHECKING:
    from gnas.domain import Task
    from gnas.problem import Problem
    from gnas.space.protocol import Space

_FINAL_MINUTES = 30.0
_FINAL_MEMORY = 3


def run(
    problem: Problem,
    out: Path,
    *,
    workers: int | None = None,
    executor: str | None = None,
    progress: Progress | None = None,
) -> RunResults:
    """Runs a problem in a folder, or continues the run that the folder holds.

    Args:
        problem: What to solve.
        out: The run folder.
        workers: Jobs in flight; by default what the spec says.
        executor: `inline`, `processes` or `ray`; by default what the spec says.
        progress: Who is told.

    Raises:
        StudyError: The folder cannot be written, is in use, or holds a study of another spec; or no candidate could be
            trained. Everything evaluated is kept.
        SpecError: No architecture of the space keeps the constraints.
    """
    with RunLock(out):
        spec = problem.spec
        # What is known already is not worth a worker.
        answers = isinstance(problem.task, AnsweringTask)
        return _Run(
            problem,
            out,
            1 if answers else workers or spec.workers,
            "inline" if answers else executor or spec.executor,
            progress or SilentProgress(),
            Ledger(out / LEDGER),
        ).run()


@dataclass(slots=True)
class _Run:
    problem: Problem
    out: Path
    workers: int
    executor: str
    progress: Progress
    ledger: Ledger
    notes: list[str] = field(default_factory=list)

    def run(self) -> RunResults:
        search, random = self._open_studies()
        self._copy_spec()
        executor = self._search_executor()
        try:
            file = self._finals_file()
            calibration = Calibration(self.out, (*search.evaluations, *random.evaluations, *file.rows))
            self._search(search, random, executor, calibration)
            self._require_success(search)
            with self.ledger.stage("finals"):
                rows = self._finals(search, random, executor, file, calibration)
        finally:
            executor.close()
        results = self._results(search, random, rows)
        self._write(results)
        results = self._take_away(results)
        self._report()
        return results

    # What the searcher sees.

    def _open_studies(self) -> tuple[Study, Study]:
        spec = self.problem.spec
        place = spec.storage if spec.storage is not None else self.out / JOURNAL
        storage, note = open_storage(place)
        if note:
            self._note(note)
        prefix = f"{spec.name}/" if spec.storage is not None else ""

        def study(name: str, algorithm: str) -> Study:
            return Study(
                self.problem.space,
                self.problem.objective,
                self.problem.constraints,
                storage=storage,
                name=prefix + name,
                facts=study_facts(self.problem, algorithm=algorithm),
                costs=cost_counter(self.problem.space, self.problem.task.sealed()),
                place=self.out if spec.storage is None else str(place),
            )

        return study("search", spec.search.algorithm), study("random", "random")

    def _search_executor(self) -> Executor[Job, Evaluation]:
        spec = self.problem.spec
        limits = Limits(seconds=spec.budget.trial_minutes * 60, memory_mb=spec.budget.trial_memory_mb)
        task = self.problem.task.sealed()
        work = CandidateWork(self.problem.space, task, self.problem.objective, spec.device, limits, CostCounter(task))
        return make_executor(self.executor, work, workers=self.workers, limits=limits, device=spec.device)

    def _search(
        self, search: Study, random: Study, executor: Executor[Job, Evaluation], calibration: Calibration
    ) -> None:
        spec = self.problem.spec
        measured = spec.search.measure_latency or any(c.name == "latency_ms" for c in self.problem.constraints)
        budget = spec.budget
        stage = SearchStage(
            name="search",
            study=search,
            searcher=make_searcher(spec.search.algorithm, spec.search.options),
            executor=executor,
            recipe=self.problem.search_recipe,
            seed=spec.seed,
            budget=StageBudget(
                trials=budget.trials,
                seconds=None if budget.minutes is None else budget.minutes * 60,
                cpu_seconds=None if budget.cpu_minutes is None else budget.cpu_minutes * 60,
            ),
            ledger=self.ledger,
            progress=self.progress,
            measure=latency_measure(self.problem.space, self.problem.task.sealed(), self.out) if measured else None,
            first=starting_architectures(self.problem),
            calibration=calibration,
            pruner=make_pruner(spec.search.pruner, self.problem.objective, self.problem.search_recipe.epochs),
        )
        stage.run()
        if stage.exhausted:
            self._note(f"the search proposed every architecture it could: {trained(search.evaluations)} trained")
        if not spec.final.random_search or not ranked(search.evaluations, self.problem.objective):
            return
        rival = replace(
            stage,
            name="random_search",
            first=(),
            study=random,
            searcher=make_searcher("random"),
            budget=equal_cost(search, spec.budget.trials),
            reuse={evaluation.digest: evaluation for evaluation in search.evaluations},
        )
        rival.run()

    def _require_success(self, search: Study) -> None:
        evaluations = search.evaluations
        if ranked(evaluations, self.problem.objective):
            return
        reasons = Counter(e.reason for e in evaluations)
        if not any(e.status == "failed" for e in evaluations):
            raise SpecError(
                "no architecture of the space keeps the constraints",
                place="constraints",
                value=", ".join(f"{c.name} <= {c.upper:g}" for c in self.problem.constraints) or None,
                remedy="raise the limits; gnas plan shows what the space offers",
            )
        reason, count = reasons.most_common(1)[0]
        raise StudyError(
            f"none of {len(evaluations)} candidates could be trained; {count} times: {reason}",
            place=str(self.out),
            remedy="mend the cause and run in another --out",
        )

    # The final comparison: the one place where the task with its test part is used.

    def _finals(
        self,
        search: Study,
        random: Study,
        before: Executor[Job, Evaluation],
        file: FinalsFile,
        calibration: Calibration,
    ) -> tuple[FinalRow, ...]:
        problem, spec = self.problem, self.problem.spec
        spaces: dict[str, Space] = {"search": problem.space}
        entrants = [
            *best_of_study(problem, search, "finalist", "finalist"),
            *best_of_study(problem, random, "random_search", "random search"),
        ]
        answers = isinstance(problem.task, AnsweringTask)
        if spec.final.default_network and not answers:
            entrant, spaces["default"] = default_network(problem.task)
            entrants.append(entrant)
        sealed = problem.task.sealed()
        measures = {name: latency_measure(space, sealed, self.out) for name, space in spaces.items()}
        entrants = with_latency(entrants, measures, file, self._note)
        limits = final_limits(problem)
        work = FinalWork(spaces, problem.task, problem.objective, spec.device, limits, spec.final.refit)
        executor = make_executor(
            self.executor, work, workers=self.workers, limits=limits, device=spec.device, after=before
        )
        names = tuple(problem.task.baselines) if spec.final.baselines == "all" else spec.final.baselines
        try:
            return FinalStage(
                task=problem.task,
                objective=problem.objective,
                recipe=problem.recipe,
                seeds=range(spec.seed, spec.seed + (1 if answers else spec.final.seeds)),
                entrants=entrants,
                baselines=names,
                executor=executor,
                file=file,
                ledger=self.ledger,
                progress=self.progress,
                refit=spec.final.refit,
                turns=spec.final.turns,
                calibration=calibration,
            ).run()
        finally:
            executor.close()

    def _finals_file(self) -> FinalsFile:
        """The file of final rows; rows of another protocol are set aside, never mixed in."""
        final, path = self.problem.spec.final, self.out / "finals.jsonl"
        for name, asked in (("refit", final.refit), ("turns", final.turns)):
            held = self.ledger.facts.get(name, False if path.exists() else asked)
            if held != asked and path.exists():
                aside = path.with_name(f"finals-{name}-{str(held).lower()}.jsonl")
                path.replace(aside)
                self._note(f"final.{name} is now {asked}: the rows made otherwise are in {aside.name}")
            self.ledger.facts[name] = asked
        self.ledger.save()
        return FinalsFile(self.out)

    # What is told and taken away.

    def _results(self, search: Study, random: Study, rows: tuple[FinalRow, ...]) -> RunResults:
        objective = self.problem.objective
        chosen = choose(rows, "finalist", objective)
        for row in rows:
            if row.reason:
                self._note(f"{row.name}, seed {row.seed}, failed: {row.reason}")
        return RunResults(
            objective=objective.name,
            direction=objective.direction,
            finals=rows,
            chosen=chosen,
            stages=self.ledger.stages,
            cpu_seconds=self.ledger.cpu_seconds,
            energy_kwh=self.ledger.energy_kwh,
            protocol=protocol_facts(self.problem, search, random, rows),
            versions=library_versions(),
            summary=_summary(self.problem.task),
            notes=tuple(self.notes),
        )

    def _take_away(self, results: RunResults) -> RunResults:
        if not results.chosen:
            self._note("no finalist could be retrained: nothing to export")
            return results
        if isinstance(self.problem.task, AnsweringTask):
            return results
        with self.ledger.stage("export"):
            self.progress.stage(Snapshot("export"))
            self._attempt("export", self._export)
            self._illustrate()
            intervals = self._intervals()
        results = replace(
            results,
            intervals=intervals,
            stages=self.ledger.stages,
            cpu_seconds=self.ledger.cpu_seconds,
            energy_kwh=self.ledger.energy_kwh,
            notes=tuple(self.notes),
        )
        self._write(results)
        return results

    def _export(self) -> None:
        from gnas.export import export_best

        export_best(self.problem, self.out)

    def _illustrate(self) -> None:
        from gnas.export.figures import illustrate

        try:
            illustrate(self.problem, self.out)
        except Exception as error:  # a drawing must not lose the results
            self._note(f"the predictions could not be drawn: {explain(error)}")

    def _intervals(self) -> Intervals | None:
        """Bootstrap intervals of the exported network on the test part; None where the task gives none."""
        from gnas.export.outputs import tested
        from gnas.intervals import bootstrap

        try:
            found = tested(self.problem, self.out)
            if found is None or not isinstance(found[0], ResamplingTask):
                return None
            return bootstrap(found[0], "test", found[1], seed=self.problem.spec.seed)
        except Exception as error:  # an interval must not lose the results
            self._note(f"there are no bootstrap intervals: {explain(error)}")
            return None

    def _report(self) -> None:
        from gnas.report import write_report

        self.progress.stage(Snapshot("report"))
        self._attempt("report", lambda: write_report(self.out))

    def _attempt(self, what: str, action: Callable[[], object]) -> None:
        """Runs an action whose failure must not lose the results, which are on disk already."""
        try:
            action()
        except Exception as error:
            told = str(error) if isinstance(error, UserError) else explain(error)
            self._note(
                f"{what} failed: {told}; the results are kept in {self.out / RESULTS}; again: gnas {what} {self.out}"
            )

    def _write(self, results: RunResults) -> None:
        with writing(self.out / RESULTS, "all evaluations and final rows are kept"):
            write_json(self.out / RESULTS, results.to_json())

    def _copy_spec(self) -> None:
        path, copy = self.problem.path, self.out / "spec.yaml"
        with writing(copy, "nothing is lost"):
            if path is None:
                import yaml

                write_whole(copy, yaml.safe_dump(self.problem.spec.model_dump(mode="json"), sort_keys=False))
            elif path.resolve() != copy.resolve():
                write_bytes(copy, path.read_bytes())
                # Relative paths of the copy are read against the folder of the original.
                self.ledger.facts["base"] = str(path.resolve().parent)
        self.ledger.save()

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.progress.message(text)


def equal_cost(search: Study, trials: int | None) -> StageBudget:
    """What random search may spend to have cost as much as the search.

    As many trainings where a number of trials ended the search, which two runs of one spec repeat exactly; as many CPU
    seconds of training where a time ended it.
    """
    done = trained(search.evaluations)
    if trials is not None and done >= trials:
        return StageBudget(trials=done)
    return StageBudget(cpu_seconds=training_cost(search.evaluations))


def _summary(task: Task) -> dict[str, object]:
    plain: dict[str, object] = json.loads(json.dumps(asdict(task.summary)))
    return plain


def final_limits(problem: Problem) -> Limits:
    """Limits of one row of the final comparison: a guard only, since a baseline cut short is no comparison.

    A retraining may take as much longer than a trial as its recipe is longer, and everything has half an hour at least.
    Memory may be three times a trial's: some baselines hold all their features at once.
    """
    budget, longer = problem.spec.budget, problem.recipe.epochs / problem.search_recipe.epochs
    refits = 2 if problem.spec.final.refit else 1
    minutes = max(_FINAL_MINUTES, budget.trial_minutes * longer * refits)
    return Limits(seconds=minutes * 60, memory_mb=_FINAL_MEMORY * budget.trial_memory_mb)
