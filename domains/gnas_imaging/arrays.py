"""Images in `.npz` files: the layout of MedMNIST, and single arrays of images with labels."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS
from gnas.data.tables import Cell
from gnas.errors import DataError
from gnas_imaging.options import ImagingData
from gnas_imaging.raw import Codes, Raw, part_code
from gnas_imaging.reading import UnreadableError, shaped

Arrays = Mapping[str, NDArray[Any]]

_PREFIXES = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test",)}
_IMAGES = ("images", "x", "X", "image")
_LABELS = ("labels", "label", "y", "Y", "targets")
_MASKS = ("masks", "mask")
_GROUPS = ("groups", "group", "patients", "patient")
_LAYOUT = "train_images, train_labels, val_images, val_labels, test_images, test_labels; or images and labels"


def read_npz(path: Path, options: ImagingData) -> Raw:
    """The images of a file.

    Raises:
        DataError: The file is damaged or has another layout, or its arrays do not fit together.
    """
    try:
        # NOTE: NumPy leaves a file that it opened itself open where it is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"not an .npz file of arrays, or damaged ({str(error).splitlines()[0]})",
            place=str(path),
            remedy="write it anew with numpy.savez",
        ) from error
    return raw_of_arrays(arrays, path.name, options)


def raw_of_arrays(arrays: Arrays, source: str, options: ImagingData) -> Raw:
    """The images of arrays by name.

    Raises:
        DataError: The layout is another one, or the arrays do not fit together.
    """
    by_part = any(_find(arrays, f"{prefix}_images") for prefix in _PREFIXES["train"])
    return _by_part(arrays, source, options) if by_part else _whole(arrays, source, options)


def _by_part(arrays: Arrays, source: str, options: ImagingData) -> Raw:
    """Three parts, each with its images and labels; a missing validation part is taken from training later."""
    images, labels, masks, groups, codes, places = [], [], [], [], [], []
    for code, part in enumerate(PARTS):
        prefix = next((p for p in _PREFIXES[part] if _find(arrays, f"{p}_images")), None)
        if prefix is None:
            if part == "validation":
                continue
            raise _layout(arrays, source, f"{_PREFIXES[part][0]}_images")
        found = _images(arrays, f"{prefix}_images", source)
        images.append(found)
        n = len(found)
        places += [f"{source} {prefix}_images[{i}]" for i in range(n)]
        codes.append(np.full(n, code, dtype=np.int64))
        mask = _find(arrays, f"{prefix}_masks")
        if mask is not None:
            masks.append(_aligned(arrays, mask, n, f"{prefix}_images", source))
        label = _find(arrays, f"{prefix}_labels")
        if label is not None:
            labels.append(_aligned(arrays, label, n, f"{prefix}_images", source))
        elif not masks:
            raise _layout(arrays, source, f"{prefix}_labels")
        group = _group_name(arrays, options, prefix)
        if group is not None:
            groups.append(_aligned(arrays, group, n, f"{prefix}_images", source))
    shapes = {array.shape[1:] for array in images}
    if len(shapes) > 1:
        raise DataError("the parts hold images of different shapes", place=source, value=sorted(shapes))
    return Raw(
        name=source.partition(".")[0],
        source=source,
        pixels=np.concatenate(images),
        places=tuple(places),
        targets=_targets(np.concatenate(labels), source) if labels else {},
        masks=np.concatenate(masks) if masks else (),
        groups=tuple(str(group) for group in np.concatenate(groups)) if groups else (),
        codes=np.concatenate(codes),
        class_names=_class_names(arrays),
        rows=len(places),
    )


def _whole(arrays: Arrays, source: str, options: ImagingData) -> Raw:
    """One array of images; the parts come from an array, or a split is drawn."""
    name = _named(arrays, options.images, "images", _IMAGES, source)
    pixels = _images(arrays, name, source)
    n = len(pixels)
    mask = options.mask or next((m for m in _MASKS if m in arrays), None)
    targets: Mapping[str, tuple[Cell, ...]] = {}
    if options.targets or any(label in arrays for label in _LABELS) or mask is None:
        asked = options.targets or (_named(arrays, None, "targets", _LABELS, source),)
        for target in asked:
            found = _aligned(arrays, _named(arrays, target, "targets", (), source), n, name, source)
            targets = {**targets, **_targets(found, source, target if len(asked) > 1 else "label")}
    group = _group_name(arrays, options, None)
    part = _named(arrays, options.part, "part", (), source) if options.part else None
    places = tuple(f"{source} {name}[{i}]" for i in range(n))
    masks = () if mask is None else _aligned(arrays, _named(arrays, mask, "mask", (), source), n, name, source)
    return Raw(
        name=source.partition(".")[0],
        source=source,
        pixels=pixels,
        places=places,
        targets=targets,
        masks=masks,
        groups=() if group is None else tuple(str(g) for g in _aligned(arrays, group, n, name, source)),
        codes=None if part is None else _codes(_aligned(arrays, part, n, name, source), places),
        class_names=_class_names(arrays),
        rows=n,
    )


def _find(arrays: Arrays, name: str) -> str | None:
    return name if name in arrays else None


def _named(arrays: Arrays, asked: str | None, key: str, usual: tuple[str, ...], source: str) -> str:
    """The array a key of the spec names, or the first of the usual names."""
    if asked is not None:
        if asked in arrays:
            return asked
        near = difflib.get_close_matches(asked, arrays, n=1)
        raise DataError(
            f"no such array in {source}",
            place=f"data.{key}",
            value=asked,
            accepted=", ".join(arrays),
            remedy=f"did you mean {near[0]!r}?" if near else None,
        )
    found = next((name for name in usual if name in arrays), None)
    if found is None:
        raise _layout(arrays, source, usual[0])
    return found


def _layout(arrays: Arrays, source: str, missing: str) -> DataError:
    return DataError(
        f"no array {missing!r}",
        place=source,
        value=", ".join(arrays) or "no arrays",
        accepted=_LAYOUT,
        remedy="or name the arrays with data.images and data.targets",
    )


def _images(arrays: Arrays, name: str, source: str) -> NDArray[Any]:
    """Images `(image, …, channel)`."""
    array = arrays[name]
    try:
        if array.ndim < 3 or len(array) == 0:
            raise UnreadableError(f"an array of shape {array.shape} holds no images")
        channels = shaped(array[0])
        return array.reshape(len(array), *channels.shape[:-1], -1)[..., : channels.shape[-1]]
    except UnreadableError as error:
        accepted = "(image, height, width), (image, height, width, 3), or (image, depth, height, width)"
        raise DataError(str(error), place=f"{source} {name}", accepted=accepted) from error


def _aligned(arrays: Arrays, name: str, n: int, images: str, source: str) -> NDArray[Any]:
    array = arrays[name]
    if array.ndim == 0 or len(array) != n:
        raise DataError(
            f"{name} and {images} are not aligned",
            place=source,
            value=f"{0 if array.ndim == 0 else len(array)} and {n} rows",
            accepted="one row for each image",
        )
    return array


def _targets(labels: NDArray[Any], source: str, name: str = "label") -> dict[str, tuple[Cell, ...]]:
    """Columns of labels `(image,)`, `(image, 1)` or `(image, target)`."""
    if labels.ndim > 2 or labels.dtype.kind not in "biufU":
        accepted = "numbers or text of shape (image,), (image, 1) or (image, target)"
        raise DataError(
            "labels of another form", place=source, value=f"{labels.dtype} {labels.shape}", accepted=accepted
        )
    columns = labels.reshape(len(labels), -1)
    names = [name] if columns.shape[1] == 1 else [f"{name} {j}" for j in range(columns.shape[1])]
    return {key: tuple(columns[:, j].tolist()) for j, key in enumerate(names)}


def _codes(words: NDArray[Any], places: tuple[str, ...]) -> Codes:
    return np.array(
        [part_code(word, place) for word, place in zip(words.tolist(), places, strict=True)], dtype=np.int64
    )


def _group_name(arrays: Arrays, options: ImagingData, prefix: str | None) -> str | None:
    """The array of groups: as asked, with the part's name before it where arrays come by part, or by a usual name."""
    if options.group is not None:
        asked = options.group if prefix is None else f"{prefix}_{options.group}"
        return _named(arrays, asked, "group", (), "the file")
    usual = _GROUPS if prefix is None else tuple(f"{prefix}_{group}" for group in _GROUPS)
    return next((name for name in usual if name in arrays), None)


def _class_names(arrays: Arrays) -> tuple[str, ...]:
    found = arrays.get("classes", arrays.get("class_names"))
    return tuple(str(name) for name in found) if found is not None and found.ndim == 1 else ()
