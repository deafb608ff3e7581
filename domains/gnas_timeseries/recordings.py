"""Recordings: signals end to end with labels, groups and parts, as a file gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError

Signal = NDArray[np.float32]
"""Values `(channel, step)`, NaN where missing."""

UNKNOWN = -1
"""Part of a recording whose file does not say."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings of any lengths, end to end.

    Attributes:
        source: File or data set, for messages.
        values: `(channel, step)` of all recordings, NaN where missing.
        starts: `(recording + 1,)`, where each begins, and the end of the last.
        channels: Names.
        labels: `(label, target)`, text or numbers as read.
        stepwise: Whether there is one row of labels a step, else one a recording.
        targets: Names.
        places: Where each recording stands: `pumps.csv, recording 'A3'`.
        groups: Subject or device of each, empty where unknown.
        parts: `(recording,)`, position in `gnas.data.parts.PARTS`, or `UNKNOWN`.
    """

    source: str
    values: Signal
    starts: NDArray[np.int64]
    channels: tuple[str, ...]
    labels: NDArray[Any]
    stepwise: bool
    targets: tuple[str, ...]
    places: tuple[str, ...]
    groups: tuple[str, ...]
    parts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each recording."""
        return np.diff(self.starts)

    def joined(self, other: Recordings) -> Recordings:
        """These and those of a second file.

        Raises:
            DataError: The channels, the targets or the kind of labels differ.
        """
        if len(self.channels) != len(other.channels):
            raise DataError(
                f"{len(other.channels)} channels",
                place=other.source,
                accepted=f"{len(self.channels)} as in {self.source}",
            )
        if self.stepwise != other.stepwise or bool(self.groups) != bool(other.groups):
            raise DataError(f"another layout than {self.source}", place=other.source, remedy="write both files alike")
        return Recordings(
            source=self.source,
            values=np.concatenate([self.values, other.values], axis=1),
            starts=np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            channels=self.channels,
            labels=np.concatenate([self.labels, other.labels]),
            stepwise=self.stepwise,
            targets=self.targets,
            places=self.places + other.places,
            groups=self.groups + other.groups,
            parts=np.concatenate([self.parts, other.parts]),
        )


def end_to_end(signals: Sequence[NDArray[Any]]) -> tuple[Signal, NDArray[np.int64]]:
    """Signals `(channel, step)` as `values` and `starts` of recordings."""
    starts = np.concatenate([[0], np.cumsum([signal.shape[1] for signal in signals])]).astype(np.int64)
    return np.concatenate(signals, axis=1).astype(np.float32), starts


def from_dense(values: NDArray[Any]) -> tuple[Signal, NDArray[np.int64]]:
    """Series `(series, channel, step)` as `values` and `starts`; steps missing in all channels at its end are cut."""
    n, channels, steps = values.shape
    missing = np.isnan(values).all(axis=1)
    if not missing.any():
        flat = np.moveaxis(values, 0, 1).reshape(channels, n * steps).astype(np.float32)
        return flat, np.arange(n + 1, dtype=np.int64) * steps
    present = ~missing
    ends = np.where(present.any(axis=1), steps - present[:, ::-1].argmax(axis=1), steps)
    return end_to_end([row[:, :end] for row, end in zip(values, ends.tolist(), strict=True)])


def part_codes(words: Sequence[object], places: Sequence[str]) -> NDArray[np.int64]:
    """Parts by name, or by the numbers 0, 1 and 2.

    Raises:
        DataError: A word is no part, with its place.
    """
    codes = []
    for word, place in zip(words, places, strict=True):
        text = str(word).strip().lower()
        if text not in _WORDS:
            accepted = "train, validation, test, or 0, 1, 2"
            raise DataError("not the name of a part", place=place, value=str(word), accepted=accepted)
        codes.append(_WORDS[text])
    return np.array(codes, dtype=np.int64)


_WORDS = {"train": 0, "training": 0, "0": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "1": 1}
_WORDS |= {"test": 2, "testing": 2, "2": 2}
