"""The training loop: a network, a task and a recipe in, the best weights and their validation metrics out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor, nn

from gnas.domain import Part, Task
from gnas.errors import DivergedError, OutOfMemoryError, OutOfTimeError
from gnas.evaluate.flat import FlatParameters
from gnas.evaluate.limits import Limits
from gnas.evaluate.optimizers import Optimizer, make_optimizer
from gnas.evaluate.recipe import Recipe
from gnas.evaluate.schedule import PLATEAU_PATIENCE, factors
from gnas.evaluate.tuning import fixed_numerics, measured_numerics, outputs_of
from gnas.evaluation import Objective
from gnas.numerics import Numerics

EVALUATION_BATCH = 512
_HALVINGS = 2
_MEBIBYTE = 2**20

OnEpoch = Callable[[int, float], bool | None]


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training gave. The network holds the weights of the epoch that the recipe keeps, by default the best.

    Attributes:
        values: Validation metrics at that epoch; empty where nothing was validated.
        curve: Validation value of the objective after each epoch.
        epochs: Epochs trained; `best_epoch` of them led to the weights kept.
        seconds, cpu_seconds: Wall-clock and CPU seconds, validation included.
        batch_size: Examples per step, smaller than the recipe's where memory ran out.
        numerics: What was measured to be fastest, or was known; None where there was nothing to choose.
    """

    values: Mapping[str, float]
    curve: tuple[float, ...]
    epochs: int
    best_epoch: int
    seconds: float
    cpu_seconds: float
    batch_size: int
    numerics: Numerics | None = None


