"""The final comparison: finalists, the unsearched network and the baselines, on the test part the search never saw.

Everything is retrained from scratch over several seeds. Finalists are taken on validation, and so is the one to export.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gnas.calibration import Calibration
from gnas.domain import NetworkBaseline, at_turn
from gnas.evaluate.final import FinalJob, FinalResult, Outputs
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Objective
from gnas.executors.protocol import Executor
from gnas.ledger import Ledger
from gnas.progress import Progress, Snapshot
from gnas.results import FinalRow, RowKind
from gnas.runfolder import append_line, write_bytes, writing

if TYPE_CHECKING:
    from gnas.architecture import Architecture
    from gnas.domain import Part, Task

FINALS = "finals.jsonl"
WEIGHTS = "weights"
_TICK_SECONDS = 1.0
_KEPT = "the search and the final rows so far are kept"


@dataclass(frozen=True, slots=True)
class Entrant:
    """One network of the comparison, to be retrained with every seed.

    Attributes:
        kind, name: Of its rows.
        architecture: What to train.
        space: Name of the space that builds it.
        trial: Its number in its study, −1 if none.
        costs: Counted and measured.
    """

    kind: RowKind
    name: str
    architecture: Architecture
    space: str
    trial: int = -1
    costs: Mapping[str, float] = field(default_factory=dict)


class FinalsFile:
    """`finals.jsonl` with the weights and outputs beside it: what is done is never done again.

    Args:
        out: The run folder.
    """

    def __init__(self, out: Path) -> None:
        self._path, self._weights = out / FINALS, out / WEIGHTS
        self._rows = list(_read_rows(self._path))

    @property
    def rows(self) -> tuple[FinalRow, ...]:
        """All rows, in the order they were written."""
        return tuple(self._rows)

    def find(self, row: FinalRow) -> FinalRow | None:
        """The finished row of the same network (or the same name, without a digest) and seed, under whatever kind."""
        for held in self._rows:
            same = held.digest == row.digest if row.digest else (held.kind, held.name) == (row.kind, row.name)
            if same and bool(held.digest) == bool(row.digest) and held.seed == row.seed:
                return replace(held, kind=row.kind, name=row.name, trial=row.trial, costs={**held.costs, **row.costs})
        return None

    def add(self, row: FinalRow) -> None:
        """Writes a row unless it is there.

        Raises:
            StudyError: It cannot be written.
        """
        if any(
            (held.kind, held.name, held.digest, held.seed) == (row.kind, row.name, row.digest, row.seed)
            for held in self._rows
        ):
            return
        with writing(self._path, _KEPT):
            append_line(self._path, row.to_json())
        self._rows.append(row)

    def keep(self, result: FinalResult) -> None:
        """Writes weights and outputs, then the row that says they are there."""
        row = result.row
        if result.weights and result.validation is not None and result.test is not None:
            with writing(self._weights, _KEPT):
                self._weights.mkdir(exist_ok=True)
                write_bytes(self._weights / f"{row.digest}-{row.seed}.safetensors", result.weights)
                _write_outputs(self._outputs(row), result.validation, result.test)
        self.add(row)

    def outputs(self, row: FinalRow) -> tuple[Outputs, Outputs] | None:
        """Raw outputs of a retrained network on validation and test; None where it failed."""
        path = self._outputs(row)
        if row.reason or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["validation"], arrays["test"]

    def _outputs(self, row: FinalRow) -> Path:
        return self._weights / f"{row.digest}-{row.seed}.npz"


@dataclass(slots=True)
class FinalStage:
    """Runs the final comparison.

    Attributes:
        task: The full task.
        objective: What is compared.
        recipe: Of the retrainings.
        seeds: Retraining seeds of each entrant.
        entrants: Networks.
        baselines: Names of baselines.
        executor: Over `FinalWork`.
        file, ledger, progress: Where it is kept, what is spent, who is told.
        refit: Whether tested networks were trained on validation data too.
        turns: Whether each seed has another division of the learning data, the first one that which the search had.
        calibration: What was measured of architectures, and is not measured again; None where it is not kept.
    """

    task: Task
    objective: Objective
    recipe: Recipe
    seeds: Sequence[int]
    entrants: Sequence[Entrant]
    baselines: Sequence[str]
    executor: Executor[FinalJob, FinalResult]
    file: FinalsFile
    ledger: Ledger
    progress: Progress
    refit: bool = False
    turns: bool = False
    calibration: Calibration | None = None
    _running: int = 0

    def run(self) -> tuple[FinalRow, ...]:
        """All rows of the comparison: networks, ensembles, baselines."""
        wanted = self._wanted()
        waiting = self._todo(wanted)
        external = self.executor.cpu_seconds
        self.progress.stage(self._snapshot(wanted))
        while waiting or self._running:
            while waiting and self._running < self.executor.slots:
                job = waiting.pop(0)
                if self.calibration is not None:
                    job = replace(job, numerics=self.calibration.find(job.row.digest or job.row.name))
                self.executor.submit(job)
                self._running += 1
                self.progress.started(f"{job.row.name}, seed {job.row.seed}", self._snapshot(wanted))
            for result in self.executor.wait(_TICK_SECONDS):
                self._running -= 1
                self.file.keep(result)
                if self.calibration is not None:
                    self.calibration.add(result.row)
                self.ledger.add_cpu_seconds(self.executor.cpu_seconds - external)
                external = self.executor.cpu_seconds
                self.ledger.save()
                self.progress.retrained(result.row, self._snapshot(wanted))
            self.progress.tick(self._snapshot(wanted))
        rows = [found for row in wanted if (found := self.file.find(row)) is not None]
        for row in rows:
            self.file.add(row)
        return (*rows, *self._ensembles(rows))

    def _wanted(self) -> list[FinalRow]:
        networks = [
            FinalRow(
                entrant.kind,
                entrant.name,
                seed,
                digest=entrant.architecture.digest,
                trial=entrant.trial,
                costs=dict(entrant.costs),
            )
            for entrant in self.entrants
            for seed in self.seeds
        ]
        known = {name: self._counted(name) for name in self.baselines}
        return networks + [
            FinalRow("baseline", name, seed, costs=costs) for name, costs in known.items() for seed in self.seeds
        ]

    def _counted(self, name: str) -> dict[str, float]:
        """Costs of a baseline that is a network; empty for others."""
        baseline = self.task.baselines[name]
        if not isinstance(baseline, NetworkBaseline):
            return {}
        from gnas.evaluate.train import deterministic
        from gnas.hardware.counter import CostCounter

        with deterministic(self.recipe.seed):
            return CostCounter(self.task)(baseline.network(self.task))

    def _todo(self, wanted: Sequence[FinalRow]) -> list[FinalJob]:
        """One job for each network or baseline and seed that is not done; the same network under two names is one."""
        by_digest = {entrant.architecture.digest: entrant for entrant in reversed(self.entrants)}
        jobs: dict[tuple[str, int], FinalJob] = {}
        for row in wanted:
            key = (row.digest or row.name, row.seed)
            if key in jobs or self.file.find(row) is not None:
                continue
            entrant = by_digest.get(row.digest)
            jobs[key] = (
                FinalJob(row, self.recipe, turn=self._turn(row.seed))
                if entrant is None
                else FinalJob(row, self.recipe, entrant.architecture, entrant.space, self._turn(row.seed))
            )
        return list(jobs.values())

    def _turn(self, seed: int) -> int:
        return seed - self.seeds[0] if self.turns else 0

    def _snapshot(self, wanted: Sequence[FinalRow]) -> Snapshot:
        done = sum(self.file.find(row) is not None for row in wanted)
        seconds = self.ledger.seconds("finals")
        return Snapshot(
            stage="finals",
            done=done,
            total=len(wanted),
            seconds=seconds,
            eta_seconds=(len(wanted) - done) * seconds / done if done else None,
            running=self._running,
            failed=sum(bool(row.reason) for row in self.file.rows),
        )

    def _ensembles(self, rows: Sequence[FinalRow]) -> list[FinalRow]:
        kinds: tuple[tuple[RowKind, RowKind], ...] = (("finalist", "ensemble"), ("random_search", "random_ensemble"))
        ensembles = []
        for kind, name in kinds:
            for seed in self.seeds:
                members = [row for row in rows if row.kind == kind and row.seed == seed and not row.reason]
                if len(members) > 1 and self.file.outputs(members[0]) is not None:
                    ensembles.append(self._ensemble(name, seed, members))
        return ensembles

    def _ensemble(self, kind: RowKind, seed: int, members: Sequence[FinalRow]) -> FinalRow:
        row = FinalRow(kind, f"ensemble of {len(members)}", seed)
        outputs = [found for member in members if (found := self.file.outputs(member)) is not None]
        task = at_turn(self.task, self._turn(seed))
        tested = task.merged() if self.refit else task
        return replace(
            row,
            validation=_score(task, "validation", [validation for validation, _ in outputs]),
            test=_score(tested, "test", [test for _, test in outputs]),
            costs=_summed(members),
            seconds=math.fsum(member.seconds for member in members),
            cpu_seconds=math.fsum(member.cpu_seconds for member in members),
        )


def choose(rows: Sequence[FinalRow], kind: RowKind, objective: Objective) -> str:
    """Name of the network of a kind with the best mean validation value over its seeds; empty if none was trained.

    A network that failed with some seed is chosen only if all did.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.kind == kind and objective.name in row.validation and not row.reason:
            values.setdefault(row.name, []).append(row.validation[objective.name])
    if not values:
        return ""
    most = max(len(found) for found in values.values())
    complete = {name: statistics.fmean(found) for name, found in values.items() if len(found) == most}
    return max(complete, key=lambda name: objective.sign() * complete[name])


