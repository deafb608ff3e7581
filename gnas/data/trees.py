"""Two tree learners behind one call: random forest, and histogram gradient boosting stopped on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.data.metrics import class_log_loss, log_loss, rmse

Matrix = NDArray[Any]
Vector = NDArray[Any]
Config = Mapping[str, Any]
Kind = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model.

    Attributes:
        predict: Features `(example, feature)` to values in data units or probabilities of a binary label `(example,)`;
            probabilities `(example, class)`, classes ascending, where there are several.
        config: What it was fitted with, anything found on the way (`iterations`) included.
    """

    predict: Callable[[Matrix], Vector]
    config: Config


class Learner(Protocol):
    """A way to fit one target."""

    def fit(
        self,
        x: Matrix,
        y: Vector,
        watched: tuple[Matrix, Vector] | None,
        *,
        kind: Kind,
        config: Config,
        seed: int,
        draft: bool,
    ) -> Fitted:
        """A model of `y` `(example,)` from `x` `(example, feature)`.

        Args:
            x: Features without gaps.
            y: Labels, none missing.
            watched: Validation features and labels for early stopping, or None for a fit with what `config` says.
            kind: Of the task.
            config: Hyper-parameters.
            seed: Of the model.
            draft: Whether a cheaper model will do, for comparing configurations.
        """
        ...


def _splittable(x: Matrix, rows: int) -> NDArray[np.bool_]:
    """Columns in which at least `rows` examples differ from the commonest value: others cannot be split on."""
    most = np.array([np.unique(column, return_counts=True)[1].max() for column in x.T])
    keep: NDArray[np.bool_] = len(x) - most >= rows
    return keep if keep.any() else np.ones(x.shape[1], dtype=bool)


@dataclass(frozen=True, slots=True)
class RandomForestLearner:
    """Random forest.

    Source: Breiman, Random Forests, Machine Learning 2001, 45, 5 (doi:10.1023/A:1010933404324).

    Attributes:
        trees: In a forest; `draft_trees` while configurations are compared.
        n_jobs: Threads.
    """

    trees: int = 200
    draft_trees: int = 40
    n_jobs: int = 1

    def fit(
        self,
        x: Matrix,
        y: Vector,
        watched: tuple[Matrix, Vector] | None,
        *,
        kind: Kind,
        config: Config,
        seed: int,
        draft: bool,
    ) -> Fitted:
        """See `Learner`; `watched` is not read."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        keep = _splittable(x, max(3, config["min_samples_leaf"]))
        estimator = RandomForestRegressor if kind == "regression" else RandomForestClassifier
        model = estimator(
            n_estimators=self.draft_trees if draft else self.trees,
            max_features=config["max_features"],
            min_samples_leaf=config["min_samples_leaf"],
            random_state=seed,
            n_jobs=self.n_jobs,
        ).fit(x[:, keep], y)
        return Fitted(lambda rows: _predict(model, rows[:, keep], kind), config)


@dataclass(frozen=True, slots=True)
class BoostingLearner:
    """Histogram gradient boosting, stopped when the validation loss has not fallen for `patience` trees.

    Source: Ke et al., LightGBM, NeurIPS 2017; scikit-learn's implementation.

    Attributes:
        most, draft_most: Largest number of trees.
        chunk: Trees between two looks at validation.
        patience: Trees without a lower validation loss before stopping.
        bins: Per feature; half the time of 255 at the same validation error.
    """

    most: int = 500
    draft_most: int = 120
    chunk: int = 20
    patience: int = 40
    bins: int = 63

    def fit(
        self,
        x: Matrix,
        y: Vector,
        watched: tuple[Matrix, Vector] | None,
        *,
        kind: Kind,
        config: Config,
        seed: int,
        draft: bool,
    ) -> Fitted:
        """See `Learner`; without `watched` the number of trees is `config["iterations"]`."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        keep = _splittable(x, config["min_samples_leaf"])
        estimator = HistGradientBoostingRegressor if kind == "regression" else HistGradientBoostingClassifier

        def make(iterations: int) -> Any:
            return estimator(
                max_iter=iterations,
                learning_rate=config["learning_rate"],
                min_samples_leaf=config["min_samples_leaf"],
                l2_regularization=config["l2_regularization"],
                early_stopping=False,
                max_bins=self.bins,
                random_state=seed,
                warm_start=watched is not None,
            )

        with threadpool_limits(limits=1, user_api="openmp"):
            iterations = int(config.get("iterations", 100))
            if watched is not None and len(watched[1]):
                rows = watched[0][:, keep], watched[1]
                model = make(self.chunk)
                iterations = self._stopping_point(model, x[:, keep], y, rows, kind, draft)
            model = make(iterations).fit(x[:, keep], y)
        return Fitted(lambda rows: _predict(model, rows[:, keep], kind), {**config, "iterations": iterations})

    def _stopping_point(
        self, model: Any, x: Matrix, y: Vector, watched: tuple[Matrix, Vector], kind: Kind, draft: bool
    ) -> int:
        """Number of trees at which the validation loss is lowest."""
        loss = {"regression": rmse, "binary": log_loss, "multiclass": class_log_loss}[kind]
        lowest, best, grown = np.inf, self.chunk, 0
        while grown < (self.draft_most if draft else self.most) and grown - best < self.patience:
            grown += self.chunk
            model.set_params(max_iter=grown)
            found = loss(watched[1], _predict(model.fit(x, y), watched[0], kind))
            if found < lowest:
                lowest, best = found, grown
        return best


def _predict(model: Any, x: Matrix, kind: Kind) -> Vector:
    if kind == "regression":
        return np.asarray(model.predict(x), dtype=np.float64)
    probability = np.asarray(model.predict_proba(x), dtype=np.float64)
    return probability[:, 1] if kind == "binary" else probability
