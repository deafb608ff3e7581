"""Members of the stack: models that learn rank-Gaussian labels, and what they say of labels they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.crossval import folds
from gnas.predictors.gp import GaussianProcess, fit_hyper
from gnas.predictors.kernels import Floats, Kind
from gnas.predictors.protocol import Vector
from gnas.predictors.sparse import SparseProcess
from gnas.space.protocol import Codes

_MOST_FITTED = 300
_MOST_EXACT = 1500
_INDUCING = 512
_REFITTED_FOLDS = 200


@dataclass(frozen=True, slots=True)
class Design:
    """Architectures as members see them.

    Attributes:
        x: Features, `(n, column)`.
        slices: Columns of each block.
        codes: Rows of the space, `(n, choice)`.
    """

    x: Floats
    slices: tuple[slice, ...]
    codes: Codes

    def rows(self, index: NDArray[np.intp]) -> Design:
        """The rows at `index`."""
        return Design(self.x[index], self.slices, self.codes[index])


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
    """Processes of one kernel each, averaged."""

    processes: tuple[GaussianProcess | SparseProcess, ...]

    def predict(self, design: Design) -> tuple[Vector, Vector]:
        """Average mean; average variance with noise."""
        means, variances = [], []
        for process in self.processes:
            mean, std = process.predict(design.x)
            means.append(mean)
            variances.append(std**2 + np.exp(process.hyper.log_noise))
        return np.mean(means, axis=0), np.mean(variances, axis=0)


@dataclass(frozen=True, slots=True)
class ProcessMember:
    """Gaussian processes on blocks of features: one with RBF kernels, one with Matérn-3/2 kernels, averaged.

    Past `_MOST_EXACT` labels both are sparse.

    Attributes:
        kinds: Kernels of each process.
        seed: Chooses folds, and inducing rows of sparse processes.
        name: What reports call it.
    """

    kinds: tuple[tuple[Kind, ...], ...] = (("rbf",), ("matern32",))
    seed: int = 0
    name: str = "gp"

    def fit(self, design: Design, z: Vector) -> FittedProcess:
        """Hyper-parameters by maximum a posteriori, on at most `_MOST_FITTED` rows; then conditioned on all."""
        some = _spread(len(z), _MOST_FITTED, self.seed)
        processes: list[GaussianProcess | SparseProcess] = []
        for kinds in self.kinds:
            hyper = fit_hyper(design.x[some], design.slices, z[some], kinds=kinds)
            if len(z) <= _MOST_EXACT:
                processes.append(GaussianProcess.condition(hyper, design.slices, design.x, z))
            else:
                inducing = design.x[_spread(len(z), _INDUCING, self.seed)]
                processes.append(SparseProcess.condition(hyper, design.slices, inducing, design.x, z))
        return FittedProcess(tuple(processes))

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, Vector]:
        """Few labels: by folds with hyper-parameters of their own. Many: each left out in closed form."""
        if len(z) > _REFITTED_FOLDS:
            fitted = self.fit(design, z)
            pairs = [process.leave_one_out(z) for process in fitted.processes]
            return np.mean([mean for mean, _ in pairs], axis=0), np.mean([variance for _, variance in pairs], axis=0)
        mean, variance = np.zeros(len(z)), np.ones(len(z))
        for train, test in folds(len(z), self.seed):
            mean[test], variance[test] = self.fit(design.rows(train), z[train]).predict(design.rows(test))
        return mean, variance


def _spread(n: int, most: int, seed: int) -> NDArray[np.intp]:
    """All of `n` rows, or `most` drawn ones, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])