def _score(task: Task, part: Part, outputs: Sequence[Outputs]) -> dict[str, float]:
    import torch

    tensors = [torch.from_numpy(np.asarray(output)) for output in outputs]
    average = getattr(task, "average", None)
    mean = torch.stack(tensors).mean(dim=0) if average is None else average(tensors)
    scores = task.score(part, mean)
    return {name: value for name, value in scores.items() if math.isfinite(value)}


def _summed(members: Sequence[FinalRow]) -> dict[str, float]:
    """Costs of running all members one after another; memory is that of the largest."""
    names = [name for name in members[0].costs if all(name in member.costs for member in members)]
    return {
        name: (max if name == "memory_bytes" else math.fsum)([member.costs[name] for member in members])
        for name in names
    }


def _read_rows(path: Path) -> list[FinalRow]:
    """Whole rows; a half-written last line is cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    rows, good = [], 0
    for line in content.splitlines(keepends=True):
        try:
            if not line.endswith(b"\n"):
                break
            rows.append(FinalRow.from_json(line))
        except (ValueError, json.JSONDecodeError):
            break
        good += len(line)
    if good < len(content):
        with writing(path, _KEPT):
            path.with_name(path.name + ".broken").write_bytes(content[good:])
            with path.open("r+b") as file:
                file.truncate(good)
    return rows


def _write_outputs(path: Path, validation: Outputs, test: Outputs) -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, validation=validation, test=test)
    write_bytes(path, buffer.getvalue())
