"""Sums of kernels over blocks of features, with gradients.

The covariance is `Σ_c a_c k_c(d_b(c) / ℓ_c)`: every block of features has one RBF and one Matérn-3/2 component, each
with its own amplitude (a variance) and length-scale.
Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 4.9 and 4.17.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["rbf", "matern32"]


@dataclass(frozen=True, slots=True)
class Component:
    """One kernel on one block of features."""

    block: int
    kind: Kind


def components(n_blocks: int) -> tuple[Component, ...]:
    """An RBF and a Matérn-3/2 component for each block."""
    return tuple(Component(block, kind) for block in range(n_blocks) for kind in ("rbf", "matern32"))


def squared_distances(a: Floats, b: Floats, slices: Sequence[slice]) -> Floats:
    """Squared distances within each block: `(n, column)`, `(m, column)` to `(block, n, m)`."""
    out = np.empty((len(slices), len(a), len(b)))
    for i, part in enumerate(slices):
        x, y = a[:, part], b[:, part]
        out[i] = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1)[None, :] - 2.0 * (x @ y.T)
    return np.maximum(out, 0.0, out=out)


def value(kind: Kind, d2: Floats, scale: float) -> Floats:
    """The kernel with unit amplitude at squared distances of any shape."""
    if kind == "rbf":
        return np.exp(d2 * (-0.5 / scale**2))
    r = np.sqrt(d2 * (3.0 / scale**2))
    matern: Floats = (1.0 + r) * np.exp(-r)
    return matern


def value_and_slope(kind: Kind, d2: Floats, scale: float) -> tuple[Floats, Floats]:
    """The kernel with unit amplitude and its derivative by the logarithm of the length-scale."""
    if kind == "rbf":
        q = d2 / scale**2
        k = np.exp(-0.5 * q)
        return k, q * k
    q = d2 * (3.0 / scale**2)
    r = np.sqrt(q)
    e = np.exp(-r)
    return (1.0 + r) * e, q * e
