"""Simple features of images for trees: histograms, a small copy, and gradients by direction and place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gnas_imaging.reading import resized

Bytes = NDArray[np.uint8]
Matrix = NDArray[np.float32]

_LEVELS = 16
_SMALL = 8
_CELLS = 4
_DIRECTIONS = 9


def simple_features(images: Bytes) -> Matrix:
    """Features of images `(image, channel, row, column)`, or of volumes with a depth before the rows.

    The histogram of each channel in 16 levels, its mean, spread and five percentiles; the grey image at 8 × 8; and
    histograms of oriented gradients, 9 directions in 4 × 4 cells, each cell divided by its norm. A volume gives those
    of its mean over each of the three axes.

    Source: Dalal and Triggs, Histograms of Oriented Gradients, CVPR 2005 (doi:10.1109/CVPR.2005.177), without overlap
    of blocks.

    Returns:
        `(image, feature)`.
    """
    spread = _intensities(images)
    grey = images.mean(axis=1, dtype=np.float32)
    planes = [grey] if grey.ndim == 3 else [grey.mean(axis=axis) for axis in (1, 2, 3)]
    return np.concatenate([spread, *(part for plane in planes for part in (_small(plane), _gradients(plane)))], axis=1)


def _intensities(images: Bytes) -> Matrix:
    flat = images.reshape(*images.shape[:2], -1)
    level = flat // (256 // _LEVELS)
    histogram = np.stack([(level == n).mean(axis=2) for n in range(_LEVELS)], axis=2)
    percentiles = np.moveaxis(np.percentile(flat, (5, 25, 50, 75, 95), axis=2), 0, 2)
    moments = np.stack([flat.mean(axis=2), flat.std(axis=2)], axis=2)
    joined = np.concatenate([histogram, percentiles, moments], axis=2).reshape(len(images), -1)
    return np.asarray(joined, dtype=np.float32)


def _small(plane: NDArray[np.float32]) -> Matrix:
    small = resized(np.moveaxis(plane, 0, -1), (_SMALL, _SMALL))
    flat: Matrix = np.moveaxis(small, -1, 0).reshape(len(plane), -1)
    return flat


def _gradients(plane: NDArray[np.float32]) -> Matrix:
    down, across = np.gradient(plane, axis=(1, 2))
    size = np.hypot(down, across)
    direction = np.floor(np.arctan2(down, across) % np.pi / np.pi * _DIRECTIONS).astype(np.int64) % _DIRECTIONS
    rows, columns = (np.array_split(np.arange(n), _CELLS) for n in plane.shape[1:])
    cells = []
    for row in rows:
        for column in columns:
            where = (slice(None), slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1))
            held = [np.where(direction[where] == n, size[where], 0.0).sum(axis=(1, 2)) for n in range(_DIRECTIONS)]
            cell = np.stack(held, axis=1)
            cells.append(cell / np.sqrt((cell**2).sum(axis=1, keepdims=True) + 1.0))
    joined: Matrix = np.concatenate(cells, axis=1).astype(np.float32)
    return joined
