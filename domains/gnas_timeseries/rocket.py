"""Random convolution kernels with a ridge model, as aeon has them.

Sources: Dempster, Schmidt and Webb 2021, MiniRocket, arXiv:2012.08791; Tan et al. 2022, MultiRocket, arXiv:2102.00457;
Dempster, Schmidt and Webb 2023, Hydra, arXiv:2203.13652.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas_timeseries.options import TaskKind

Matrix = NDArray[Any]

LARGEST = 6000
"""Training series a model is fitted on; of more, so many are drawn, each class in its share.

A ridge model on 50,000 features holds a matrix of as many columns, and one of the series by the series, in memory.
"""
CHUNK = 2000
"""Series transformed at once."""


@dataclass(frozen=True, slots=True)
class _Scores:
    """A ridge classifier that predicts the scores of classes in the stead of the best one."""

    ridge: Any

    def predict(self, x: Matrix) -> Matrix:
        return np.asarray(self.ridge.decision_function(x))


def fitted(
    name: str, kind: TaskKind, x: Matrix, y: Matrix, seed: int, *, balanced: bool = False
) -> Callable[[Matrix], Matrix]:
    """A fitted model: series `(series, channel, step)` to values, or to probabilities `(series, class)`.

    Probabilities are the scores of the ridge classifier through a softmax: their order means something, their size
    does not.

    Needs aeon.

    Args:
        name: `minirocket` or `multirocket_hydra`.
        kind: Of the task.
        x: Training series.
        y: Their values, or the positions of their classes, `(series,)`.
        seed: Of the kernels, and of the choice among very many series.
        balanced: Whether all classes weigh alike in the ridge classifier, in the stead of each series.
    """
    if len(x) > LARGEST:
        order = np.random.default_rng(seed).permutation(len(x))
        by_label = order[np.argsort(y[order], kind="stable")]
        chosen = by_label[np.linspace(0, len(x) - 1, LARGEST).astype(int)]
        missing = np.setdiff1d(y, y[chosen]) if kind == "classification" else np.array([])
        rows = np.union1d(chosen, [int(np.flatnonzero(y == value)[0]) for value in missing]).astype(np.int64)
        x, y = x[rows], y[rows]
    x = x.astype(np.float32)
    if kind == "regression":
        regressor = _estimator(name, kind)(random_state=seed, n_jobs=1).fit(x, y)
        return lambda rows: _chunked(regressor.predict, rows)
    weight = "balanced" if balanced else None
    classifier = _estimator(name, kind)(class_weight=weight, random_state=seed, n_jobs=1).fit(x, y.astype(np.int64))
    if name == "minirocket":
        return lambda rows: _softmax(_chunked(classifier.pipeline_.decision_function, rows))
    classifier.classifier = _Scores(classifier.classifier)
    return lambda rows: _softmax(_chunked(classifier.predict, rows))


def _estimator(name: str, kind: TaskKind) -> Any:
    """A class of aeon; compiling its kernels takes seconds, so it is imported where it is used."""
    if kind == "regression":
        from aeon.regression import convolution_based as regression

        regressors = {
            "minirocket": regression.MiniRocketRegressor,
            "multirocket_hydra": regression.MultiRocketHydraRegressor,
        }
        return regressors[name]
    from aeon.classification import convolution_based as classification

    classifiers = {
        "minirocket": classification.MiniRocketClassifier,
        "multirocket_hydra": classification.MultiRocketHydraClassifier,
    }
    return classifiers[name]


def _chunked(predict: Callable[[Matrix], Matrix], x: Matrix) -> Matrix:
    x = x.astype(np.float32)
    return np.concatenate([np.asarray(predict(x[first : first + CHUNK])) for first in range(0, len(x), CHUNK)])


def _softmax(scores: Matrix) -> Matrix:
    scores = scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1)
    exponent = np.exp(2 * (scores - scores.max(axis=1, keepdims=True)))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))
