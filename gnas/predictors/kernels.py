"""Sums of kernels over blocks of features, with gradients.

The covariance is `Σ_c a_c k_c(d_b(c) / ℓ_c)`: every block of features has one RBF and one Matérn-3/2 component, each
with its own amplitude (a variance) and length-scale.
Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 4.9 and 4.17.
"""

from __future__ import annotations

import math
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


KINDS: tuple[Kind, ...] = ("rbf", "matern32")
"""Both kernels, in order."""


def components(n_blocks: int, kinds: tuple[Kind, ...] = KINDS) -> tuple[Component, ...]:
    """A component of each of `kinds` for each block."""
    return tuple(Component(block, kind) for block in range(n_blocks) for kind in kinds)


def distances(a: Floats, b: Floats, slices: Sequence[slice]) -> Floats:
    """Distances within each block: `(n, column)`, `(m, column)` to `(block, n, m)`."""
    out = np.empty((len(slices), len(a), len(b)), dtype=np.result_type(a, b))
    for i, part in enumerate(slices):
        x, y = a[:, part], b[:, part]
        np.matmul(-2.0 * x, y.T, out=out[i])
        out[i] += np.einsum("ij,ij->i", x, x)[:, None]
        out[i] += np.einsum("ij,ij->i", y, y)
    np.maximum(out, 0.0, out=out)
    return np.sqrt(out, out=out)


def value(kind: Kind, d: Floats, scales: Floats) -> Floats:
    """The kernel with unit amplitude at distances `(block, n, m)`, with a length-scale for each block, `(block,)`.

    Computed in the precision of both.
    """
    by = scales[:, None, None]
    if kind == "rbf":
        q = d / by
        q *= q
        q *= -0.5
        np.exp(q, out=q)
        return q
    r = d * (-math.sqrt(3.0) / by)
    e: Floats = np.exp(r)
    r *= e
    e -= r
    return e


def value_and_slope(kind: Kind, d: Floats, scale: float) -> tuple[Floats, Floats]:
    """The kernel with unit amplitude and its derivative by the logarithm of the length-scale."""
    if kind == "rbf":
        q = d * d
        q *= 1.0 / scale**2
        k = np.exp(-0.5 * q)
        q *= k
        return k, q
    r = d * (np.sqrt(3.0) / scale)
    e = np.exp(-r)
    re = r * e
    e += re
    re *= r
    return e, re
