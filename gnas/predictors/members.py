"""Members of the stack: models that learn rank-Gaussian labels, and what they say of labels they have not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.crossval import folds
from gnas.predictors.gp import GaussianProcess, fit_hyper
from gnas.predictors.kernels import Floats, Kind
from gnas.predictors.protocol import Vector
from gnas.predictors.sparse import SparseProcess
from gnas.predictors.views import View
from gnas.space.protocol import Codes

STEPS = 6
"""L-BFGS steps of each process: a few more change nothing, and there are several."""

VIEWS = (View(spread=1.0), View(relevance=1.0), View(spread=1.0, relevance=1.0))

_SHIFT, _FEW = 0.7, 40
"""Few labels cannot show short length-scales; those that are expected of them are longer."""

_MOST_FITTED = 300
_MOST_EXACT = 1500
_INDUCING = 512
_ROWS = 256
"""Few enough that covariances with the labels stay in the cache."""


@dataclass(frozen=True, slots=True)
class Design:
    """Architectures as members see them.

    Attributes:
        x: Features, `(n, column)`.
        slices: Columns of each block.
        codes: Rows of the space, `(n, choice)`.
        spreads: Standard deviation of each column before it was scaled, `(column,)`; None: all alike.
        has_extra: Whether the last block holds the user's own columns.
    """

    x: Floats
    slices: tuple[slice, ...]
    codes: Codes
    spreads: Vector | None = None
    has_extra: bool = False

    def rows(self, index: NDArray[np.intp]) -> Design:
        """The rows at `index`."""
        return replace(self, x=self.x[index], codes=self.codes[index])

    def plain(self) -> Design:
        """The same without the user's own columns."""
        if not self.has_extra:
            return self
        width = self.slices[-1].start
        spreads = None if self.spreads is None else self.spreads[:width]
        return Design(self.x[:, :width], self.slices[:-1], self.codes, spreads)


class Fitted(Protocol):
    """A member after its fit."""

    def predict(self, design: Design) -> tuple[Vector, Vector | None]:
        """Mean and, where the member knows it, variance of a new label on the latent scale; `(n,)` each."""
        ...


class Member(Protocol):
    """A model of rank-Gaussian labels."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def fit(self, design: Design, z: Vector) -> Fitted:
        """Fits on labels `z`, `(n,)`."""
        ...

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, Vector | None]:
        """Mean and variance of each label, by models that did not see it."""
        ...


@dataclass(frozen=True, slots=True)
class FittedProcess:
    """Processes on several views, averaged.

    Attributes:
        weights: Of each column in each view, `(column,)` each.
        processes: One for each view.
    """

    weights: tuple[Vector, ...]
    processes: tuple[GaussianProcess | SparseProcess, ...]

    def predict(self, design: Design) -> tuple[Vector, Vector]:
        """Average mean; average variance with noise."""
        total, spread = np.zeros(len(design.x)), np.zeros(len(design.x))
        for start in range(0, len(design.x), _ROWS):
            part = slice(start, start + _ROWS)
            for weights, process in zip(self.weights, self.processes, strict=True):
                mean, std = process.predict(design.x[part] * weights)
                total[part] += mean
                spread[part] += std**2 + np.exp(process.hyper.log_noise)
        return total / len(self.processes), spread / len(self.processes)


@dataclass(frozen=True, slots=True)
class ProcessMember:
    """Gaussian processes on blocks of features, one on each view, averaged. Past `_MOST_EXACT` labels all are sparse.

    Attributes:
        views: How columns are weighed.
        kinds: Kernels of each block.
        seed: Chooses folds, and inducing rows of sparse processes.
        name: What reports call it.
    """

    views: tuple[View, ...] = VIEWS
    kinds: tuple[Kind, ...] = ("matern32",)
    seed: int = 0
    name: str = "gp"

    def fit(self, design: Design, z: Vector) -> FittedProcess:
        """Hyper-parameters by maximum a posteriori, on at most `_MOST_FITTED` rows; then conditioned on all."""
        some = _drawn(len(z), _MOST_FITTED, self.seed)
        spreads = np.ones(design.x.shape[1]) if design.spreads is None else design.spreads
        all_weights, processes = [], []
        for view in self.views:
            weights = view.weights(design.x, design.slices, spreads, z)
            x = design.x * weights
            hyper = fit_hyper(x[some], design.slices, z[some], STEPS, self.kinds, _SHIFT * _FEW / (_FEW + len(z)))
            process: GaussianProcess | SparseProcess
            if len(z) <= _MOST_EXACT:
                process = GaussianProcess.condition(hyper, design.slices, x, z)
            else:
                inducing = x[_drawn(len(z), _INDUCING, self.seed)]
                process = SparseProcess.condition(hyper, design.slices, inducing, x, z)
            all_weights.append(weights)
            processes.append(process)
        return FittedProcess(tuple(all_weights), tuple(processes))

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, Vector]:
        """By folds; past `_MOST_EXACT` labels in closed form, under hyper-parameters that saw all."""
        if len(z) > _MOST_EXACT:
            pairs = [process.leave_one_out(z) for process in self.fit(design, z).processes]
            return np.mean([mean for mean, _ in pairs], axis=0), np.mean([variance for _, variance in pairs], axis=0)
        mean, variance = np.zeros(len(z)), np.ones(len(z))
        for train, test in folds(len(z), self.seed):
            mean[test], variance[test] = self.fit(design.rows(train), z[train]).predict(design.rows(test))
        return mean, variance


@dataclass(frozen=True, slots=True)
class FittedPlain:
    """Processes after their fit without the user's own columns."""

    processes: FittedProcess

    def predict(self, design: Design) -> tuple[Vector, Vector]:
        """Mean and variance of a new label."""
        return self.processes.predict(design.plain())


@dataclass(frozen=True, slots=True)
class PlainMember:
    """Processes that leave the user's own columns out: columns can mislead as well as tell.

    Attributes:
        seed: As of `ProcessMember`.
        name: What reports call it.
    """

    seed: int = 0
    name: str = "gp-plain"

    def fit(self, design: Design, z: Vector) -> FittedPlain:
        """Fits on labels `z`, `(n,)`."""
        return FittedPlain(ProcessMember(seed=self.seed).fit(design.plain(), z))

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, Vector]:
        """As `ProcessMember`."""
        return ProcessMember(seed=self.seed).held_out(design.plain(), z)


def _drawn(n: int, most: int, seed: int) -> NDArray[np.intp]:
    """All of `n` rows, or `most` drawn ones, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])
