"""Raw: images as they were read, of any size and depth, with whatever stood beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.tables import Cell
from gnas.errors import DataError
from gnas_imaging.reading import Pixels, nearest, resized, with_channels

Codes = NDArray[np.int64]
"""Position in `PARTS` of each image."""

_WORDS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2, "testing": 2}
_NUMBERS = {"0": 0, "1": 1, "2": 2}


@dataclass(frozen=True, slots=True)
class Raw:
    """Images as they were read.

    Attributes:
        name: Of the data.
        source: File or folder, for messages.
        pixels: Of each image, `(…, channel)`; one array of all of them where they come so.
        places: Where each stands, for messages.
        targets: Labels of each image by the name of the target, as read.
        masks: Of each image, without channels; empty where there are none.
        groups: Patient or site of each; empty where it is unknown.
        codes: Part of each where the data name parts, else None.
        class_names: Names of the classes 0, 1, … where the data tell them.
        rows: Images listed; `skipped`: place and reason of those left out.
        notes: What is to be told.
    """

    name: str
    source: str
    pixels: Sequence[Pixels] | Pixels
    places: tuple[str, ...]
    targets: Mapping[str, tuple[Cell, ...]]
    masks: Sequence[Pixels] | Pixels = ()
    groups: tuple[str, ...] = ()
    codes: Codes | None = None
    class_names: tuple[str, ...] = ()
    rows: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.pixels)


def part_code(word: object, place: str) -> int:
    """Position in `PARTS` of a part by name, or by the numbers 0, 1 and 2.

    Raises:
        DataError: It is no part.
    """
    text = str(word).strip().lower()
    found = _WORDS.get(text, _NUMBERS.get(text))
    if found is None:
        raise DataError("not the name of a part", place=place, value=word, accepted="train, validation, test")
    return found


def is_part(word: str) -> bool:
    """Whether a word names a part."""
    return word.strip().lower() in _WORDS


def stacked(raw: Raw, size: tuple[int, ...] | None) -> Pixels:
    """All images as one array `(image, …, channel)`; grey ones become RGB where others are.

    Args:
        raw: The images.
        size: To which they are resized; None where all have one size.

    Raises:
        DataError: Sizes or numbers of dimensions differ, or `size` has another number of dimensions than the images.
    """
    pixels = raw.pixels
    if isinstance(pixels, np.ndarray) and (size is None or pixels.shape[1:-1] == size):
        return pixels
    first = pixels[0]
    channels = max(image.shape[-1] for image in pixels)
    wanted = _wanted(raw, size)
    kinds = {image.dtype for image in pixels}
    kind = next(iter(kinds)) if len(kinds) == 1 else np.dtype(np.float32)
    result = np.empty((len(pixels), *wanted, channels), dtype=kind)
    for i, image in enumerate(pixels):
        if image.ndim != first.ndim:
            raise DataError(
                "images and volumes are mixed",
                place=raw.places[i],
                value=f"{image.ndim - 1} dimensions",
                accepted=f"{first.ndim - 1} as {raw.places[0]}",
                remedy="keep one kind",
            )
        result[i] = with_channels(resized(image.astype(kind, copy=False), wanted), channels)
    return result


def stacked_masks(raw: Raw, size: tuple[int, ...]) -> NDArray[np.int64]:
    """All masks as one array `(image, …)` of class numbers at a size.

    Raises:
        DataError: A mask has another size than its image.
    """
    result = np.empty((len(raw), *size), dtype=np.int64)
    for i, mask in enumerate(raw.masks):
        if mask.shape != raw.pixels[i].shape[:-1]:
            raise DataError(
                "a mask has another size than its image",
                place=raw.places[i],
                value=_shape(mask.shape),
                accepted=_shape(raw.pixels[i].shape[:-1]),
            )
        result[i] = nearest(mask, size)
    return result


def _wanted(raw: Raw, size: tuple[int, ...] | None) -> tuple[int, ...]:
    first = raw.pixels[0].shape[:-1]
    if size is not None:
        if len(size) == 2 and len(first) == 3:
            # NOTE: one number stands for all sides of a volume too.
            size = (size[0], *size) if size[0] == size[1] else size
        if len(size) != len(first):
            raise DataError(
                f"size has {len(size)} numbers for images of {len(first)} dimensions",
                place="data.size",
                value=list(size),
                accepted="one number, or [height, width]"
                if len(first) == 2
                else "one number, or [depth, height, width]",
            )
        return size
    for place, image in zip(raw.places, raw.pixels, strict=True):
        if image.shape[:-1] != first and image.ndim == len(first) + 1:
            sides = [math.prod(other.shape[:-1]) ** (1 / len(first)) for other in raw.pixels]
            raise DataError(
                f"images differ in size: {raw.places[0]} is {_shape(first)}, {place} is {_shape(image.shape[:-1])}",
                place=raw.source,
                remedy=f"give data.size, for instance size: {round(float(np.median(sides)))}",
            )
    return first


def _shape(shape: Sequence[Any]) -> str:
    return "×".join(str(n) for n in shape)
