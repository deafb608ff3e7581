"""A plain PyTorch loop with a DataLoader, as a careful user writes it: one process, torch's own threads.

Examples lie in memory and are collated by torch's or torch-geometric's DataLoader; the optimiser is torch's; the
learning rate follows the same schedule; the best weights are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gnas.domain import Batch, Part, Task
from gnas.evaluate.schedule import factors
from loops.subject import Subject

Convert = Callable[[Any], Batch]


@dataclass(frozen=True, slots=True)
class Loaders:
    """A DataLoader for each part, and what makes a `Batch` of what they give."""

    train: Any
    validation: Any
    convert: Convert


def loaders(task: Task, batch_size: int, datasets: dict[Part, Any], device: str) -> Loaders:
    """DataLoaders over `datasets` of this task."""
    names = tuple(task.inputs)
    if "edge_index" in names:
        from torch_geometric.loader import DataLoader as Loader

        def convert(data: Any) -> Batch:
            data = data.to(device)
            return Batch({name: data[name] for name in names}, data["targets"], data["mask"])
    else:
        from torch.utils.data import DataLoader as Loader

        def convert(data: Any) -> Batch:
            *inputs, targets, mask = (tensor.to(device) for tensor in data)
            return Batch(dict(zip(names, inputs, strict=True)), targets, mask)

    return Loaders(
        Loader(datasets["train"], batch_size=batch_size, shuffle=True),
        Loader(datasets["validation"], batch_size=batch_size),
        convert,
    )


def datasets(task: Task) -> dict[Part, Any]:
    """The examples of a task, one by one: graphs for torch-geometric, rows of tensors for torch."""
    graphs = "edge_index" in task.inputs
    parts: tuple[Part, ...] = ("train", "validation")
    return {part: _graphs(task, part) if graphs else _rows(task, part) for part in parts}


def _graphs(task: Task, part: Part) -> list[Any]:
    from torch_geometric.data import Data

    return [
        Data(
            **{name: value for name, value in batch.inputs.items() if name != "batch"},
            targets=batch.targets,
            mask=batch.mask,
            num_nodes=len(batch.inputs["batch"]),
        )
        for batch in task.batches(part, 1)
    ]


def _rows(task: Task, part: Part) -> Any:
    from torch.utils.data import TensorDataset

    batches = list(task.batches(part, 1024))
    inputs = [torch.cat([batch.inputs[name] for batch in batches]) for name in task.inputs]
    return TensorDataset(*inputs, torch.cat([b.targets for b in batches]), torch.cat([b.mask for b in batches]))


def train_plain(network: nn.Module, subject: Subject, found: Loaders, device: str) -> float:
    """Trains a network; the best validation value."""
    task, recipe, objective = subject.task, subject.recipe, subject.objective
    names = tuple(task.inputs)
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factors(recipe, len(found.train) * recipe.epochs))
    best, weights = float("nan"), dict[str, Tensor]()
    for _ in range(recipe.epochs):
        network.train()
        for data in found.train:
            batch = found.convert(data)
            optimizer.zero_grad()
            loss = task.loss(network(*[batch.inputs[name] for name in names]), batch, recipe)
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.gradient_clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            batches = [found.convert(data) for data in found.validation]
            outputs = torch.cat([network(*[batch.inputs[name] for name in names]) for batch in batches])
        value = task.score("validation", outputs.cpu())[objective.name]
        if not weights or objective.better(value, best):
            best, weights = value, {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(weights)
    return best
