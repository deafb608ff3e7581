"""TensorTask: what a task does whose examples are rows of tensors; a domain adds its metrics, ops and networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gnas.data.divided import batch_positions
from gnas.data.parts import of_part
from gnas.domain import Baseline, Batch, DataSummary, Metric, Part
from gnas.evaluate.recipe import Recipe
from gnas.ops import Op, TensorType


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of one part.

    Attributes:
        inputs: Model inputs by name, in the order of the network's forward; each `(example, …)` and scaled.
        targets: `(example, target)`, scaled as the network is trained on them; NaN where a label is missing.
    """

    inputs: Mapping[str, Tensor]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Tensor) -> Examples:
        """Some of the examples, in the order of `rows` `(example,)`."""
        return Examples({name: values[rows] for name, values in self.inputs.items()}, self.targets[rows])


@dataclass(frozen=True)
class TensorTask(ABC):
    """A task on tensors; implements `gnas.domain.Task` for domains that subclass it.

    Attributes:
        name: As reports show it.
        examples: By part; a sealed task has no `test`.
        summary: What was read, kept and split.
    """

    name: str
    examples: Mapping[Part, Examples]
    summary: DataSummary

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics that `measured` gives; the first is the default objective."""

    @property
    @abstractmethod
    def ops(self) -> Mapping[str, Op]:
        """Ops by name."""

    @property
    @abstractmethod
    def default_space(self) -> str:
        """Name or file of the space searched when the spec names none."""

    @property
    @abstractmethod
    def default_assignment(self) -> Mapping[str, Any]:
        """The domain's unsearched network, as an assignment in `default_space`."""

    @abstractmethod
    def measured(self, targets: Tensor, outputs: Tensor) -> Mapping[str, float]:
        """All metrics in the data's own units, of scaled targets and raw outputs `(example, target)`."""

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """The domain's unsearched network: space and assignment."""
        return self.default_space, self.default_assignment

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """The default network."""
        return (self.default_assignment,)

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """None."""
        return {}

    @property
    def recipe(self) -> Recipe:
        """The engine's own."""
        return Recipe()

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Model inputs, each of a kind of its own name, the first dimension `example`."""
        return {
            name: TensorType(name, ("example", *values.shape[1:]), str(values.dtype).removeprefix("torch."))
            for name, values in self.examples["train"].inputs.items()
        }

    @property
    def output(self) -> TensorType:
        """One number per example and target, of the kind of the first input."""
        return TensorType(next(iter(self.inputs)), ("example", self.examples["train"].targets.shape[1]))

    def sealed(self) -> Self:
        """The same task without the test part."""
        return replace(self, examples={part: rows for part, rows in self.examples.items() if part != "test"})

    def merged(self) -> Self:
        """The same task with validation joined to train."""
        train, validation = self.examples["train"], self.examples["validation"]
        inputs = {name: torch.cat([values, validation.inputs[name]]) for name, values in train.inputs.items()}
        joined = Examples(inputs, torch.cat([train.targets, validation.targets]))
        return replace(self, examples={**self.examples, "train": joined})

    def size(self, part: Part) -> int:
        """Number of examples.

        Raises:
            DataError: `test` of a sealed task.
        """
        return len(self.rows(part))

    def rows(self, part: Part) -> Examples:
        """The examples of a part.

        Raises:
            DataError: `test` of a sealed task.
        """
        return of_part(self.examples, part)

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part, shuffled if a generator is given, shared out evenly over the fewest of `batch_size`."""
        rows = self.rows(part)
        for index in batch_positions(len(rows), batch_size, generator):
            found = rows.take(index)
            inputs = {name: values.to(device) for name, values in found.inputs.items()}
            present = ~torch.isnan(found.targets)
            yield Batch(inputs, found.targets.nan_to_num(0.0).to(device), present.to(device))

    def loss(self, outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
        """Mean squared error of the labels that are present."""
        each = functional.mse_loss(outputs, batch.targets, reduction="none") * batch.mask
        return each.sum() / batch.mask.sum().clamp(min=1)

    def score(self, part: Part, outputs: Tensor) -> Mapping[str, float]:
        """All metrics, from raw outputs `(example, target)` for a whole part in order.

        Raises:
            DataError: `test` of a sealed task.
        """
        return self.measured(self.rows(part).targets, outputs)

    def clusters(self, part: Part) -> Sequence[Hashable]:
        """Each example by itself."""
        return range(self.size(part))

    def scorer(self, part: Part, outputs: Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some examples, from raw outputs for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
        """
        targets = self.rows(part).targets
        return lambda rows: self.measured(targets[torch.from_numpy(rows)], outputs[torch.from_numpy(rows)])

    def example(self, n: int) -> Mapping[str, Tensor]:
        """Model inputs of the first `n` training examples; they repeat if there are fewer."""
        return self.rows("train").take(torch.arange(n) % self.size("train")).inputs

    def dynamic_axes(self) -> Mapping[str, Mapping[int, str]]:
        """The number of examples varies."""
        return {name: {0: "example"} for name in self.inputs}

    def takeaway(self) -> Mapping[str, str]:
        """Nothing beside `model.py`."""
        return {}
