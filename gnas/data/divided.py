"""DividedTask: what tasks share that keep raw examples by part and derive the rest from the training part."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from gnas.data.parts import Positions, of_part
from gnas.domain import Part
from gnas.ops import TensorType


class Store(Protocol):
    """Raw examples of one part."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> Self:
        """Some of them, in the order of `rows`, `(example,)`."""
        ...

    def joined(self, other: Self) -> Self:
        """These, then those of `other`."""
        ...


class DividedTask(ABC):
    """Parts of a task and other divisions of its learning data; a mixin for frozen dataclasses.

    Attributes:
        stores: Raw examples of each part; a sealed task has no `test`.
    """

    stores: Mapping[Part, Any]
    _cache: dict[Any, Any]

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, TensorType]:
        """Model inputs, in the order of the network's forward."""

    @abstractmethod
    def _found_blocks(self) -> list[Positions]:
        """Positions of training examples that can validate in the stead of those that do, one array a turn."""

    @abstractmethod
    def _divided(self, where: Mapping[Part, Positions]) -> Self:
        """The same task with other learning data in some parts, all scalers fitted anew.

        Args:
            where: Positions in training and validation, one after the other. Without `validation` the task is not to
                be divided any more.
        """

    def __getstate__(self) -> dict[str, Any]:
        # NOTE: what is derived (device tensors, ops) is made anew where the task arrives.
        return {**self.__dict__, "_cache": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def memo(self) -> dict[Any, Any]:
        """What was derived from this task before; it does not travel to workers."""
        return self._cache

    def store(self, part: Part) -> Any:
        """Raw examples of a part.

        Raises:
            DataError: `test` of a sealed task.
        """
        return of_part(self.stores, part)

    def size(self, part: Part) -> int:
        """Number of examples.

        Raises:
            DataError: `test` of a sealed task.
        """
        return len(self.store(part))

    def merged(self) -> Self:
        """The same task with validation joined to train; scalers are fitted anew. `validation` stays readable."""
        return self._divided({"train": np.arange(self.size("train") + self.size("validation"))})

    @property
    def turns(self) -> int:
        """How many divisions of the learning data `turned` knows."""
        return 1 + len(self._blocks())

    def turned(self, turn: int) -> Self:
        """The same task, other examples of the learning data validating, whole groups of them; `test` stays.

        Turn 0 is the task itself; after the last of `turns` it begins anew. Scalers are fitted anew.
        """
        turn %= self.turns
        if not turn:
            return self
        key = ("turned", turn)
        if key not in self._cache:
            block = self._blocks()[turn - 1]
            rest = np.setdiff1d(np.arange(self.size("train") + self.size("validation")), block)
            self._cache[key] = self._divided({"train": rest, "validation": block})
        found: Self = self._cache[key]
        return found

    def dynamic_axes(self) -> Mapping[str, Mapping[int, str]]:
        """Axes of each input that vary."""
        return {
            name: {axis: size for axis, size in enumerate(kind.shape) if isinstance(size, str)}
            for name, kind in self.inputs.items()
        }

    def _blocks(self) -> list[Positions]:
        if "blocks" not in self._cache:
            self._cache["blocks"] = self._found_blocks()
        blocks: list[Positions] = self._cache["blocks"]
        return blocks

    def _spread(self, n: int) -> Tensor:
        """`n` positions spread evenly over the training part; they repeat if there are fewer examples."""
        size = self.size("train")
        return torch.arange(n) * size // n if n <= size else torch.arange(n) % size


def batch_positions(
    n: int, batch_size: int, generator: torch.Generator | None = None, device: str = "cpu"
) -> Sequence[Tensor]:
    """Positions of each batch of `n` examples on a device, shuffled if a generator is given.

    Examples are shared out evenly over the fewest batches that keep to `batch_size`, so that no last batch of a single
    one upsets batch normalisation.
    """
    order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
    return torch.tensor_split(order.to(device), max(1, math.ceil(n / batch_size)))


def taken(train: Store, validation: Store, where: Mapping[Part, Positions]) -> dict[Part, Any]:
    """Examples at positions in training and validation, one after the other, by part."""
    learning = train.joined(validation)
    return {part: learning.take(torch.from_numpy(rows)) for part, rows in where.items()}


def picked(values: Sequence[Any], where: Mapping[Part, Positions]) -> dict[Part, tuple[Any, ...]]:
    """What goes with the examples at positions, by part."""
    return {part: tuple(values[i] for i in rows) for part, rows in where.items()}
