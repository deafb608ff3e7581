"""From a file to series with labels and parts: read, fill gaps, split recordings, cut windows, look for leaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS, Parts, parts_of
from gnas.data.tables import TEXT, known_ending
from gnas.domain import DataSummary
from gnas.errors import DataError
from gnas_timeseries.archives import read_embedded, read_npz, read_ts
from gnas_timeseries.csvfile import read_csv
from gnas_timeseries.gaps import fill_gaps
from gnas_timeseries.labels import Labels, read_labels
from gnas_timeseries.leaks import shared_stretches
from gnas_timeseries.options import SeriesData, SplitKind
from gnas_timeseries.partition import Partition, partition
from gnas_timeseries.recordings import Recordings
from gnas_timeseries.windows import Windows, cut_windows, whole_recordings

MIN_SERIES = 20
_SMALL_PART = 30


@dataclass(frozen=True, slots=True)
class Series:
    """Series ready to be trained on.

    Attributes:
        name: Of the data.
        channels: Names.
        windows: The series, their labels and recordings.
        labels: Kind of the task, and the names of its classes.
        targets: Names.
        parts: Positions by part.
        groups: Group of each series that a split keeps together: the subject, or else the recording.
        named_groups: Whether `groups` are subjects or devices that the data name.
        split: Kind of the split.
        free: Whether other learning data might validate as well.
        unit: Of the targets, empty if unknown.
        summary: What to tell of the data.
    """

    name: str
    channels: tuple[str, ...]
    windows: Windows
    labels: Labels
    targets: tuple[str, ...]
    parts: Parts
    groups: tuple[str, ...]
    named_groups: bool
    split: SplitKind
    free: bool
    unit: str
    summary: DataSummary


def load_series(options: SeriesData, base: Path) -> Series:
    """Reads, checks, splits and cuts.

    Args:
        options: The checked `data:` section.
        base: Folder against which relative paths are read.

    Raises:
        DataError: With file, line or column, and the remedy.
        MissingExtraError: A file or a data set needs aeon, which is absent.
    """
    recordings = _read(options, base)
    labels = read_labels(recordings, options.task, options.cap)
    notes = [f"task inferred from the targets: {labels.kind}"] if options.task == "auto" else []
    recordings, gap_notes = fill_gaps(recordings, options.missing, options.max_missing)
    windows = _windows(recordings, labels, options)
    n_rows = len(windows)
    unlabelled = np.asarray(np.isnan(windows.labels).all(axis=1))
    skipped = [(recordings.places[i], "no label") for i in windows.recording[unlabelled].tolist()]
    windows = windows.take(~unlabelled)
    if len(windows) < MIN_SERIES:
        raise DataError(
            "too few series",
            place=recordings.source,
            value=len(windows),
            accepted=f"at least {MIN_SERIES} with a label",
        )
    found = _partition(recordings, labels, windows, options)
    codes = found.codes[windows.recording]
    if options.window is not None and options.window.test == "last":
        last = np.append(np.diff(windows.recording) != 0, True)
        kept = (codes != 2) | last
        windows, codes = windows.take(kept), codes[kept]
    parts = parts_of([np.flatnonzero(codes == code).tolist() for code in range(3)])
    places = [recordings.places[i] for i in windows.recording.tolist()]
    leaks = shared_stretches(windows.values, codes, places, options.split.leaks)
    warnings = (*found.warnings, *leaks, *_part_warnings(parts, windows, labels))
    groups = recordings.groups or recordings.places
    summary = _summary(recordings, windows, labels, parts, found, options)
    return Series(
        name=Path(recordings.source).name.partition(".")[0],
        channels=recordings.channels,
        windows=windows,
        labels=labels.with_values(windows.labels),
        targets=recordings.targets,
        parts=parts,
        groups=tuple(groups[i] for i in windows.recording.tolist()),
        named_groups=bool(recordings.groups),
        split=found.kind,
        free=found.free,
        unit=options.unit or "",
        summary=replace(
            summary, rows=n_rows, skipped=tuple(skipped), notes=(*notes, *gap_notes, *found.notes), warnings=warnings
        ),
    )


def _read(options: SeriesData, base: Path) -> Recordings:
    if options.dataset is not None:
        return read_embedded(options.dataset, options)
    recordings = _read_file(options.file or "", options, base)
    if options.test_file is None:
        return recordings
    if (recordings.parts == 2).any():
        raise DataError("the first file names a test part already", place="data.test_file", value=options.test_file)
    test = _read_file(options.test_file, options, base)
    learnt = np.where(recordings.parts == 1, 1, 0)
    return replace(recordings, parts=learnt).joined(replace(test, parts=np.full(len(test), 2, dtype=np.int64)))


def _read_file(name: str, options: SeriesData, base: Path) -> Recordings:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else base / path
    ending = known_ending(path, (*TEXT, ".npz", ".ts"))
    if ending == ".npz":
        return read_npz(path, options)
    return read_ts(path, options) if ending == ".ts" else read_csv(path, options)


def _windows(recordings: Recordings, labels: Labels, options: SeriesData) -> Windows:
    if options.window is None:
        windows = whole_recordings(recordings, labels, options.unequal)
    else:
        windows = cut_windows(recordings, labels, options.window, options.unequal)
    if windows.values.shape[2] < 2:
        remedy = "check the layout, X is (series, channel, step)"
        raise DataError("series of a single step", place=recordings.source, remedy=remedy)
    return windows


def _partition(recordings: Recordings, labels: Labels, windows: Windows, options: SeriesData) -> Partition:
    """Parts of the recordings; classes are shared out by the first label of each."""
    by_recording = np.full((len(recordings), windows.labels.shape[1]), np.nan)
    by_recording[windows.recording[::-1]] = windows.labels[::-1]
    used = np.unique(windows.recording)
    if len(used) == len(recordings):
        return partition(recordings, labels.with_values(by_recording), options.split)
    some = replace(
        recordings,
        places=tuple(recordings.places[i] for i in used.tolist()),
        groups=tuple(recordings.groups[i] for i in used.tolist()) if recordings.groups else (),
        parts=recordings.parts[used],
    )
    found = partition(some, labels.with_values(by_recording[used]), options.split)
    codes = np.zeros(len(recordings), dtype=np.int64)
    codes[used] = found.codes
    return replace(found, codes=codes)


def _part_warnings(parts: Parts, windows: Windows, labels: Labels) -> tuple[str, ...]:
    """Small parts and absent classes.

    Raises:
        DataError: A class is absent from training, or a target has one value only there.
    """
    found = []
    for part in PARTS:
        inside = windows.labels[parts.of(part)]
        if len(inside) < _SMALL_PART:
            found.append(f"the {part} part holds {len(inside)} series: its metrics are noisy")
        if labels.kind == "classification":
            present = set(inside[:, 0].astype(int).tolist())
            absent = [name for code, name in enumerate(labels.classes) if code not in present]
            if absent and part == "train":
                remedy = "use another split kind, seed or fractions, or remove the series of that class"
                named = ", ".join(map(repr, absent))
                raise DataError(f"class {named} is absent from training", place="data.split", remedy=remedy)
            if absent:
                found.append(
                    f"the {part} part lacks {len(absent)} of {len(labels.classes)} classes: {', '.join(absent)}"
                )
        elif part == "train":
            _check_targets(inside)
    return tuple(found)


def _check_targets(train: NDArray[np.float64]) -> None:
    for target, column in enumerate(train.T):
        if len(np.unique(column[~np.isnan(column)])) < 2:
            remedy = "use another split kind, seed or fractions"
            raise DataError(f"target {target + 1} has one value only in training", place="data.split", remedy=remedy)


def _summary(
    recordings: Recordings, windows: Windows, labels: Labels, parts: Parts, found: Partition, options: SeriesData
) -> DataSummary:
    values, window = windows.values, options.window
    named = ", ".join(recordings.channels[:6]) + (", …" if len(recordings.channels) > 6 else "")
    seeded = found.kind in ("random", "group")
    facts = {
        "task": f"{labels.kind}, {', '.join(recordings.targets)}",
        "series": f"{values.shape[1]} channels ({named}), {values.shape[2]} steps",
        "split": f"{found.kind}{f', seed {options.split.seed}' if seeded else ''}",
        "recordings": f"{len(recordings)}" + (f" of {len(set(recordings.groups))} groups" if recordings.groups else ""),
    }
    if window is not None:
        facts["windows"] = f"{window.length} steps, one every {window.stride or window.length}, inside a recording"
    short = int((windows.steps < values.shape[2]).sum())
    if options.unequal == "pad" and short:
        facts["padded"] = f"{short} series, with a channel that tells which steps are there"
    if options.unequal == "crop" and window is None:
        facts["cropped"] = f"to the first {values.shape[2]} steps"
    if labels.kind == "classification":
        counts = np.bincount(windows.labels[:, 0].astype(int), minlength=len(labels.classes))
        told = [f"{name} {count}" for name, count in zip(labels.classes, counts.tolist(), strict=True)]
        facts["classes"] = ", ".join(told[:20])
    elif labels.kind == "regression":
        for name, column in zip(recordings.targets[:12], windows.labels.T, strict=False):
            there = column[~np.isnan(column)]
            facts[name] = f"mean {there.mean():.3g}, std {there.std():.3g}, range {there.min():.3g} … {there.max():.3g}"
    return DataSummary(
        rows=len(recordings), used=len(windows), parts={part: len(parts.of(part)) for part in PARTS}, facts=facts
    )
