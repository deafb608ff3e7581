"""A task on real data: its network, its parts, how to train on it and how to score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Part = Literal["train", "search", "validation"]
EVALUATION_BATCH = 512


@dataclass(frozen=True, slots=True)
class Batch:
    """Arguments of a network's forward, and the targets, `(example,)`."""

    arguments: tuple[Tensor, ...]
    target: Tensor


class Data(Protocol):
    """Examples of one part."""

    def __len__(self) -> int: ...

    def batch(self, rows: Tensor) -> Batch:
        """The examples at `rows`, `(example,)`."""
        ...


@dataclass(frozen=True, slots=True)
class Arrays:
    """Examples of one shape: `inputs` of shape `(example, ...)`, `targets` of shape `(example,)`."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, rows: Tensor) -> Batch:
        """The examples at `rows`, `(example,)`."""
        return Batch((self.inputs[rows],), self.targets[rows])


@dataclass(frozen=True, slots=True)
class Task:
    """A network and the data it is trained on.

    A search that chooses among sub-networks looks at `search`, which is a part of the training data; `validation` is
    for the table. Test parts are not read.

    Attributes:
        name: For tables.
        network: Makes it, with weights from torch's random state.
        parts: Data by part.
        loss: Of outputs and targets, to be minimised.
        scores: Of outputs and targets over a whole part, larger is better; the first is the one that is compared.
        epochs: Of the whole network's training; a fine-tune takes a share of them.
        batch_size: Examples a step.
        learning_rate: Of AdamW at the top of its schedule.
        note: Where the data come from and how they are split.
    """

    name: str
    network: Callable[[], nn.Module]
    parts: Mapping[Part, Data]
    loss: Callable[[Tensor, Tensor], Tensor]
    scores: Callable[[Tensor, Tensor], Mapping[str, float]]
    epochs: int
    batch_size: int
    learning_rate: float
    note: str

    def example(self, n: int = 4) -> tuple[Tensor, ...]:
        """Arguments of the network for the first `n` training examples."""
        return self.parts["train"].batch(torch.arange(n)).arguments

    def fresh(self, seed: int) -> nn.Module:
        """A network with the weights of `seed`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.network()


def train(task: Task, network: nn.Module, epochs: int, seed: int, *, rate: float = 1.0) -> None:
    """Trains in place: AdamW under one cosine arch with a short rise, the gradient clipped to norm 1.

    Args:
        task: Gives the `train` part, loss, batch size and learning rate.
        network: Called as `task.network()` is.
        epochs: Passes over the training part.
        seed: Of order and dropout.
        rate: Factor on the learning rate.
    """
    data = task.parts["train"]
    optimiser = torch.optim.AdamW(network.parameters(), lr=task.learning_rate * rate, weight_decay=1e-2)
    steps = epochs * max(1, len(data) // task.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _arch(k, steps))
    generator = torch.Generator().manual_seed(seed)
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(epochs):
            for batch in _shuffled(data, task.batch_size, generator):
                optimiser.zero_grad()
                task.loss(network(*batch.arguments), batch.target).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
    network.eval()


def evaluate(task: Task, network: nn.Module, part: Part) -> Mapping[str, float]:
    """Scores of a network on a part, in eval mode; the mode it was in is put back."""
    data = task.parts[part]
    before = network.training
    network.eval()
    with torch.no_grad():
        batches = [data.batch(rows) for rows in torch.split(torch.arange(len(data)), EVALUATION_BATCH)]
        outputs = torch.cat([network(*batch.arguments) for batch in batches])
    network.train(before)
    return task.scores(outputs, torch.cat([batch.target for batch in batches]))


def _shuffled(data: Data, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Whole batches in a new order; examples left over wait for the next epoch."""
    order = torch.randperm(len(data), generator=generator)
    for rows in torch.split(order[: max(size, len(order) // size * size)], size):
        yield data.batch(rows)


def _arch(step: int, steps: int) -> float:
    """Factor on the learning rate: a rise over the first tenth, then half a cosine to zero."""
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
