"""Final trainings: from scratch, on the full task, with one reading of the test part for each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.domain import AnsweringTask, NetworkBaseline, Part, Task, at_turn
from gnas.evaluate.candidate import derive_seed, explain, warm_up
from gnas.evaluate.limits import Limits
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Objective
from gnas.numerics import Numerics
from gnas.results import FinalRow
from gnas.space.protocol import Space

if TYPE_CHECKING:
    from torch import nn

Outputs = NDArray[np.float32]
_ANSWERED: tuple[Part, Part] = ("validation", "test")


@dataclass(frozen=True, slots=True)
class FinalJob:
    """One final training, or one fit of a baseline.

    Attributes:
        row: What is known beforehand: kind, name, seed, digest, trial, costs.
        recipe: How to train.
        architecture: What to train; None for a baseline, which `row.name` names.
        space: Name of the space that builds it.
        turn: Which division of the learning data it trains and validates on.
        numerics: Known to be fastest; None where the training has to find out.
    """

    row: FinalRow
    recipe: Recipe
    architecture: Architecture | None = None
    space: str = ""
    turn: int = 0
    numerics: Numerics | None = None


@dataclass(frozen=True, slots=True)
class FinalResult:
    """What a final training gave.

    Attributes:
        row: With metrics, or with the reason of its failure.
        weights: The trained weights as a safetensors file; empty for baselines and failures.
        validation, test: Raw outputs, shape `(example, target)`; None where there are none.
    """

    row: FinalRow
    weights: bytes = b""
    validation: Outputs | None = None
    test: Outputs | None = None


@dataclass(frozen=True, slots=True)
class FinalWork:
    """What a worker needs for final trainings. It alone holds a task with its test part.

    Attributes:
        spaces: Those that build the networks, by name.
        task: The full task.
        objective: What early stopping follows, on validation.
        device: Where to train.
        limits: Of one training.
        refit: Whether, the epochs once chosen on validation, the network is trained again on training and validation
            data for so many epochs, and that network is tested.
    """

    spaces: Mapping[str, Space]
    task: Task
    objective: Objective
    device: str = "cpu"
    limits: Limits = field(default_factory=Limits)
    refit: bool = False

    def prepare(self) -> None:
        """Imports what trainings need, and builds and runs a first network, so that no job pays for it."""
        if isinstance(self.task, AnsweringTask):
            return
        import safetensors.torch  # noqa: F401

        import gnas.evaluate.train  # noqa: F401

        for space in self.spaces.values():
            warm_up(space, self.task, self.device)

    def run(self, job: FinalJob) -> FinalResult:
        """The result of a job; never raises but for KeyboardInterrupt and SystemExit."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            result = self._baseline(job) if job.architecture is None else self._network(job, job.architecture)
        except Exception as error:
            return FinalResult(_timed(job.row, wall, cpu, reason=explain(error)))
        return FinalResult(_timed(result.row, wall, cpu), result.weights, result.validation, result.test)

    def failed(self, job: FinalJob, reason: str, seconds: float) -> FinalResult:
        """The result of a job whose worker died."""
        return FinalResult(_with(job.row, seconds=seconds, reason=reason))

    def _baseline(self, job: FinalJob) -> FinalResult:
        task = at_turn(self.task, job.turn)
        baseline = task.baselines[job.row.name]
        if isinstance(baseline, NetworkBaseline):
            seed = derive_seed(job.recipe.seed, baseline.name, "final", job.row.seed)
            return replace(self._trained(job, task, partial(baseline.network, task), seed), weights=b"")
        parts = baseline.evaluate(task, job.row.seed, refit=self.refit)
        return FinalResult(
            _with(job.row, validation=_finite(parts.get("validation", {})), test=_finite(parts.get("test", {})))
        )

    def _network(self, job: FinalJob, architecture: Architecture) -> FinalResult:
        if isinstance(self.task, AnsweringTask):
            return FinalResult(_answered(job.row, self.task, architecture))
        seed = derive_seed(job.recipe.seed, architecture.digest, "final", job.row.seed)
        build = partial(self.spaces[job.space].build, architecture)
        return self._trained(job, at_turn(self.task, job.turn), build, seed)

    def _trained(self, job: FinalJob, task: Task, build: Callable[[], nn.Module], seed: int) -> FinalResult:
        import torch
        from safetensors.torch import save

        from gnas.evaluate.train import deterministic, predict, train

        with deterministic(seed):
            network = build()
        fit = train(
            network,
            task,
            job.recipe,
            objective=self.objective,
            device=self.device,
            limits=self.limits,
            seed=seed,
            numerics=job.numerics,
        )
        validation = predict(network, task, "validation", device=self.device)
        tested = task
        if self.refit:
            # NOTE: the merged task scales anew, so the network trained on it is also scored by it.
            tested = task.merged()
            with deterministic(seed):
                network = build()
            train(
                network,
                tested,
                job.recipe,
                objective=self.objective,
                device=self.device,
                limits=self.limits,
                seed=seed,
                stop_after=fit.best_epoch,
                numerics=fit.numerics,
            )
        test = predict(network, tested, "test", device=self.device)
        scores = _finite(tested.score("test", test))
        row = _with(job.row, validation=_finite(fit.values), test=scores, numerics=fit.numerics)
        # NOTE: clones, because safetensors refuses tensors that share memory, and ours are views of one flat tensor.
        state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
        return FinalResult(row, save(state), _array(validation), _array(test.to(torch.float32)))


def _answered(row: FinalRow, task: AnsweringTask, architecture: Architecture) -> FinalRow:
    validation, test = (_finite(task.answer(part, architecture)) for part in _ANSWERED)
    return _with(row, validation=validation, test=test)


def _array(outputs: object) -> Outputs:
    return np.asarray(outputs, dtype=np.float32)


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _with(row: FinalRow, **changes: object) -> FinalRow:
    return replace(row, **changes)  # type: ignore[arg-type]


def _timed(row: FinalRow, wall: float, cpu: float, reason: str = "") -> FinalRow:
    return _with(row, seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu, reason=reason)
