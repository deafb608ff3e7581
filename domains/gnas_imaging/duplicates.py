"""Images that stand twice: the very same, and nearly the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_SIDE = 16
_ALIKE = 0.995
"""What resaving, resizing or a change of brightness leaves; X-rays of other people stay below 0.98."""
_CHUNK = 2048


def digests(pixels: Bytes) -> tuple[bytes, ...]:
    """A key of each image `(image, …)`, equal for equal pixels."""
    return tuple(hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest() for image in pixels)


def thumbnails(pixels: Bytes) -> NDArray[np.float32]:
    """Grey images of 16 × 16 by area means, `(image, 16, 16)`; volumes by their mean over depth."""
    grey = pixels.mean(axis=-1, dtype=np.float32)
    if grey.ndim == 4:
        grey = grey.mean(axis=1)
    return _means(_means(grey, 1), 2)


def near_pairs(
    thumbs: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Pairs of images, one of each set, that are nearly the same, the closest partner of each of the second set.

    A perceptual fingerprint of an image is its thumbnail, centred and divided by its norm; images are alike where their
    fingerprints correlate at 0.995 at least. Images without any structure are left out.

    Args:
        thumbs: Of all images, `(image, 16, 16)`.
        first: Positions of the one set.
        second: Positions of the other.

    Returns:
        `(position in thumbs of the first, of the second)`.
    """
    if not len(first) or not len(second):
        return []
    flat = thumbs.reshape(len(thumbs), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    rich = norm[:, 0] > 1.0
    unit = centred / np.maximum(norm, 1e-6)
    first, second = first[rich[first]], second[rich[second]]
    return list(_pairs(unit, first, second)) if len(first) else []


def _pairs(unit: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    for start in range(0, len(second), _CHUNK):
        chunk = second[start : start + _CHUNK]
        alike = unit[chunk] @ unit[first].T
        best = alike.argmax(axis=1)
        for row in np.flatnonzero(alike[np.arange(len(chunk)), best] >= _ALIKE):
            yield int(first[best[row]]), int(chunk[row])


def _means(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    n = values.shape[axis]
    edges = np.linspace(0, n, _SIDE + 1)
    starts = np.minimum(edges[:-1].astype(np.int64), n - 1)
    ends = np.maximum(np.ceil(edges[1:]).astype(np.int64), starts + 1)
    parts = [np.take(values, np.arange(a, b), axis=axis).mean(axis=axis) for a, b in zip(starts, ends, strict=True)]
    return np.stack(parts, axis=axis)
