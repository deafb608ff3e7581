"""Which numerics train a network fastest here: a few timed steps on its own batch.

What is fast depends on the network and on the machine: bfloat16 with channels last is several times faster than plain
float32 for residual networks on processors with the instructions, and ten times slower on those without. Only networks
with convolutions are tried; all others keep plain numerics at no cost.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from gnas.domain import Batch, Task
from gnas.evaluate.flat import FlatParameters
from gnas.evaluate.recipe import Recipe
from gnas.numerics import PLAIN, MemoryFormat, Numerics, Precision

MARGIN = 0.85
"""Other numerics are taken where they need at most this share of the plain ones' time: noise must not choose."""

SHARE = 0.06
"""Of a training's steps that measuring may cost at most: shorter trainings keep plain numerics.

Where there was a choice the fastest numerics of most networks for images save two to five tenths of the plain time, so
that this much is soon earned.
"""

_STEPS = 2
_HOPELESS = 3.0
"""Numerics whose first step takes so many times that of the plain ones are not timed further."""

_IMAGE_DIMENSIONS = 4


def fixed_numerics(recipe: Recipe, known: Numerics | None = None) -> Numerics:
    """What the recipe says; where it says `auto`, what is known, and plain numerics where nothing is."""
    held = known or PLAIN
    precision: Precision = held.precision if recipe.precision == "auto" else recipe.precision
    memory_format: MemoryFormat = held.memory_format if recipe.memory_format == "auto" else recipe.memory_format
    return Numerics(precision, memory_format)


def measured_numerics(
    network: nn.Module, task: Task, recipe: Recipe, *, device: str = "cpu", seed: int = 0
) -> Numerics | None:
    """The fastest numerics for a network, within what the recipe leaves open; None where there is nothing to choose.

    Nothing is measured either for a training so short that it would cost more than it may bring.

    Weights and buffers are left as they were, and torch's random state where it is called inside `deterministic`.
    Numerics that raise or give a loss that is not finite are out.

    Args:
        network: On `device`.
        task: Its first batch is trained on.
        recipe: `auto` leaves a choice open.
        device: `cpu`, `cuda`, …
        seed: Of the batch and of dropout.
    """
    options = _options(network, recipe, device)
    steps = math.ceil(task.size("train") / recipe.batch_size) * recipe.epochs
    if len(options) == 1 or len(options) * (1 + _STEPS) > SHARE * steps:
        return None
    buffers, was_training = [buffer.clone() for buffer in network.buffers()], network.training
    generator = torch.Generator().manual_seed(seed)
    network.train()
    try:
        batch = next(iter(task.batches("train", recipe.batch_size, generator=generator, device=device)))
        seconds = _timed(network, task, recipe, batch, options, device)
    finally:
        # No step was taken, so the parameters have the values they had.
        for buffer, saved in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(saved)
        network.train(was_training)
    plain = seconds.get(options[0])
    if plain is None:
        return options[0]  # It cannot be trained: the training itself will say why.
    best = min(seconds, key=lambda option: (seconds[option], options.index(option)))
    return best if seconds[best] <= MARGIN * plain else options[0]


def plain_step_seconds(network: nn.Module, task: Task, recipe: Recipe, *, device: str = "cpu", seed: int = 0) -> float:
    """Seconds of one forward and backward pass in the recipe's own numerics, the second of two on the first batch.

    Raises:
        ArithmeticError: The loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = next(iter(task.batches("train", recipe.batch_size, generator=generator, device=device)))
    option = fixed_numerics(recipe)
    network.train()
    step = partial(_step, network, FlatParameters(network, option.memory_format), task, recipe, batch, option, device)
    step_seconds(step, device)
    return step_seconds(step, device)


def outputs_of(network: nn.Module, inputs: list[Tensor], numerics: Numerics, device: str) -> Tensor:
    """The network's outputs in float32 at least, for the loss."""
    outputs: Tensor
    if numerics.precision == "fp32":
        outputs = network(*inputs)
        return outputs
    with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
        outputs = network(*inputs)
    return outputs.float()


def tries_bf16(device: str) -> bool:
    """Whether bfloat16 may be fast on a device: without instructions for it, it is slower than float32 by far."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return True


def _options(network: nn.Module, recipe: Recipe, device: str) -> list[Numerics]:
    """What may be chosen, the plainest first."""
    plain = fixed_numerics(recipe)
    convolutions = [module for module in network.modules() if isinstance(module, _ConvNd)]
    if not convolutions:
        return [plain]
    images = any(module.weight.dim() >= _IMAGE_DIMENSIONS for module in convolutions)
    precisions: list[Precision] = [plain.precision]
    formats: list[MemoryFormat] = [plain.memory_format]
    if recipe.precision == "auto" and tries_bf16(device):
        precisions.append("bf16")
    if recipe.memory_format == "auto" and images:
        formats.append("channels_last")
    return [Numerics(precision, layout) for precision, layout in product(precisions, formats)]


def _timed(
    network: nn.Module, task: Task, recipe: Recipe, batch: Batch, options: list[Numerics], device: str
) -> dict[Numerics, float]:
    """Seconds of a step for each option that works, the shortest of a few."""
    found: dict[Numerics, float] = {}
    limit = math.inf
    for option in options:
        flat = FlatParameters(network, option.memory_format)
        step = partial(_step, network, flat, task, recipe, batch, option, device)
        try:
            first = step_seconds(step, device)
            if first <= limit:
                found[option] = min(step_seconds(step, device) for _ in range(_STEPS))
        except Exception:  # Layers that do not know bfloat16, memory, …: then it is not for this network.
            if option == options[0]:
                break
            continue
        if option == options[0]:
            limit = _HOPELESS * first
    return found


def _step(
    network: nn.Module, flat: FlatParameters, task: Task, recipe: Recipe, batch: Batch, option: Numerics, device: str
) -> None:
    """One forward and backward pass; raises where the loss is not finite."""
    loss = task.loss(outputs_of(network, [batch.inputs[name] for name in task.inputs], option, device), batch, recipe)
    flat.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if not math.isfinite(loss.item()):
        raise ArithmeticError("the loss is not finite")


def step_seconds(step: Callable[[], None], device: str) -> float:
    """Seconds of one call; on one CPU thread those of the thread, which other programs do not disturb.

    NOTE: the step reads its loss, so a GPU is waited for.
    """
    alone = torch.device(device).type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    start = clock()
    step()
    return clock() - start
