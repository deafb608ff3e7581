"""Recordings from `.npz` archives, from `.ts` files through aeon, and from data sets that come along."""

from __future__ import annotations

import difflib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError, MissingExtraError
from gnas_timeseries.options import SeriesData
from gnas_timeseries.recordings import UNKNOWN, Recordings, end_to_end, from_dense, part_codes

_LAYOUT = "X (series, channel, step) or (series, step), y (series,) or (series, target)"


def read_npz(path: Path, options: SeriesData) -> Recordings:
    """The recordings of an archive with `X`, `y` and perhaps `n_train` and arrays named by the options.

    Raises:
        DataError: It is damaged, holds other arrays, or shapes that do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        remedy = "save plain arrays, without pickled objects; pad series of unequal lengths with NaN at their ends"
        raise DataError(f"the archive cannot be read ({error})", place=str(path), remedy=remedy) from error
    values = _array(arrays, "X", "file", path)
    if values.ndim not in (2, 3) or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        shape = f"shape {values.shape} of {values.dtype}"
        raise DataError(f"X has {shape}", place=path.name, accepted=_LAYOUT, remedy="transpose X if its axes differ")
    values = values if values.ndim == 3 else values[:, None]
    n = len(values)
    if not values.size:
        raise DataError(f"X is empty: shape {values.shape}", place=path.name, accepted=_LAYOUT)
    labels = _labels(arrays, options, n, path)
    _check_infinite(values, path)
    flat, starts = from_dense(values.astype(np.float32, copy=False))
    places = tuple(f"{path.name} series {row}" for row in range(n))
    groups = () if options.group is None else tuple(map(str, _column(arrays, options.group, "group", n, path)))
    return Recordings(
        source=path.name,
        values=flat,
        starts=starts,
        channels=_channel_names(values.shape[1], options, path.name),
        labels=labels,
        stepwise=False,
        targets=options.targets or tuple("y" if labels.shape[1] == 1 else f"y{j}" for j in range(labels.shape[1])),
        places=places,
        groups=groups,
        parts=_npz_parts(arrays, options, n, path, places),
    )


def read_ts(path: Path, options: SeriesData) -> Recordings:
    """The recordings of a `.ts` file, read by aeon.

    Raises:
        DataError: aeon cannot read it, or it has no labels.
        MissingExtraError: aeon is absent.
    """
    if find_spec("aeon") is None:
        raise MissingExtraError.of("aeon", "timeseries")
    from aeon.datasets import load_from_ts_file

    try:
        found, labels = load_from_ts_file(str(path))
        signals = [np.asarray(signal, dtype=np.float64) for signal in found]
    except Exception as error:
        raise DataError(f"aeon cannot read the file ({error})", place=str(path)) from error
    if labels is None or len(labels) != len(signals) or not signals:
        raise DataError(
            "the file holds no labelled series", place=str(path), accepted="@classLabel true, or @targetLabel"
        )
    return from_signals(path.name, signals, np.asarray(labels, dtype=object)[:, None], options)


def read_embedded(name: str, options: SeriesData) -> Recordings:
    """The recordings of a data set that comes along.

    Raises:
        DataError: There is none of that name, or it has no such groups.
        MissingExtraError: The package that ships it is absent.
    """
    from gnas_datasets.series import load_series

    found = load_series(name)
    if options.group is not None and not found.groups:
        raise DataError("this data set does not name its subjects", place="data.group", value=options.group)
    recordings = from_signals(found.name, found.signals, np.array(found.labels, dtype=object)[:, None], options)
    parts = np.where(np.arange(len(recordings)) < found.n_train, 0, 2) if found.n_train else recordings.parts
    return Recordings(
        source=recordings.source,
        values=recordings.values,
        starts=recordings.starts,
        channels=options.channels or found.channels or recordings.channels,
        labels=recordings.labels,
        stepwise=False,
        targets=(found.target,),
        places=recordings.places,
        groups=found.groups,
        parts=parts.astype(np.int64),
    )


def from_signals(source: str, signals: list[NDArray[Any]], labels: NDArray[Any], options: SeriesData) -> Recordings:
    """Recordings of signals `(channel, step)` with labels `(recording, target)`, without groups and parts."""
    counts = {signal.shape[0] for signal in signals}
    if len(counts) > 1:
        raise DataError(f"series with {min(counts)} and {max(counts)} channels", place=source, accepted="one number")
    values, starts = end_to_end(signals)
    return Recordings(
        source=source,
        values=values,
        starts=starts,
        channels=_channel_names(values.shape[0], options, source),
        labels=labels,
        stepwise=False,
        targets=options.targets or ("y",),
        places=tuple(f"{source} series {row}" for row in range(len(signals))),
        groups=(),
        parts=np.full(len(signals), UNKNOWN, dtype=np.int64),
    )


def _array(arrays: dict[str, NDArray[Any]], name: str, key: str, path: Path) -> NDArray[Any]:
    if name in arrays:
        return arrays[name]
    near = [other for other in arrays if other.lower() == name.lower()] or difflib.get_close_matches(name, arrays, n=1)
    raise DataError(
        f"no array {name!r} in {path.name}",
        place=f"data.{key}",
        value=", ".join(arrays) or "none",
        accepted=_LAYOUT,
        remedy=f"did you mean {near[0]!r}?" if near else None,
    )


def _column(arrays: dict[str, NDArray[Any]], name: str, key: str, n: int, path: Path) -> NDArray[Any]:
    """An array with one entry a series."""
    found = _array(arrays, name, key, path)
    if found.shape != (n,):
        raise DataError(f"{name} has shape {found.shape}", place=path.name, accepted=f"({n},), one entry a series")
    return found


def _labels(arrays: dict[str, NDArray[Any]], options: SeriesData, n: int, path: Path) -> NDArray[Any]:
    if options.targets:
        columns = [_column(arrays, name, "targets", n, path) for name in options.targets]
        return np.stack([column.astype(object) for column in columns], axis=1)
    labels = _array(arrays, "y", "targets", path)
    if labels.ndim not in (1, 2) or len(labels) != n:
        raise DataError(f"y has shape {labels.shape} and X holds {n} series", place=path.name, accepted=_LAYOUT)
    return labels.astype(object).reshape(n, -1)


def _check_infinite(values: NDArray[Any], path: Path) -> None:
    if np.issubdtype(values.dtype, np.floating) and np.isinf(values).any():
        row, channel, step = (int(i) for i in np.argwhere(np.isinf(values))[0])
        raise DataError(
            f"an infinite value in channel {channel}, step {step}",
            place=f"{path.name} series {row}",
            accepted="numbers, or NaN where a value is missing",
        )


def _channel_names(count: int, options: SeriesData, source: str) -> tuple[str, ...]:
    if options.channels and len(options.channels) != count:
        problem = f"{source} has {count} channels and {len(options.channels)} names were given"
        raise DataError(problem, place="data.channels", accepted=f"{count} names")
    return options.channels or tuple(f"channel {number + 1}" for number in range(count))


def _npz_parts(
    arrays: dict[str, NDArray[Any]], options: SeriesData, n: int, path: Path, places: tuple[str, ...]
) -> NDArray[np.int64]:
    """Parts from the array that the split names, or from `n_train`: the first so many rows are the training part."""
    if options.split.column is not None:
        return part_codes(_column(arrays, options.split.column, "split.column", n, path).tolist(), places)
    if "n_train" not in arrays:
        return np.full(n, UNKNOWN, dtype=np.int64)
    n_train = arrays["n_train"]
    if n_train.shape not in ((), (1,)) or not 0 < int(n_train.reshape(())) < n:
        raise DataError("n_train", place=path.name, value=n_train.tolist(), accepted=f"one number from 1 to {n - 1}")
    return np.where(np.arange(n) < int(n_train.reshape(())), 0, 2).astype(np.int64)