@contextmanager
def deterministic(seed: int, threads: int = 1) -> Iterator[None]:
    """Torch seeded with `seed` on `threads` threads inside; the random state and the threads are put back after."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        # NOTE: without a GPU, `torch.manual_seed` keeps a stack trace of every call for the GPU that may come.
        (torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed)(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def train(
    network: nn.Module,
    task: Task,
    recipe: Recipe,
    *,
    objective: Objective,
    device: str = "cpu",
    limits: Limits = Limits(),  # noqa: B008 — frozen
    seed: int = 0,
    threads: int = 1,
    on_epoch: OnEpoch | None = None,
    stop_after: int | None = None,
    numerics: Numerics | None = None,
) -> Fit:
    """Trains `network` in place; on one CPU thread bit-reproducible for a seed and initial weights.

    Args:
        network: Called with the tensors of `Batch.inputs` in the order of `task.inputs`.
        task: Gives batches, loss and scores; `test` is never touched.
        recipe: How.
        objective: The validation metric that early stopping and the choice of the best epoch follow, smoothed as the
            recipe says.
        device: `cpu`, `cuda`, …
        limits: Time and memory.
        seed: Of batch order and dropout.
        threads: Threads of torch.
        on_epoch: Called after each epoch with its number from 1 and the validation value; a true answer ends the
            training.
        stop_after: Trains exactly so many epochs of the recipe's schedule without validating: for a refit on all data.
        numerics: Known from an earlier training of this architecture; None measures what the recipe leaves open.

    Raises:
        DivergedError: The loss or the validation value became NaN or infinite.
        OutOfTimeError: `limits.seconds` passed.
        OutOfMemoryError: Memory ran out, even with a quarter of the batch size.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    deadline = wall + limits.seconds if limits.seconds is not None else math.inf
    network.to(device)
    batch_size = recipe.batch_size
    if numerics is None:
        with deterministic(seed, threads):
            numerics = measured_numerics(network, task, recipe, device=device, seed=seed)
    used = fixed_numerics(recipe, numerics)
    flat = FlatParameters(network, used.memory_format)
    initial = flat.state()
    for attempt in range(_HALVINGS + 1):
        watch = _MemoryWatch(limits)
        run = _Run(network, flat, task, recipe, objective, device, batch_size, deadline, watch, used)
        try:
            with deterministic(seed, threads):
                run.fit(seed, on_epoch, stop_after)
            break
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
            if attempt == _HALVINGS or batch_size == 1:
                raise OutOfMemoryError(f"memory ran out with batches of {batch_size}: {_first_line(error)}") from error
            batch_size = max(1, batch_size // 2)
            flat.restore(initial)
    return Fit(
        values=run.values,
        curve=tuple(run.curve),
        epochs=run.epochs,
        best_epoch=run.best_epoch,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        batch_size=batch_size,
        numerics=numerics,
    )


def predict(network: nn.Module, task: Task, part: Part, *, device: str = "cpu", threads: int = 1) -> Tensor:
    """Raw outputs for a whole part in order, on the CPU; shape `(example, target)`.

    Batches are halved where memory runs out.
    """
    network.eval()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    size = EVALUATION_BATCH
    try:
        while True:
            try:
                return _outputs(network, task, part, size, device)
            except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
                if not _is_memory(error) or size == 1:
                    raise
                size //= 2
    finally:
        torch.set_num_threads(before)


def _outputs(network: nn.Module, task: Task, part: Part, size: int, device: str) -> Tensor:
    names = tuple(task.inputs)
    with torch.no_grad():
        batches = task.batches(part, size, device=device)
        return torch.cat([network(*[batch.inputs[name] for name in names]) for batch in batches]).cpu()


@dataclass(slots=True)
class _MemoryWatch:
    """Notices, once an epoch, that this process has grown past the limit."""

    limits: Limits
    baseline: int = 0

    def __post_init__(self) -> None:
        if self.limits.memory_mb is not None:
            self.baseline = _resident()

    def check(self) -> None:
        if self.limits.memory_mb is None:
            return
        grown = (_resident() - self.baseline) / _MEBIBYTE
        if grown > self.limits.memory_mb:
            raise OutOfMemoryError(f"{grown:,.0f} MB in use > {self.limits.memory_mb:,.0f} MB")


@dataclass(slots=True)
class _Run:
    """One attempt at one batch size."""

    network: nn.Module
    flat: FlatParameters
    task: Task
    recipe: Recipe
    objective: Objective
    device: str
    batch_size: int
    deadline: float
    memory: _MemoryWatch
    numerics: Numerics
    curve: list[float] = field(default_factory=list)
    values: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    best_epoch: int = 0
    _rate: float = 1.0
    _ema: tuple[Tensor, ...] = ()

    def fit(self, seed: int, on_epoch: OnEpoch | None, stop_after: int | None) -> None:
        recipe = self.recipe
        optimizer = make_optimizer(self.flat.flats, recipe)
        steps = math.ceil(self.task.size("train") / self.batch_size)
        factor = factors(recipe, steps * recipe.epochs)
        generator = torch.Generator().manual_seed(seed)
        if recipe.ema is not None:
            self._ema = tuple(flat.detach().clone() for flat in self.flat.flats)
        best: tuple[Tensor, ...] | None = None
        reached, stalled = math.nan, 0
        for epoch in range(stop_after if stop_after is not None else recipe.epochs):
            self._epoch(optimizer, factor, epoch * steps, generator)
            self.epochs = epoch + 1
            if stop_after is not None:
                continue
            values, weights = self._validate()
            value = values[self.objective.name]
            self.curve.append(value)
            ended = on_epoch is not None and on_epoch(self.epochs, value)
            smoothed = fmean(self.curve[-recipe.smoothing :])
            better = best is None or self.objective.better(smoothed, reached)
            if better or recipe.keep == "last":
                best, self.values, self.best_epoch = weights, values, self.epochs
            if better:
                reached, stalled = smoothed, 0
            else:
                stalled += 1
                if recipe.schedule == "plateau" and stalled % PLATEAU_PATIENCE == 0:
                    self._rate /= 2
                ended = ended or (recipe.patience is not None and stalled >= recipe.patience)
            if ended:
                break
        if best is not None:
            self.flat.restore(best)
        else:
            self.best_epoch = self.epochs
            self._use_average()

    def _epoch(
        self, optimizer: Optimizer, factor: Callable[[int], float], step: int, generator: torch.Generator
    ) -> None:
        network, task, recipe, flat = self.network, self.task, self.recipe, self.flat
        names = tuple(task.inputs)
        network.train()
        total = torch.zeros((), device=self.device)
        peak, clip, ema = recipe.learning_rate * self._rate, recipe.gradient_clip, recipe.ema
        for batch in task.batches("train", self.batch_size, generator=generator, device=self.device):
            outputs = outputs_of(network, [batch.inputs[name] for name in names], self.numerics, self.device)
            loss = task.loss(outputs, batch, recipe)
            flat.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if clip is not None:
                flat.clip_grad(clip)
            optimizer.step(peak * factor(step))
            total += loss.detach()
            step += 1
            if ema is not None:
                self._average(ema, step)
            if time.perf_counter() > self.deadline:
                raise OutOfTimeError(f"time limit passed in epoch {self.epochs + 1}")
        if not math.isfinite(total.item()):
            raise DivergedError(f"training loss is {total.item()} in epoch {self.epochs + 1}")
        self.memory.check()

    def _average(self, decay: float, step: int) -> None:
        # Early averages would remember the random start; the decay grows to its value as steps come in.
        weight = 1 - min(decay, step / (step + 10))
        with torch.no_grad():
            for mean, flat in zip(self._ema, self.flat.flats, strict=True):
                mean.lerp_(flat, weight)

    def _use_average(self) -> None:
        with torch.no_grad():
            for mean, flat in zip(self._ema, self.flat.flats, strict=False):
                flat.copy_(mean)

    def _validate(self) -> tuple[dict[str, float], tuple[Tensor, ...]]:
        """Validation metrics, and a copy of the weights that have them."""
        live = self.flat.state() if self._ema else None
        self._use_average()
        outputs = predict(self.network, self.task, "validation", device=self.device, threads=torch.get_num_threads())
        weights = self.flat.state()
        if live is not None:
            self.flat.restore(live)
        if not bool(torch.isfinite(outputs).all()):
            raise DivergedError(f"an output is not finite after epoch {self.epochs}")
        values = {name: value for name, value in self.task.score("validation", outputs).items() if math.isfinite(value)}
        if self.objective.name not in values:
            raise DivergedError(f"validation {self.objective.name} is not finite after epoch {self.epochs}")
        return values, weights


def _is_memory(error: BaseException) -> bool:
    # NOTE: the CPU allocator raises a bare RuntimeError; its text is all there is to go by.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
