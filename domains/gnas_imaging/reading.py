"""One image file to an array, and its way to a size: shipped beside exported models too.

Arrays are `(row, column, channel)` or, for volumes, `(depth, row, column, channel)`, with 1 or 3 channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy")
NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".dicom")

Pixels = NDArray[Any]


class UnreadableError(Exception):
    """A file that is no image; the message says why."""


class AbsentPackageError(Exception):
    """A package that a format needs is not installed; the message is its name."""


def read_image(path: Path) -> Pixels:
    """An image or volume file as an array of its own bit depth.

    Grey images have one channel and all others three; transparency is laid over black.

    Raises:
        UnreadableError: It cannot be read as an image.
        AbsentPackageError: Its format needs a package that is absent.
    """
    name = path.name.lower()
    if name.endswith(NIFTI):
        return _read_nifti(path)
    if name.endswith(DICOM):
        return _read_dicom(path)
    if name.endswith(".npy"):
        return _read_array(path)
    return _read_picture(path)


def resized(pixels: Pixels, size: Sequence[int]) -> Pixels:
    """An image at another size, `(height, width)` or `(depth, height, width)`, by linear interpolation with smoothing.

    Numbers keep their type; whole ones are rounded.
    """
    if pixels.shape[:-1] == tuple(size):
        return pixels
    result = pixels.astype(np.float32)
    for axis in range(len(size)):
        result = _along(result, axis, size[axis])
    if np.issubdtype(pixels.dtype, np.integer):
        bounds = np.iinfo(pixels.dtype)
        result = np.clip(np.rint(result), bounds.min, bounds.max)
    return result.astype(pixels.dtype)


def nearest(mask: Pixels, size: Sequence[int]) -> Pixels:
    """A mask at another size, each place with the value of the nearest."""
    for axis, n in enumerate(size):
        place = ((np.arange(n) + 0.5) * mask.shape[axis] / n).astype(np.int64)
        mask = np.take(mask, place, axis=axis)
    return mask


def as_bytes(pixels: Pixels, window: Sequence[float] | None) -> NDArray[np.uint8]:
    """Values as bytes: those of the window as 0 to 255; without one, bytes as they are.

    Args:
        pixels: Any shape.
        window: What becomes 0 and 255.
    """
    if window is None:
        return pixels.astype(np.uint8)
    low, high = float(window[0]), float(window[1])
    scaled = (pixels.astype(np.float32) - low) * (255.0 / (high - low))
    result: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return result


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Grey to RGB by repeating it, RGB to grey by its luma; otherwise unchanged."""
    if pixels.shape[-1] == channels:
        return pixels
    if pixels.shape[-1] == 1:
        return np.repeat(pixels, channels, axis=-1)
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grey = np.rint(grey) if np.issubdtype(pixels.dtype, np.integer) else grey
    return grey[..., None].astype(pixels.dtype)


def _along(values: NDArray[np.float32], axis: int, n: int) -> NDArray[np.float32]:
    """Linear interpolation along one axis with a triangle as wide as a new or an old step, whichever is wider."""
    old = values.shape[axis]
    if old == n:
        return values
    step = old / n
    width = max(step, 1.0)
    centre = (np.arange(n) + 0.5) * step - 0.5
    weight = np.maximum(0.0, 1.0 - np.abs(centre[:, None] - np.arange(old)[None, :]) / width)
    weight = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.moveaxis(np.tensordot(weight, values, axes=(1, axis)), 0, axis)


def _read_picture(path: Path) -> Pixels:
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("error")
            image.load()
            return _pixels(image)
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except Exception as error:  # damaged files raise several kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableError(reason.replace(str(path), path.name)) from error


def _pixels(image: Any) -> Pixels:
    from PIL import Image

    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        values = np.asarray(image)
        whole = np.issubdtype(values.dtype, np.integer)
        if whole and values.size and values.min() >= 0 and values.max() <= 65535:
            values = values.astype(np.uint16)
        return values[..., None]
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", over.size, (0, 0, 0, 255)), over)
        return np.asarray(flat.convert("L" if image.mode in ("LA", "La") else "RGB")).reshape(*over.size[::-1], -1)
    return np.asarray(image.convert("RGB"))


def _read_array(path: Path) -> Pixels:
    try:
        return shaped(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableError(str(error).splitlines()[0]) from error


def shaped(values: Pixels) -> Pixels:
    """An array with its channels last: `(row, column)` and `(depth, row, column)` get one channel.

    Raises:
        UnreadableError: It is no image or volume of 1, 3 or 4 channels.
    """
    if values.dtype.kind not in "uif" or values.size == 0:
        raise UnreadableError(f"an array of {values.dtype} and shape {values.shape} is no image")
    _finite(values)
    if values.ndim in (3, 4) and values.shape[-1] in (3, 4):
        return values[..., :3]
    if values.ndim in (3, 4) and values.shape[-1] == 1:
        return values
    if values.ndim in (2, 3):
        return values[..., None]
    raise UnreadableError(f"an array of shape {values.shape} is no image")


def _finite(values: Pixels) -> Pixels:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnreadableError("it holds values that are not finite")
    return values


def _read_nifti(path: Path) -> Pixels:
    """Depth first: the axes of the file in reverse order."""
    try:
        import nibabel
    except ImportError:
        raise AbsentPackageError("nibabel") from None
    try:
        values = np.asarray(nibabel.load(path).dataobj)
    except Exception as error:  # damaged files raise several kinds
        raise UnreadableError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if values.ndim not in (2, 3):
        raise UnreadableError(f"an array of shape {values.shape} is no volume")
    # NOTE: no axis of such a file is one of colours, however short.
    return _finite(np.ascontiguousarray(values.T.astype(np.float32))[..., None])


def _read_dicom(path: Path) -> Pixels:
    """Values rescaled as the file says, inverted where black stands for high values."""
    try:
        import pydicom
    except ImportError:
        raise AbsentPackageError("pydicom") from None
    try:
        record = pydicom.dcmread(path)
        values = np.asarray(record.pixel_array, dtype=np.float32)
        values = values * float(getattr(record, "RescaleSlope", 1)) + float(getattr(record, "RescaleIntercept", 0))
        if getattr(record, "PhotometricInterpretation", "") == "MONOCHROME1":
            values = values.max() + values.min() - values
    except Exception as error:  # damaged files raise several kinds
        raise UnreadableError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    grey = str(getattr(record, "PhotometricInterpretation", "")).startswith("MONOCHROME")
    return _finite(values[..., None]) if grey else shaped(values)
