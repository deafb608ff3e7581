"""`Tracker`: what a Gaussian process believes of every row of a pool, grown by one label at a time."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from gnas.predictors.gp import Hyper, fit_hyper
from gnas.predictors.kernels import components
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian
from gnas.searchers.pool import Floats32, Pool
from gnas.searchers.surrogate import KINDS, refit_point

_MEMO_SIZE = 4
_MOST_FITTED = 300
_MOST_CELLS = 30_000_000
_FLOOR = 1e-9


@dataclass(slots=True)
class Tracker:
    """A process conditioned on rows of a pool.

    Attributes:
        pool: Whose rows it tells of.
        hyper: Its hyper-parameters.
        rows: Rows it was conditioned on, in order.
        chol: Lower factor of their covariance with noise, `(label, label)`.
        whitened: `chol⁻¹ k(labelled, pool)`, `(label, row)`.
        variance: Of the noise-free function, `(row,)`.
    """

    pool: Pool
    hyper: Hyper
    rows: list[int] = field(default_factory=list)
    chol: Vector = field(default_factory=lambda: np.zeros((0, 0)))
    whitened: Floats32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    variance: Vector = field(default_factory=lambda: np.zeros(0))

    def start(self, rows: Sequence[int]) -> None:
        """Conditions on the first rows at once."""
        self.variance = np.full(len(self.pool.x), math.fsum(np.exp(self.hyper.log_amplitudes)))
        self.chol = np.zeros((len(rows), len(rows)))
        self.whitened = np.empty((len(rows), len(self.pool.x)), dtype=np.float32)
        for row, kernel in zip(rows, self.kernel(rows), strict=True):
            self._append(row, kernel)

    def add(self, row: int) -> None:
        """Conditions on one row more."""
        (kernel,) = self.kernel([row])
        self._append(row, kernel)

    def copy(self) -> Tracker:
        """One that grows on its own."""
        n = len(self.rows)
        return replace(
            self,
            rows=list(self.rows),
            chol=self.chol[:n, :n],
            whitened=self.whitened[:n],
            variance=self.variance.copy(),
        )

    def mean(self, z: Vector) -> Vector:
        """Posterior mean of the pool given labels `z` of the rows, in order; `(row,)`."""
        n = len(z)
        weights = solve_triangular(self.chol[:n, :n], z, lower=True, check_finite=False)
        out: Vector = (weights.astype(np.float32) @ self.whitened[:n]).astype(np.float64)
        return out

    def kernel(self, rows: Sequence[int]) -> Floats32:
        """Prior covariance between rows and the whole pool, `(len(rows), row)`."""
        return self._between(np.asarray(rows), slice(None))

    def posterior(self, rows: NDArray[np.intp]) -> Vector:
        """Posterior covariance among `rows`, `(len(rows), len(rows))`."""
        n = len(self.rows)
        white = self.whitened[:n, rows].astype(np.float64)
        covariance: Vector = self._between(rows, rows).astype(np.float64) - white.T @ white
        return covariance

    def _between(self, rows: NDArray[np.intp], others: NDArray[np.intp] | slice) -> Floats32:
        pool, hyper = self.pool, self.hyper
        kinds = components(len(pool.slices), hyper.kinds)
        out = np.zeros((len(rows), len(pool.x[others])), dtype=np.float32)
        for block, part in enumerate(pool.slices):
            mine = [(i, c.kind) for i, c in enumerate(kinds) if c.block == block and hyper.log_amplitudes[i] > -13.8]
            if not mine:
                continue
            squared = pool.x[rows, part] @ pool.x[others, part].T
            squared *= np.float32(-2.0)
            squared += pool.norms[block, rows][:, None]
            squared += pool.norms[block, others][None, :]
            np.maximum(squared, np.float32(0.0), out=squared)
            for i, kind in mine:
                amplitude, scale = (np.float32(math.exp(v[i])) for v in (hyper.log_amplitudes, hyper.log_scales))
                if kind == "rbf":
                    value = np.exp(squared * (np.float32(-0.5) / scale**2))
                else:
                    r = np.sqrt(squared) * (np.float32(math.sqrt(3.0)) / scale)
                    value = np.exp(-r)
                    value += r * value
                value *= amplitude
                out += value
        return out

    def _append(self, row: int, kernel: Floats32) -> None:
        n = len(self.rows)
        if n == len(self.chol):
            size = n + max(8, n // 2)
            chol = np.zeros((size, size))
            chol[:n, :n] = self.chol
            whitened = np.empty((size, len(self.pool.x)), dtype=np.float32)
            whitened[:n] = self.whitened[:n]
            self.chol, self.whitened = chol, whitened
        left = self.whitened[:n, row]
        noisy = float(kernel[row]) + math.exp(self.hyper.log_noise) - float(left.astype(np.float64) @ left)
        pivot = math.sqrt(max(noisy, _FLOOR))
        self.chol[n, :n] = left
        self.chol[n, n] = pivot
        new = (kernel - left @ self.whitened[:n]) / np.float32(pivot)
        self.whitened[n] = new
        self.variance -= new.astype(np.float64) ** 2
        np.maximum(self.variance, _FLOOR, out=self.variance)
        self.rows.append(row)


_memo: OrderedDict[object, Tracker] = OrderedDict()


def tracked(
    pool: Pool, rows: Sequence[int], labels: Vector, *, ranks: bool, hyper: Hyper | None = None
) -> tuple[Tracker, Vector] | None:
    """The process of `surrogate` on labels of rows of a pool, and the latent labels; None if it is too large.

    Hyper-parameters and the first rows come from the last refit point, later rows one by one: to the bit the same
    whether the tracker is remembered or made anew.

    Args:
        pool: The pool.
        rows: Labelled rows in the order of the history, distinct.
        labels: `(label,)`, finite, or with `ranks` −∞ for worse than any.
        ranks: Whether labels are rank-Gaussianised; otherwise they are centred and scaled.
        hyper: Hyper-parameters, if they are known.
    """
    if len(rows) * len(pool.x) > _MOST_CELLS:
        return None
    m = refit_point(len(rows))
    first = list(rows[:m])
    latent = rank_gaussian if ranks else _standardised
    key = (pool.key, tuple(first), labels[:m].tobytes(), ranks)
    tracker = _memo.pop(key, None)
    if tracker is None or tracker.rows != list(rows[: len(tracker.rows)]):
        if tracker is not None:
            hyper = tracker.hyper
        tracker = Tracker(pool, hyper or _fitted(pool, first, latent(labels[:m])))
        tracker.start(first)
    for row in rows[len(tracker.rows) :]:
        tracker.add(row)
    _memo[key] = tracker
    if len(_memo) > _MEMO_SIZE:
        _memo.popitem(last=False)
    return tracker, latent(labels)


def _fitted(pool: Pool, rows: list[int], z: Vector) -> Hyper:
    some = np.linspace(0, len(z) - 1, min(len(z), _MOST_FITTED)).round().astype(np.intp)
    return fit_hyper(pool.x[np.array(rows)[some]].astype(np.float64), pool.slices, z[some], kinds=KINDS)


def _standardised(values: Vector) -> Vector:
    spread = float(values.std())
    scaled: Vector = (values - values.mean()) / (spread if spread > 1e-12 else 1.0)
    return scaled
