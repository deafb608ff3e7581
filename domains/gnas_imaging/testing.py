"""Small arrays and tasks of images, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas_imaging.domain import DOMAIN
from gnas_imaging.options import ImagingData
from gnas_imaging.task import ImagingTask

__all__ = ["arrays", "masked_arrays", "pictures", "task_of", "write_npz"]

_COUNTS = {"train": 24, "val": 10, "test": 10}


def pictures(labels: NDArray[Any], *, size: int = 12, channels: int = 0, seed: int = 0) -> NDArray[np.uint8]:
    """Noise with a disc that is the brighter the higher the label, `(image, size, size)` or with channels last."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:size, :size]
    images = []
    for label in np.asarray(labels, dtype=np.float64).reshape(len(labels), -1)[:, 0]:
        centre = rng.uniform(0.35, 0.65, 2) * size
        disc = np.hypot(down - centre[0], across - centre[1]) < 0.25 * size
        values = 90 + 12 * rng.normal(size=(size, size)) + disc * 60 * label
        images.append(np.clip(values, 0, 255).astype(np.uint8))
    found = np.stack(images)
    return np.repeat(found[..., None], channels, axis=-1) if channels else found


def arrays(*, classes: int = 2, seed: int = 0, **drawing: Any) -> dict[str, NDArray[Any]]:
    """Arrays in the layout of MedMNIST: 24 training, 10 validation and 10 test images."""
    found: dict[str, NDArray[Any]] = {}
    for i, (part, n) in enumerate(_COUNTS.items()):
        labels = (np.arange(n) % classes).astype(np.uint8)[:, None]
        found[f"{part}_images"] = pictures(labels, seed=seed + i, **drawing)
        found[f"{part}_labels"] = labels
    return found


def masked_arrays(*, seed: int = 0, size: int = 12) -> dict[str, NDArray[Any]]:
    """Discs that are brighter than their surroundings, and masks of them."""
    found: dict[str, NDArray[Any]] = {}
    down, across = np.mgrid[:size, :size]
    rng = np.random.default_rng(seed)
    for part, n in _COUNTS.items():
        centres, radii = rng.uniform(0.35, 0.65, (n, 2)) * size, rng.uniform(0.15, 0.3, n) * size
        masks = np.stack([np.hypot(down - c[0], across - c[1]) < r for c, r in zip(centres, radii, strict=True)])
        values = 80 + 10 * rng.normal(size=masks.shape) + 70 * masks
        found[f"{part}_images"] = np.clip(values, 0, 255).astype(np.uint8)
        found[f"{part}_masks"] = masks.astype(np.uint8)
    return found


def write_npz(folder: Path, content: Mapping[str, NDArray[Any]], name: str = "images.npz") -> Path:
    """The file of some arrays."""
    np.savez(folder / name, **content)  # type: ignore[arg-type]
    return folder / name


def task_of(folder: Path, content: Mapping[str, NDArray[Any]] | None = None, **options: Any) -> ImagingTask:
    """The task of arrays, or of what the options name."""
    source = {"file": write_npz(folder, content).name} if content is not None else {}
    data = ImagingData.model_validate({**source, **options})
    task = DOMAIN.task(data, metric=None, base=folder, cache=folder)
    if not isinstance(task, ImagingTask):
        raise TypeError(type(task).__name__)
    return task
