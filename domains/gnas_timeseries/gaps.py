"""Missing values, filled inside a recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError
from gnas_timeseries.recordings import Recordings


def fill_gaps(recordings: Recordings, policy: str, most: float) -> tuple[Recordings, tuple[str, ...]]:
    """Recordings without missing values, and remarks.

    A gap gets the straight line between its neighbours in its recording and channel; one at an end repeats the nearest
    value. Nothing passes from one recording to another.

    Args:
        recordings: With NaN where a value is missing.
        policy: `interpolate`, or `error`.
        most: Largest fraction of a channel of a recording that may be missing.

    Raises:
        DataError: A value is missing and may not be, a channel of a recording is empty, or misses more than `most`.
    """
    missing = np.isnan(recordings.values)
    if not missing.any():
        return recordings, ()
    values = recordings.values.copy()
    owner = np.repeat(np.arange(len(recordings)), recordings.lengths)
    touched = 0
    for channel, name in enumerate(recordings.channels):
        for recording in np.unique(owner[missing[channel]]).tolist():
            start, end = recordings.starts[recording : recording + 2]
            gaps = missing[channel, start:end]
            _check(gaps, recordings.places[recording], name, policy, most)
            steps = np.arange(end - start)
            known = ~gaps
            values[channel, start:end][gaps] = np.interp(steps[gaps], steps[known], values[channel, start:end][known])
            touched += 1
    n = int(missing.sum())
    note = f"{n} missing values ({n / missing.size:.2%}) in {touched} channels of recordings filled by straight lines"
    return replace(recordings, values=values), (note,)


def _check(gaps: NDArray[np.bool_], place: str, channel: str, policy: str, most: float) -> None:
    where = f"{place}, channel {channel!r}"
    if gaps.all():
        remedy = "remove the recording, or leave the channel out with data.channels"
        raise DataError("every value is missing (NaN)", place=where, remedy=remedy)
    if policy == "error":
        step = int(np.flatnonzero(gaps)[0]) + 1
        raise DataError(
            f"{int(gaps.sum())} values are missing (NaN), the first at step {step}",
            place=where,
            remedy="fill them in, or set data.missing to interpolate",
        )
    if gaps.mean() > most:
        raise DataError(
            f"{gaps.mean():.0%} of the values are missing (NaN)",
            place=where,
            accepted=f"at most {most:.0%}",
            remedy="remove the recording, or raise data.max_missing",
        )
