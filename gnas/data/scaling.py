"""Standardised targets, fitted on the training part only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TargetScaler:
    """Standardises targets.

    Attributes:
        mean, std: `(target,)`; 0 and 1 where classes are told apart.
    """

    mean: Vector
    std: Vector

    @classmethod
    def fit(cls, labels: NDArray[np.float64]) -> TargetScaler:
        """The scaler of training labels `(example, target)`, NaN where missing."""
        mean, std = np.zeros(labels.shape[1]), np.ones(labels.shape[1])
        for j in range(labels.shape[1]):
            values = labels[~np.isnan(labels[:, j]), j]
            if len(values):
                mean[j] = values.mean()
                std[j] = values.std() if values.std() > 0 else 1.0
        return cls(mean, std)

    @classmethod
    def identity(cls, n_targets: int) -> TargetScaler:
        """Leaves targets as they are."""
        return cls(np.zeros(n_targets), np.ones(n_targets))

    def scale(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Data units to standard deviations."""
        return (labels - self.mean) / self.std

    def restore(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard deviations to data units."""
        return values * self.std + self.mean
