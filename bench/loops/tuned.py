"""A loop tuned by hand for one candidate: data on the device, fused optimiser, nothing kept but the best weights.

What the engine needs beyond it (choosing numerics, counting costs, limits, records, reproducibility) is its overhead.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gnas.evaluate.schedule import factors
from gnas.numerics import PLAIN, Numerics
from loops.subject import Subject

_VALIDATION_BATCH = 512


def train_tuned(network: nn.Module, subject: Subject, device: str, numerics: Numerics | None) -> float:
    """Trains a network; the best validation value."""
    task, recipe, objective = subject.task, subject.recipe, subject.objective
    held = numerics or PLAIN
    network.to(device)
    if held.memory_format == "channels_last":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    half = torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=held.precision == "bf16")
    names = tuple(task.inputs)
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    steps = math.ceil(task.size("train") / recipe.batch_size) * recipe.epochs
    factor, step = factors(recipe, steps), 0
    generator = torch.Generator().manual_seed(0)
    best, weights = float("nan"), list[Tensor]()
    state = list(network.state_dict(keep_vars=True).values())
    for _ in range(recipe.epochs):
        network.train()
        for batch in task.batches("train", recipe.batch_size, generator=generator, device=device):
            with half:
                outputs = network(*[batch.inputs[name] for name in names])
            loss = task.loss(outputs.float(), batch, recipe)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.gradient_clip is not None:
                nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip, foreach=True)
            optimizer.param_groups[0]["lr"] = recipe.learning_rate * factor(step)
            optimizer.step()
            step += 1
        network.eval()
        with torch.no_grad():
            batches = task.batches("validation", _VALIDATION_BATCH, device=device)
            found = torch.cat([network(*[batch.inputs[name] for name in names]) for batch in batches])
            value = task.score("validation", found.cpu())[objective.name]
            if not weights or objective.better(value, best):
                best, weights = value, [tensor.detach().clone() for tensor in state]
    with torch.no_grad():
        for tensor, kept in zip(state, weights, strict=True):
            tensor.copy_(kept)
    return best
