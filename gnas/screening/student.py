"""A student: a small network on the choices alone that imitates a slow predictor, for the bulk of a large pool.

It only decides which rows the predictor itself looks at. A linear model carries the main effects, a perceptron what is
left; both are trained on the predictor's own answers for a few thousand rows of the pool.

Source: the idea of Buciluă, Caruana and Niculescu-Mizil, "Model compression", KDD 2006, doi:10.1145/1150402.1150464.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.crossval import tau
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.screening.pool import Chunk
from gnas.space.protocol import Codes, Space

Single = NDArray[np.float32]
_HIDDEN = (64, 64)
_RIDGE = 1.0
_JUDGED = 0.125
_DOUBT = 0.99


@dataclass(frozen=True, slots=True)
class OneHots:
    """Choices as inputs: a column for each value, none where the choice is inactive; extra columns scaled.

    Attributes:
        offsets: First column of each choice, `(choice,)`.
        width: Columns of choices.
        centre, scale: Of the extra columns.
    """

    offsets: NDArray[np.int64]
    width: int
    centre: Vector
    scale: Vector

    @classmethod
    def of(cls, space: Space, extra: Floats | None) -> OneHots:
        """Columns of a space's choices; the scale of extra columns from `extra`."""
        sizes = [len(choice.values) for choice in space.choices]
        given = np.zeros((1, 0)) if extra is None else extra
        spread = given.std(axis=0)
        return cls(
            np.cumsum([0, *sizes[:-1]]), sum(sizes), given.mean(axis=0), 1.0 / np.where(spread > 0.0, spread, 1.0)
        )

    def __call__(self, codes: Codes, extra: Floats | None) -> Single:
        """Inputs of rows, `(n, column)`."""
        table = np.zeros((len(codes), self.width + 1), dtype=np.float32)
        rows = np.arange(len(codes))
        for column, offset in enumerate(self.offsets.tolist()):
            taken = codes[:, column]
            table[rows, np.where(taken < 0, self.width, taken + offset)] = 1.0
        if extra is None:
            return table[:, :-1]
        scaled = np.clip((extra - self.centre) * self.scale, -5.0, 5.0)
        return np.concatenate([table[:, :-1], scaled.astype(np.float32)], axis=1)


@dataclass(frozen=True, slots=True)
class Student:
    """What it learnt.

    Attributes:
        inputs: How rows become inputs.
        linear: Weights of the main effects, `(column + 1, target)`, the intercept last.
        layers: Weights and biases of the perceptron, with rectifiers between.
        centre, scale: Of the targets, `(target,)`.
        tau: Kendall's τ of each target with the truth, on rows it was not trained on.
        error: Of each target, what the absolute error of 99 % of such rows stays below.
    """

    inputs: OneHots
    linear: Single
    layers: tuple[tuple[Single, Single], ...]
    centre: Vector
    scale: Vector
    tau: tuple[float, ...]
    error: tuple[float, ...]

    @classmethod
    def fit(cls, space: Space, rows: Chunk, targets: Floats, seed: int) -> Student:
        """Learns `targets`, `(n, target)`, of rows.

        Source: Adam and early stopping are scikit-learn's.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        inputs = OneHots.of(space, rows.extra)
        x = inputs(rows.codes, rows.extra)
        centre, scale = targets.mean(axis=0), targets.std(axis=0)
        y = (targets - centre) / np.where(scale > 0.0, scale, 1.0)
        n = len(x) - int(len(x) * _JUDGED)
        linear = _ridge(x[:n], y[:n])
        left = y[:n] - _linear(x[:n], linear)
        network = MLPRegressor(
            hidden_layer_sizes=_HIDDEN,
            alpha=0.1,
            learning_rate_init=2e-3,
            max_iter=60,
            early_stopping=True,
            n_iter_no_change=6,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(x[:n], left.astype(np.float32))
        layers = tuple(
            (np.asarray(w, dtype=np.float32), np.asarray(b, dtype=np.float32))
            for w, b in zip(network.coefs_, network.intercepts_, strict=True)
        )
        made = cls(inputs, linear.astype(np.float32), layers, centre, scale, (), ())
        told = made.predict(rows.take(np.arange(n, len(x))))
        pairs = list(zip(told.T, targets[n:].T, strict=True))
        errors = tuple(float(np.quantile(np.abs(a - b), _DOUBT)) for a, b in pairs)
        return cls(inputs, made.linear, layers, centre, scale, tuple(tau(a, b) for a, b in pairs), errors)

    def predict(self, rows: Chunk) -> Floats:
        """Targets of rows, `(n, target)`."""
        x = self.inputs(rows.codes, rows.extra)
        hidden = x
        for k, (weight, bias) in enumerate(self.layers):
            hidden = hidden @ weight + bias
            if k + 1 < len(self.layers):
                np.maximum(hidden, 0.0, out=hidden)
        y = _linear(x, self.linear) + hidden.reshape(len(x), -1)
        out: Floats = y * self.scale + self.centre
        return out


def _ridge(x: Single, y: Floats) -> Floats:
    one = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = np.full(one.shape[1], _RIDGE)
    penalty[-1] = 1e-6
    solved: Floats = np.linalg.solve(one.T @ one + np.diag(penalty), one.T @ y)
    return solved


def _linear(x: Single, weights: NDArray[np.floating]) -> Floats:
    out: Floats = x @ weights[:-1] + weights[-1]
    return out
