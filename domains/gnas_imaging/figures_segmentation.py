"""Figures of predicted masks: images with the borders of truth and prediction, and the Dice of each case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion
from torch import Tensor

from gnas.domain import Part
from gnas.illustration import Figure, Points, Tile, gallery_figure, plot
from gnas_imaging.figures import picture
from gnas_imaging.overlap import cases

if TYPE_CHECKING:
    from gnas_imaging.segmentation import SegmentationTask

_TILES = 12
_SCALE = 96
_TRUTH, _PREDICTED = (47, 160, 90), (214, 48, 70)


def figures_of(task: SegmentationTask, part: Part, outputs: Tensor) -> tuple[Figure, ...]:
    """Figures of raw outputs `(example, class, …)` for a whole part, in order."""
    truth = task.targets(part).astype(np.int64)
    called = outputs.argmax(1).numpy()
    overlaps, _ = cases(truth, called, len(task.names))
    order = np.argsort(np.nan_to_num(overlaps, nan=2.0), kind="stable")
    known = order[: int((~np.isnan(overlaps)).sum())]
    half = _TILES // 2
    rest = known[half:]
    even = rest[np.unique(np.linspace(0, max(len(rest) - 1, 0), min(len(rest), half)).astype(np.int64))]
    tiles = [
        Tile(
            overlaid(task.stores[part].images[i].numpy(), truth[i], called[i]),
            (f"Dice {overlaps[i]:.2f}",),
            task.places[part][i],
        )
        for i in (*known[:half], *even)
    ]
    caption = "Borders of the truth in green, of the prediction in red; the worst cases first, then an even choice."
    ranked = np.sort(overlaps[known])
    points = Points(np.arange(1, len(ranked) + 1), ranked)
    svg = plot([points], x_label="cases, worst first", y_label="Dice", y_range=(0.0, 1.0))
    told = f"{len(known)} cases of {len(truth)} hold a class beside the background in truth or prediction."
    return gallery_figure(tiles, f"Examples of {part}", caption), Figure(f"Dice of each case of {part}", svg, told)


def overlaid(image: NDArray[np.uint8], truth: NDArray[np.int64], called: NDArray[np.int64]) -> NDArray[np.uint8]:
    """An image `(channel, …)` as RGB with the borders of both masks; of a volume the slice with most of the truth."""
    if truth.ndim == 3:
        slices = (truth > 0).sum(axis=(1, 2))
        middle = int(slices.argmax()) if slices.any() else len(truth) // 2
        image, truth, called = image[:, middle : middle + 1], truth[middle], called[middle]
    pixels = picture(image)
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels.copy()
    times = max(1, _SCALE // max(rgb.shape[:2]))
    rgb = rgb.repeat(times, axis=0).repeat(times, axis=1)
    rows, columns = ((np.arange(n) * m // n) for n, m in zip(rgb.shape[:2], truth.shape, strict=True))
    for mask, colour in ((truth, _TRUTH), (called, _PREDICTED)):
        large = (mask > 0)[np.ix_(rows, columns)]
        rgb[large & ~binary_erosion(large) if large.all() else binary_dilation(large) & ~large] = colour
    return np.ascontiguousarray(rgb)
