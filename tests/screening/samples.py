"""What the tests of screening share: a small space, a table of labels, and a predictor that knows the answer."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.space import Codes, Space, load_space
from gnas.space.scope import text_of

SPACE = "molecular/small"


@cache
def space() -> Space:
    """288 assignments of six choices, no two isomorphic."""
    return load_space(SPACE)


def truth(codes: Codes) -> Vector:
    """The truth of rows, `(n,)`: which convolution matters most, then how many, then whether there is a norm."""
    conv = np.array([0.0, 3.0, 4.0, 1.0])[codes[:, 2]]
    out: Vector = conv + 0.7 * (codes[:, 1] + 1) + 0.2 * codes[:, 3]
    return out


def ramp(n: int) -> Vector:
    """0, 1, 2, …"""
    return np.arange(n, dtype=np.float64)


def some_codes(n: int, seed: int = 0) -> Codes:
    """Different rows of the space."""
    rows = np.concatenate([*space().iterate_codes()])
    return rows[np.random.default_rng(seed).permutation(len(rows))[:n]]


def write_codes(path: Path, space: Space, codes: Codes, columns: Mapping[str, Sequence[object]]) -> Path:
    """A CSV file with a column for each choice, and `columns`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(choice.name for choice in space.choices), *columns])
        for i, row in enumerate(codes.tolist()):
            cells = ["" if k < 0 else text_of(c.values[k]) for c, k in zip(space.choices, row, strict=True)]
            writer.writerow([*cells, *(column[i] for column in columns.values())])
    return path


def write_labels(path: Path, n: int = 24, **columns: Sequence[object]) -> Path:
    """Labels of `n` architectures: `score`, larger is better, and `columns`."""
    codes = some_codes(n)
    return write_codes(path, space(), codes, {"score": truth(codes).round(6).tolist(), **columns})


@dataclass(frozen=True)
class Oracle:
    """Predicts the truth, with a standard deviation of one."""

    def predict_codes(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """The truth."""
        return truth(codes), np.ones(len(codes))

    def predict_latent(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """The truth; its scale is its own."""
        return self.predict_codes(codes)

    def interval_of_latent(self, mean: Vector, std: Vector, level: float) -> tuple[Vector, Vector]:
        """Two standard deviations to either side."""
        return mean - 2 * std, mean + 2 * std
