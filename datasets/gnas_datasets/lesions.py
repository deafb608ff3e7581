"""Synthetic lesions: a generator of images with classes, masks, patients and, if asked, a confounder.

They look like lesions in grey images and are none: what a method reaches on them says nothing about patients. They are
there to try a run out, and to show what a split by patients or a confounder does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

CLASSES = ("healthy", "benign", "malignant")
_PARTS = (0.7, 0.15, 0.15)
_HARMONICS = np.arange(2, 10)


@dataclass(frozen=True, slots=True)
class SyntheticLesions:
    """Images of made-up patients, those of a patient side by side.

    Attributes:
        images: `(image, row, column)`, grey.
        labels: `(image,)`, positions in `CLASSES`; one class for all images of a patient.
        masks: `(image, row, column)`, 1 within the lesion.
        areas: `(image,)`, percent of the image that the lesion covers.
        patients: `(image,)`, number of the patient.
        marked: `(image,)`, whether the confounding mark is in the corner.
        parts: `(image,)`, 0 for training, 1 for validation, 2 for test; patients stay whole.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.uint8]
    areas: NDArray[np.float64]
    patients: NDArray[np.int64]
    marked: NDArray[np.bool_]
    parts: NDArray[np.int64]


def synthetic_lesions(
    *,
    patients: int = 200,
    images: int = 4,
    size: int = 32,
    difficulty: float = 0.4,
    confounder: float = 0.0,
    seed: int = 0,
) -> SyntheticLesions:
    """Makes the images of a seed.

    A patient has a tissue (smoothed noise under a gradient) and, unless healthy, a lesion of one kind: round with a
    soft even inside, or jagged with a rough one. Its images differ in place, size, turn and noise.

    Args:
        patients: Number of patients; a third has no lesion, a third a benign and a third a malignant one.
        images: Images of each.
        size: Side in pixels.
        difficulty: From 0 to 1: the fainter the lesion, the rounder the malignant one, the stronger the noise.
        confounder: From 0 to 1: how closely a bright mark in a corner goes with malignant in training and validation.
            In the test part half of all images have it, whatever their class.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.arange(patients) % len(CLASSES))
    order = rng.permutation(patients)
    cuts = np.round(np.cumsum(_PARTS)[:2] * patients).astype(int)
    part_of = np.empty(patients, dtype=np.int64)
    part_of[order] = np.searchsorted(cuts, np.arange(patients), side="right")
    n = patients * images
    pixels = np.empty((n, size, size), dtype=np.uint8)
    masks = np.zeros((n, size, size), dtype=np.uint8)
    marked = np.zeros(n, dtype=bool)
    for patient in range(patients):
        tissue = _tissue(size, rng)
        jagged = _outline(int(kinds[patient]), difficulty, rng)
        for image in range(patient * images, (patient + 1) * images):
            chance = 0.5
            if part_of[patient] < 2:
                chance += 0.5 * confounder * (1 if kinds[patient] == 2 else -1)
            marked[image] = confounder > 0 and rng.random() < chance
            pixels[image], masks[image] = _image(tissue, int(kinds[patient]), jagged, difficulty, rng)
            if marked[image]:
                side = max(2, size // 8)
                pixels[image, :side, -side:] = 235
    who = np.repeat(np.arange(patients), images)
    areas = 100.0 * masks.reshape(n, -1).mean(axis=1)
    return SyntheticLesions(pixels, kinds[who], masks, areas, who, marked, part_of[who])


def _tissue(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth texture around 0, with a gradient across."""
    coarse = gaussian_filter(rng.normal(size=(size, size)), size / 10)
    fine = gaussian_filter(rng.normal(size=(size, size)), 1.0)
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    slope = rng.normal(size=2) * 0.3
    tissue: NDArray[np.float64] = coarse / coarse.std() * 0.6 + fine / fine.std() * 0.25
    tissue += slope[0] * across + slope[1] * down
    return tissue


def _outline(kind: int, difficulty: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Amplitude and phase of each harmonic of a lesion's radius, `(2, harmonic)`."""
    rough = {0: 0.0, 1: 0.05, 2: 0.3 - 0.18 * difficulty}[kind]
    amplitude = rough * rng.random(len(_HARMONICS)) * 2 / np.sqrt(len(_HARMONICS))
    return np.stack([amplitude, rng.uniform(0, 2 * np.pi, len(_HARMONICS))])


def _image(
    tissue: NDArray[np.float64], kind: int, outline: NDArray[np.float64], difficulty: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    size = len(tissue)
    shifted = np.roll(tissue, tuple(rng.integers(-size // 8, size // 8 + 1, 2)), axis=(0, 1))
    values = 0.35 * shifted + (0.25 + 0.35 * difficulty) * rng.normal(size=(size, size))
    mask = np.zeros((size, size), dtype=np.uint8)
    if kind:
        centre = rng.uniform(0.32, 0.68, 2) * size
        radius = rng.uniform(0.12, 0.22) * size
        down, across = np.mgrid[:size, :size]
        angle = np.arctan2(down - centre[0], across - centre[1]) + rng.uniform(0, 2 * np.pi)
        wave = (outline[0] * np.cos(_HARMONICS * angle[..., None] + outline[1])).sum(axis=-1)
        inside = radius * (1 + wave) - np.hypot(down - centre[0], across - centre[1])
        mask = (inside > 0).astype(np.uint8)
        soft = 1 / (1 + np.exp(-inside / (0.04 * size)))
        texture = gaussian_filter(rng.normal(size=(size, size)), 0.8) * (0.9 - 0.5 * difficulty if kind == 2 else 0.0)
        values += soft * ((2.2 - 1.5 * difficulty) + texture)
    return np.clip(np.rint(95 + 42 * values), 0, 255).astype(np.uint8), mask
