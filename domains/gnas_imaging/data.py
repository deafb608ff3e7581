"""From a source to images with labels and parts: read, resize, split, look for leaks, bring to bytes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS, Parts
from gnas.data.tables import known_ending
from gnas.domain import DataSummary
from gnas.errors import DataError
from gnas_imaging.duplicates import digests, near_pairs, thumbnails
from gnas_imaging.labels import Labels, read_labels
from gnas_imaging.options import MEDMNIST, SYNTHETIC, ImagingData
from gnas_imaging.partition import Partition, partition
from gnas_imaging.raw import Raw, stacked, stacked_masks
from gnas_imaging.reading import Pixels, as_bytes

MIN_IMAGES = 12
_SHOWN = 3
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_SAMPLE = 2_000_000


@dataclass(frozen=True, slots=True)
class ImageData:
    """Images ready for a task.

    Attributes:
        name: Of the data.
        pixels: `(image, …, channel)` bytes.
        labels: Of each image.
        masks: `(image, …)` class numbers of a segmentation, else None.
        parts: Positions by part.
        groups: What stays together when the learning data are divided anew; empty where that is unknown.
        places: Where each image came from.
        window: Values that became 0 and 255; None where images were bytes already.
        summary: What to tell of the data.
    """

    name: str
    pixels: NDArray[np.uint8]
    labels: Labels
    masks: NDArray[np.int64] | None
    parts: Parts
    groups: tuple[Hashable, ...]
    places: tuple[str, ...]
    window: tuple[float, float] | None
    summary: DataSummary


def load_images(options: ImagingData, base: Path) -> ImageData:
    """Reads, checks and splits.

    Args:
        options: The checked `data:` section.
        base: Folder against which relative paths are read.

    Raises:
        DataError: With file, line or array, and the remedy.
        MissingExtraError: A package that the data need is absent.
    """
    raw = _source(options, base)
    if len(raw) < MIN_IMAGES:
        raise DataError("too few images", place=raw.source, value=len(raw), accepted=f"at least {MIN_IMAGES}")
    labels = read_labels(raw, options)
    pixels = stacked(raw, options.size)
    keys = digests(pixels)
    found = partition(raw, labels, keys, options.split)
    window = _window(pixels, found.parts, options)
    values = as_bytes(pixels, window)
    masks = None
    if labels.kind == "segmentation":
        masks = np.searchsorted(np.array(labels.mask_values), stacked_masks(raw, pixels.shape[1:-1]))
    near = _near(values, keys, found.parts, raw)
    summary = _summary(raw, labels, values, window, found, near, options)
    return ImageData(raw.name, values, labels, masks, found.parts, found.groups, raw.places, window, summary)


def _source(options: ImagingData, base: Path) -> Raw:
    if options.folder is not None:
        from gnas_imaging.files import read_folder

        return read_folder(base / Path(options.folder).expanduser(), options)
    if options.file is not None:
        path = base / Path(options.file).expanduser()
        ending = known_ending(path, (".npz", *_TABLES))
        if ending == ".npz":
            from gnas_imaging.arrays import read_npz

            return read_npz(path, options)
        from gnas_imaging.files import read_csv

        return read_csv(path, options)
    from gnas_imaging.embedded import load_dataset

    if options.dataset != SYNTHETIC and not str(options.dataset).startswith(MEDMNIST):
        accepted = f"{SYNTHETIC}, {MEDMNIST}NAME"
        raise DataError("unknown dataset", place="data.dataset", value=options.dataset, accepted=accepted)
    return load_dataset(options)


def _window(pixels: Pixels, parts: Parts, options: ImagingData) -> tuple[float, float] | None:
    """What becomes black and white: as asked, or from the training part where images are not bytes."""
    if options.window is not None:
        return options.window
    if pixels.dtype == np.uint8:
        return None
    train = pixels[parts.train].reshape(-1)
    step = max(1, len(train) // _SAMPLE)
    low, high = np.percentile(train[::step].astype(np.float64), (0.1, 99.9))
    if not low < high:
        place, remedy = "data.window", "give data.window: [low, high]"
        raise DataError("training images have one value only", place=place, value=float(low), remedy=remedy)
    return float(low), float(high)


def _near(pixels: NDArray[np.uint8], keys: tuple[bytes, ...], parts: Parts, raw: Raw) -> list[tuple[int, int]]:
    """Near-duplicates between a part and those before it, that are not the very same."""
    thumbs = thumbnails(pixels)
    pairs = near_pairs(thumbs, parts.train, parts.validation)
    pairs += near_pairs(thumbs, np.concatenate([parts.train, parts.validation]), parts.test)
    return [(i, j) for i, j in pairs if keys[i] != keys[j]]


def _summary(
    raw: Raw,
    labels: Labels,
    pixels: NDArray[np.uint8],
    window: tuple[float, float] | None,
    found: Partition,
    near: list[tuple[int, int]],
    options: ImagingData,
) -> DataSummary:
    split = options.split
    counts: dict[str, int] = {part: len(found.parts.of(part)) for part in PARTS}
    shape = "×".join(str(n) for n in pixels.shape[1:-1])
    facts = {
        "task": _task(labels),
        "images": f"{shape} pixels, {'RGB' if pixels.shape[-1] == 3 else 'grey'}",
        "split": found.kind + (f", seed {split.seed}" if found.kind != "given" else ""),
    }
    if raw.groups:
        facts["patients or sites"] = str(len(set(raw.groups)))
    if window is not None:
        facts["window"] = f"{window[0]:g} is black, {window[1]:g} is white"
    facts |= _counts(labels, found.parts, options.unit)
    warnings = list(found.warnings)
    if near:
        shown = "; ".join(f"{raw.places[i]} and {raw.places[j]}" for i, j in near[:_SHOWN])
        warnings.append(f"{len(near)} images look nearly the same as one of another part: {shown}")
    small = [part for part in PARTS if counts[part] < 30]
    warnings += [f"the {part} part holds {counts[part]} images: its metrics are noisy" for part in small]
    notes = [*raw.notes, *found.notes]
    if options.task == "auto":
        notes.insert(0, f"task inferred from the labels: {labels.kind}")
    if labels.kind == "binary":
        notes.append(f"the positive class is {labels.names[1]!r}")
    return DataSummary(
        rows=raw.rows,
        used=sum(counts.values()),
        parts=counts,
        skipped=raw.skipped,
        notes=tuple(notes),
        warnings=tuple(warnings),
        facts=facts,
    )


def _task(labels: Labels) -> str:
    word = "targets" if labels.kind in ("multilabel", "regression") else "classes"
    shown = ", ".join(labels.names[:12]) + (", …" if len(labels.names) > 12 else "")
    return f"{labels.kind}, {len(labels.names)} {word}: {shown}"


def _counts(labels: Labels, parts: Parts, unit: str) -> dict[str, str]:
    """How often each class is in each part, or how a quantity is spread."""
    found = {}
    for j, name in enumerate(labels.names[:12]):
        if labels.kind == "segmentation":
            continue
        if labels.kind == "regression":
            values = labels.values[:, j][~np.isnan(labels.values[:, j])]
            spread = f"mean {values.mean():.3g}, std {values.std():.3g}, range {values.min():.3g} … {values.max():.3g}"
            found[name] = f"{spread} {unit}".strip()
            continue
        column = labels.values[:, 0] == j if labels.kind == "binary" else labels.values[:, j] == 1
        found[name] = ", ".join(f"{part} {int(column[parts.of(part)].sum())}" for part in PARTS)
    return found
