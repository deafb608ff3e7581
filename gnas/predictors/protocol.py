"""The `Predictor` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture

Vector = NDArray[np.float64]


@runtime_checkable
class Predictor(Protocol):
    """Predicts a value of architectures from a few evaluated ones."""

    def fit(self, architectures: Sequence[Architecture], values: Vector) -> Self:
        """Fits on `values` of shape `(n,)`; returns itself."""
        ...

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Vector, Vector]:
        """Mean and standard deviation, each of shape `(n,)`, in the units of the values it was fitted on."""
        ...
