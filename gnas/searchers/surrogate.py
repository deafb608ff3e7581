"""Surrogates of a study: Gaussian processes on its history, whose hyper-parameters are a pure function of the history.

Hyper-parameters are fitted where the number of labels reaches 4, 5, 7, 9, 12, … (each a quarter more than the last) and
kept in between, always from the first so many labels. The covariance of those is factorised once, the factor extended
by every eight later rows, and by the rest together. Whoever resumes a study therefore finds the same to the bit; the
memo only saves time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from gnas.predictors.gp import GaussianProcess, Hyper, extended_factor, fit_hyper, noisy_factor
from gnas.predictors.kernels import Floats, Kind
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian

KINDS: tuple[Kind, ...] = ("matern32",)
"""Kernels of each block: a second one made predictions no better (`bench/README.md`) and asks dearer."""

_FIRST_FIT = 4
_MOST_FITTED = 300
_MEMO_SIZE = 12
_STEP = 8


@dataclass(slots=True)
class _Fit:
    """Hyper-parameters, and the factor `chol` of the noisy covariance of the features `x` met under them so far."""

    hyper: Hyper
    x: Floats
    chol: Floats


_memo: OrderedDict[object, _Fit] = OrderedDict()


def refit_point(n: int) -> int:
    """The number of labels at which hyper-parameters were last fitted, for `n` labels."""
    point = _FIRST_FIT
    while (following := point + max(1, point // 4)) <= n:
        point = following
    return min(point, n)


def surrogate(x: Floats, slices: Sequence[slice], labels: Vector, *, ranks: bool) -> tuple[GaussianProcess, Vector]:
    """A process on all labels, with hyper-parameters of the last refit point, and the latent labels.

    Args:
        x: Features in the order of the history, `(n, column)`.
        slices: Columns of each block.
        labels: `(n,)`, finite, or with `ranks` −∞ for worse than any.
        ranks: Whether labels are rank-Gaussianised; otherwise they are centred and scaled.
    """
    m = refit_point(len(labels))
    fit = _fit(x[:m], slices, labels[:m], ranks)
    latent = _latent(labels, ranks)
    try:
        chol = extended_factor(fit.hyper, slices, x, _grown(fit, slices, x, m))
    except np.linalg.LinAlgError:
        # Rows so near to earlier ones that rounding leaves nothing: all at once, with jitter.
        chol = noisy_factor(fit.hyper, slices, x)
    return GaussianProcess.of_factor(fit.hyper, slices, x, latent, chol), latent


def _latent(labels: Vector, ranks: bool) -> Vector:
    if ranks:
        return rank_gaussian(labels)
    spread = float(labels.std())
    standardised: Vector = (labels - labels.mean()) / (spread if spread > 1e-12 else 1.0)
    return standardised


def _fit(x: Floats, slices: Sequence[slice], labels: Vector, ranks: bool) -> _Fit:
    key = (labels.tobytes(), ranks, tuple((part.start, part.stop) for part in slices))
    fit = _memo.get(key)
    if fit is None or not np.array_equal(fit.x[: len(x)], x):
        z = _latent(labels, ranks)
        some: NDArray[np.intp] = np.arange(len(z))
        if len(z) > _MOST_FITTED:
            some = np.linspace(0, len(z) - 1, _MOST_FITTED).round().astype(np.intp)
        hyper = fit_hyper(x[some], slices, z[some], kinds=KINDS)
        fit = _memo[key] = _Fit(hyper, x, noisy_factor(hyper, slices, x))
        if len(_memo) > _MEMO_SIZE:
            _memo.popitem(last=False)
    return fit


def _grown(fit: _Fit, slices: Sequence[slice], x: Floats, m: int) -> Floats:
    """The factor at the first `m` rows of `x` and as many times eight later ones as there are."""
    wanted = m + (len(x) - m) // _STEP * _STEP
    shared = min(wanted, len(fit.x))
    if not np.array_equal(x[m:shared], fit.x[m:shared]):
        shared = m
    # NOTE: solving takes another path, whose rounding differs, where the memory is not whole.
    chol: Floats = np.asfortranarray(fit.chol[:shared, :shared])
    for stop in range(shared + _STEP, wanted + 1, _STEP):
        chol = extended_factor(fit.hyper, slices, x[:stop], chol)
    if shared == m or wanted > len(fit.x):
        fit.x, fit.chol = x[:wanted], chol
    return chol


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread: sums in one order whatever the machine's load, and cores left to the workers."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
