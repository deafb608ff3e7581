"""A part of the data as contiguous tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class SeriesStore:
    """Series of one length.

    Attributes:
        values: `(series, channel, step)` float32 in data units, zeros after the end of a shorter one.
        steps: `(series,)` int64, steps that are there.
        labels: `(series, target)` float64: numbers, 0 and 1, or the position of a class; NaN where missing.
        groups: Of each series, what a split keeps together.
    """

    values: torch.Tensor
    steps: torch.Tensor
    labels: torch.Tensor
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: torch.Tensor) -> SeriesStore:
        """Some of the series, in the order of `index` `(series,)`; shares no memory with this store."""
        groups = tuple(self.groups[i] for i in index.tolist())
        return SeriesStore(self.values[index], self.steps[index], self.labels[index], groups)

    def joined(self, other: SeriesStore) -> SeriesStore:
        """This store followed by another."""
        return SeriesStore(
            torch.cat([self.values, other.values]),
            torch.cat([self.steps, other.steps]),
            torch.cat([self.labels, other.labels]),
            self.groups + other.groups,
        )
