"""The scaler of descriptors, fitted on the training part only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas_molecular import featurise

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DescriptorScaler:
    """Fills gaps with the training median, standardises, clips.

    Attributes:
        fill, mean, std: `(descriptor,)`; `std` is 1 for a descriptor that is constant in training.
        clip: In standard deviations.
    """

    fill: Vector
    mean: Vector
    std: Vector
    clip: float = featurise.DESCRIPTOR_CLIP

    @classmethod
    def fit(cls, raw: NDArray[np.float64]) -> DescriptorScaler:
        """The scaler of training descriptors `(molecule, descriptor)`, NaN where undefined."""
        present = ~np.isnan(raw)
        fill = np.array([np.median(raw[here, j]) if here.any() else 0.0 for j, here in enumerate(present.T)])
        filled = np.where(present, raw, fill)
        std = filled.std(axis=0)
        # NOTE: a spread of rounding errors is no spread; dividing by it would blow noise up.
        flat = std <= 1e-9 * np.maximum(1.0, np.abs(filled).max(axis=0))
        return cls(fill, filled.mean(axis=0), np.where(flat, 1.0, std))

    def as_mapping(self) -> dict[str, object]:
        """The scaler as `featurise.scale_descriptors` takes it and JSON holds it."""
        return {"fill": self.fill.tolist(), "mean": self.mean.tolist(), "std": self.std.tolist(), "clip": self.clip}

    def __call__(self, raw: NDArray[np.float64]) -> featurise.FloatArray:
        """Scaled descriptors `(molecule, descriptor)` float32."""
        return featurise.scale_descriptors(
            raw, {"fill": self.fill, "mean": self.mean, "std": self.std, "clip": self.clip}
        )
