"""Series of one length: recordings whole, or cut into windows that never leave them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError
from gnas_timeseries.labels import FloatMatrix, Labels
from gnas_timeseries.options import Window
from gnas_timeseries.predict import reflected
from gnas_timeseries.recordings import Recordings

Signals = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Windows:
    """Series of one length.

    Attributes:
        values: `(series, channel, step)`, zeros after the end of a shorter one.
        steps: `(series,)`, steps that are there.
        recording: `(series,)`, the recording of each.
        labels: `(series, target)`.
    """

    values: Signals
    steps: NDArray[np.int64]
    recording: NDArray[np.int64]
    labels: FloatMatrix

    def __len__(self) -> int:
        return len(self.recording)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Windows:
        """Some of the series."""
        return Windows(self.values[chosen], self.steps[chosen], self.recording[chosen], self.labels[chosen])


def whole_recordings(recordings: Recordings, labels: Labels, unequal: str) -> Windows:
    """Each recording as one series.

    Raises:
        DataError: Lengths differ and `unequal` is `error`.
    """
    lengths = recordings.lengths
    if unequal == "error" and lengths.min() != lengths.max():
        raise _unequal(recordings)
    length = int(lengths.min() if unequal == "crop" else lengths.max())
    everyone = np.arange(len(recordings))
    steps = np.minimum(lengths, length)
    if lengths.min() == lengths.max():
        values = np.ascontiguousarray(
            np.moveaxis(recordings.values.reshape(len(recordings.channels), -1, length), 0, 1)
        )
    else:
        values = _gather(recordings, everyone, np.zeros_like(everyone), steps, length)
    last = np.minimum(recordings.starts[:-1] + steps, recordings.starts[1:])
    return Windows(values, steps, everyone, _labels(recordings, labels, recordings.starts[:-1], last, everyone, "auto"))


def cut_windows(recordings: Recordings, labels: Labels, window: Window, unequal: str) -> Windows:
    """Recordings cut into windows; what a recording has left over, shorter than a stride, is left out at its beginning.

    Windows are aligned to the end of a recording, whose last steps matter most where something fails. With
    `window.least` a recording's first windows begin before it: what is missing is the signal reflected there.

    Raises:
        DataError: A recording is shorter than a window, or than its `least`, and `unequal` is not `pad`.
    """
    lengths, length = recordings.lengths, window.length
    least = window.least or length
    short = np.flatnonzero(lengths < least)
    if len(short) and unequal != "pad":
        raise DataError(
            f"{len(short)} of {len(recordings)} recordings are shorter than the window, this one has "
            f"{int(lengths[short[0]])} steps",
            place=recordings.places[int(short[0])],
            accepted=f"at least data.window.{'least' if window.least else 'length'} = {least} steps",
            remedy="shorten the window or its least, remove the recording, or set data.unequal to pad",
        )
    stride = window.stride or length
    counts = np.maximum((lengths - least) // stride, 0) + 1
    recording = np.repeat(np.arange(len(recordings)), counts)
    place = np.arange(len(recording)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Where every step of a window is there, its offset is 0 or more; it is less where the window begins before them.
    last = lengths - length if window.least else np.maximum(lengths - length, 0)
    offset = last[recording] - (np.repeat(counts, counts) - 1 - place) * stride
    steps = np.full(len(recording), length) if window.least else np.minimum(lengths[recording], length)
    values = _gather(recordings, recording, offset, steps, length)
    start = recordings.starts[recording]
    begin, end = start + np.maximum(offset, 0), start + offset + steps
    found = _labels(recordings, labels, begin, end, recording, window.label)
    return Windows(values, steps, recording, found)


def _gather(
    recordings: Recordings,
    recording: NDArray[np.int64],
    offset: NDArray[np.int64],
    steps: NDArray[np.int64],
    length: int,
) -> Signals:
    within = np.arange(length)
    there = within < steps[:, None]
    place = reflected(offset[:, None] + within, recordings.lengths[recording, None])
    index = np.where(there, recordings.starts[recording, None] + place, 0)
    values = np.moveaxis(recordings.values[:, index], 0, 1)
    return np.ascontiguousarray(np.where(there[:, None], values, np.float32(0)))


def _labels(
    recordings: Recordings,
    labels: Labels,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    recording: NDArray[np.int64],
    choice: str,
) -> FloatMatrix:
    """Label of each window: its recording's; or that of its last step, or the commonest of its steps."""
    if not recordings.stepwise:
        return labels.values[recording]
    if choice == "last" or (choice == "auto" and labels.kind == "regression"):
        return labels.values[end - 1]
    return np.array([_commonest(labels.values[a:b]) for a, b in zip(begin.tolist(), end.tolist(), strict=True)])


def _commonest(values: FloatMatrix) -> list[float]:
    """The commonest value of each target, the lowest of equally common ones; NaN where none is there."""
    found = []
    for column in values.T:
        distinct, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        found.append(float(distinct[counts.argmax()]) if len(distinct) else float("nan"))
    return found


def _unequal(recordings: Recordings) -> DataError:
    lengths = recordings.lengths
    short, long = int(lengths.argmin()), int(lengths.argmax())
    return DataError(
        f"series of unequal lengths: {int(lengths[short])} steps here and {int(lengths[long])} in "
        f"{recordings.places[long]}",
        place=recordings.places[short],
        remedy="set data.unequal to pad or crop, or cut recordings with data.window",
    )
