"""Surrogates of a study: Gaussian processes on its history, whose hyper-parameters are a pure function of the history.

Hyper-parameters are fitted where the number of labels reaches 4, 5, 7, 9, 12, … (each a quarter more than the last) and
kept in between, always from the first so many labels. Whoever resumes a study therefore finds the same ones; the memo
only saves time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from gnas.predictors.gp import GaussianProcess, Hyper, fit_hyper
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian

_FIRST_FIT = 4
_MOST_FITTED = 300
_MEMO_SIZE = 64
_memo: OrderedDict[bytes, Hyper] = OrderedDict()


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
    hyper = _hyper(x[:m], slices, _latent(labels[:m], ranks))
    latent = _latent(labels, ranks)
    return GaussianProcess.condition(hyper, slices, x, latent), latent


def _latent(labels: Vector, ranks: bool) -> Vector:
    if ranks:
        return rank_gaussian(labels)
    spread = float(labels.std())
    standardised: Vector = (labels - labels.mean()) / (spread if spread > 1e-12 else 1.0)
    return standardised


def _hyper(x: Floats, slices: Sequence[slice], z: Vector) -> Hyper:
    if len(z) > _MOST_FITTED:
        some: NDArray[np.intp] = np.linspace(0, len(z) - 1, _MOST_FITTED).round().astype(np.intp)
        x, z = x[some], z[some]
    content = hashlib.blake2b(x.tobytes() + z.tobytes() + repr(slices).encode(), digest_size=16)
    key = content.digest()
    hyper = _memo.get(key)
    if hyper is None:
        hyper = _memo[key] = fit_hyper(x, slices, z)
        if len(_memo) > _MEMO_SIZE:
            _memo.popitem(last=False)
    return hyper


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread: sums in one order whatever the machine's load, and cores left to the workers."""
    with _controller().limit(limits=1, user_api="blas"):
        yield
