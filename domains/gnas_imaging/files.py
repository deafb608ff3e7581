"""Images as files: a table of paths, or one folder for each class."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gnas.data.tables import Cell, Table, read_table
from gnas.errors import DataError, MissingExtraError
from gnas_imaging.options import ImagingData
from gnas_imaging.raw import Codes, Raw, is_part, part_code
from gnas_imaging.reading import DICOM, ENDINGS, NIFTI, AbsentPackageError, Pixels, UnreadableError, read_image

_PATHS = ("path", "file", "image", "filename")
_TARGETS = ("label", "labels", "class", "target", "y")
_GROUPS = ("group", "patient", "patient_id", "site")
_PARTS = ("part", "split")
_ACCEPTED = (*ENDINGS, *NIFTI, *DICOM)


def read_csv(path: Path, options: ImagingData) -> Raw:
    """The images that a table lists.

    Raises:
        DataError: With file, line and column, and the remedy.
    """
    table = read_table(path)
    image = _column(table, options.images, "images", _PATHS)
    if image is None:
        accepted = ", ".join(table.columns)
        raise DataError(
            "no column is called path",
            place=table.source,
            accepted=accepted,
            remedy="name the column of paths with data.images",
        )
    mask = options.mask
    targets = options.targets or tuple(name for name in (_column(table, None, "targets", _TARGETS),) if name)
    if not targets and mask is None:
        accepted = ", ".join(table.columns)
        raise DataError(
            "no column is called label", place=table.source, accepted=accepted, remedy="name it with data.targets"
        )
    labels = {name: table.column(name, "targets") for name in targets}
    group = _column(table, options.group, "group", _GROUPS)
    part = _column(table, options.part, "part", _PARTS)
    paths = [_path(cell, path.parent, table.place(i)) for i, cell in enumerate(table.column(image, "images"))]
    places = [f"{table.place(i)} ({file.name})" for i, file in enumerate(paths)]
    kept, pixels, skipped = _read_all(paths, places, options)
    masks: Sequence[Pixels] = ()
    if mask is not None:
        cells = table.column(mask, "mask")
        masks = [_mask(_path(cells[i], path.parent, table.place(i)), table.place(i)) for i in kept]
    return Raw(
        name=path.name.partition(".")[0],
        source=path.name,
        pixels=pixels,
        places=tuple(places[i] for i in kept),
        targets={name: tuple(column[i] for i in kept) for name, column in labels.items()},
        masks=masks,
        groups=_groups(table, group, kept),
        codes=_codes(table, part, kept),
        rows=len(table),
        skipped=skipped,
    )


def read_folder(folder: Path, options: ImagingData) -> Raw:
    """The images of a folder with one folder for each class, or with parts that have one for each class.

    Raises:
        DataError: It is absent or empty, or an image in it cannot be read.
    """
    if not folder.is_dir():
        near = difflib.get_close_matches(folder.name, [p.name for p in folder.parent.glob("*") if p.is_dir()], n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "relative paths count from the spec's folder"
        raise DataError("no such folder", place="data.folder", value=str(folder), remedy=remedy)
    if options.task == "regression" or options.mask or options.targets or options.group or options.part:
        raise DataError(
            "a folder tells classes and nothing else",
            place="data.folder",
            value=str(folder),
            remedy="list the images in a CSV with the columns path, label, group, part, and give data.file",
        )
    below = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    parted = bool(below) and all(is_part(entry.name) for entry in below)
    found: list[tuple[Path, str, int]] = []
    for top in below if parted else [folder]:
        code = part_code(top.name, str(top)) if parted else -1
        for entry in sorted(top.iterdir()):
            if entry.is_dir():
                found += [(file, entry.name, code) for file in sorted(entry.rglob("*")) if _is_image(file)]
    if not found:
        raise DataError(
            "no images in folders of classes",
            place=str(folder),
            accepted=f"FOLDER/CLASS/IMAGE or FOLDER/train/CLASS/IMAGE, with {', '.join(_ACCEPTED)}",
            remedy="check the path",
        )
    places = [str(file.relative_to(folder)) for file, _, _ in found]
    kept, pixels, skipped = _read_all([file for file, _, _ in found], places, options)
    return Raw(
        name=folder.name,
        source=folder.name,
        pixels=pixels,
        places=tuple(places[i] for i in kept),
        targets={"label": tuple(found[i][1] for i in kept)},
        codes=np.array([found[i][2] for i in kept], dtype=np.int64) if parted else None,
        rows=len(found),
        skipped=skipped,
    )


def _read_all(
    paths: Sequence[Path], places: Sequence[str], options: ImagingData
) -> tuple[list[int], list[Pixels], tuple[tuple[str, str], ...]]:
    """Positions and pixels of the readable files, and the others with the reason."""
    kept: list[int] = []
    pixels: list[Pixels] = []
    skipped: list[tuple[str, str]] = []
    most = math.floor(options.max_unreadable * len(paths))
    for i, (path, place) in enumerate(zip(paths, places, strict=True)):
        try:
            pixels.append(read_image(path))
            kept.append(i)
        except AbsentPackageError as error:
            raise MissingExtraError.of(str(error), "imaging-volumes") from error
        except UnreadableError as error:
            skipped.append((place, str(error)))
            if len(skipped) > most:
                many = f"{len(skipped)} images, more than data.max_unreadable allows, " if most else "an image "
                raise DataError(
                    f"{many}cannot be read: {error}",
                    place=place,
                    value=str(path),
                    remedy="mend or remove it, or set data.max_unreadable to leave such images out",
                ) from error
    if not kept:
        raise DataError("no image can be read", place=places[0], value=skipped[0][1])
    return kept, pixels, tuple(skipped)


def _mask(path: Path, place: str) -> Pixels:
    try:
        return read_image(path)[..., 0]
    except AbsentPackageError as error:
        raise MissingExtraError.of(str(error), "imaging-volumes") from error
    except UnreadableError as error:
        raise DataError(f"a mask cannot be read: {error}", place=place, value=str(path)) from error


def _is_image(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.name.lower().endswith(_ACCEPTED)


def _path(cell: Cell, base: Path, place: str) -> Path:
    text = str(cell or "").strip()
    if not text:
        raise DataError("no path", place=place, remedy="fill the cell in, or remove the line")
    path = Path(text).expanduser()
    return path if path.is_absolute() else base / path


def _column(table: Table, asked: str | None, key: str, usual: Sequence[str]) -> str | None:
    if asked is not None:
        table.column(asked, key)
        return asked
    return next((name for word in usual for name in table.columns if name.lower() == word), None)


def _groups(table: Table, name: str | None, kept: Sequence[int]) -> tuple[str, ...]:
    if name is None:
        return ()
    cells = table.column(name, "group")
    for i in kept:
        if not str(cells[i] or "").strip():
            raise DataError(f"group {name!r} is empty", place=table.place(i), remedy="fill it in")
    return tuple(str(cells[i]) for i in kept)


def _codes(table: Table, name: str | None, kept: Sequence[int]) -> Codes | None:
    if name is None:
        return None
    cells = table.column(name, "part")
    return np.array([part_code(cells[i], table.place(i)) for i in kept], dtype=np.int64)
