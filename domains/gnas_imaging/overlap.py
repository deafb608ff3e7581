"""How well masks agree: Dice and the 95th percentile of the Hausdorff distance, case by case."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

Mask = NDArray[np.bool_]
Classes = NDArray[np.int64]


def dice(truth: Mask, predicted: Mask) -> float:
    """Twice the common places by the sum of both; NaN where neither holds any."""
    both = int(truth.sum()) + int(predicted.sum())
    return 2.0 * int((truth & predicted).sum()) / both if both else float("nan")


def hd95(truth: Mask, predicted: Mask) -> float:
    """95th percentile of the distances between the borders, in places.

    NaN where neither holds any place; the diagonal of the image where one of them does not.

    Source: Taha and Hanbury, BMC Medical Imaging 2015, 15, 29 (doi:10.1186/s12880-015-0068-x), over the distances of
    both directions together.
    """
    if not truth.any() and not predicted.any():
        return float("nan")
    if not truth.any() or not predicted.any():
        return float(np.linalg.norm(truth.shape))
    borders = [mask & ~binary_erosion(mask) for mask in (truth, predicted)]
    there = distance_transform_edt(~borders[1])[borders[0]]
    back = distance_transform_edt(~borders[0])[borders[1]]
    return float(np.percentile(np.concatenate([there, back]), 95))


def cases(truth: Classes, predicted: Classes, n_classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Dice and HD95 of each case, means over the classes but the background; NaN where no class is in either.

    Args:
        truth: `(example, …)`, class numbers, 0 for background.
        predicted: The same.
        n_classes: The background among them.

    Returns:
        Two arrays `(example,)`.
    """
    found = np.full((2, len(truth), n_classes - 1), np.nan)
    for i, (true, called) in enumerate(zip(truth, predicted, strict=True)):
        for c in range(1, n_classes):
            found[0, i, c - 1] = dice(true == c, called == c)
            found[1, i, c - 1] = hd95(true == c, called == c)
    return _means(found[0]), _means(found[1])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over the last axis of what is defined."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(known.any(axis=-1), total / np.maximum(known.sum(axis=-1), 1), np.nan)


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Mean over the cases for which it is defined; NaN if there is none."""
    return float(_means(values[None])[0])
