"""The same stretch of signal in two parts of a split: windows that overlap, copies of a series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS
from gnas.errors import DataError

_SHORTEST = 16
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_Hashes = NDArray[np.uint64]


def shared_stretches(
    values: NDArray[np.float32], codes: NDArray[np.int64], places: list[str], policy: str
) -> tuple[str, ...]:
    """A warning where series of different parts have a stretch in common, sample by sample.

    A stretch is a quarter of a series, at least 16 steps (or all it has), at the beginning or the end of a series of
    validation or test, found anywhere in one of an earlier part. Stretches in which nothing changes do not count.

    Args:
        values: `(series, channel, step)`.
        codes: `(series,)`, position of each one's part in `PARTS`.
        places: Of each series.
        policy: `error`, or `warn`.

    Raises:
        DataError: There is one and the policy is `error`.
    """
    length = min(values.shape[2], max(_SHORTEST, values.shape[2] // 4))
    hashes, lively = _rolling(values, length)
    width = hashes.shape[1]
    for later in (2, 1):
        here, before = np.flatnonzero(codes == later), np.flatnonzero(codes < later)
        if not len(here) or not len(before):
            continue
        ends = np.array([0, width - 1])
        wanted = hashes[np.ix_(here, ends)]
        wanted_lively = lively[np.ix_(here, ends)]
        common = np.isin(wanted, _members(hashes[before], np.unique(wanted[wanted_lively]))) & wanted_lively
        if not common.any():
            continue
        rows = np.flatnonzero(common.any(axis=1))
        value = wanted[rows[0], int(common[rows[0]].argmax())]
        other = int(before[np.flatnonzero((hashes[before] == value).any(axis=1))[0]])
        first = int(here[rows[0]])
        problem = (
            f"{len(rows)} series of the {PARTS[later]} part share {length} or more consecutive steps with series of "
            f"another part, for instance {places[first]} with {places[other]} ({PARTS[codes[other]]}): overlapping "
            "windows or copies"
        )
        if policy == "warn":
            return (problem,)
        remedy = "split by recording (data.group), remove the copies, or set data.split.leaks to warn"
        raise DataError(problem, place="data.split", remedy=remedy)
    return ()


def _rolling(values: NDArray[np.float32], length: int) -> tuple[_Hashes, NDArray[np.bool_]]:
    """Hash of each stretch `(series, start)`, and whether something changes in it."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    step = np.zeros((values.shape[0], values.shape[2]), dtype=np.uint64)
    for channel in range(values.shape[1]):
        step = step * _MULTIPLIER + bits[:, channel]
    step ^= step >> np.uint64(29)
    starts = values.shape[2] - length + 1
    hashes = step[:, :starts].copy()
    for offset in range(1, length):
        hashes *= _MULTIPLIER
        hashes += step[:, offset : offset + starts]
    changes = np.zeros((values.shape[0], values.shape[2]), dtype=np.int32)
    np.cumsum(step[:, 1:] != step[:, :-1], axis=1, out=changes[:, 1:])
    return hashes, 2 * (changes[:, length - 1 :] - changes[:, :starts]) >= length


def _members(many: _Hashes, few: _Hashes) -> _Hashes:
    """Those of `few`, which ascend, that are among `many`."""
    if not len(few):
        return few
    found: list[_Hashes] = []
    for rows in np.array_split(many, max(1, many.size // 2_000_000)):
        flat = rows.ravel()
        nearest = few[np.minimum(np.searchsorted(few, flat), len(few) - 1)]
        found.append(np.unique(flat[nearest == flat]))
    return np.unique(np.concatenate(found))
