"""Tree ensembles as members of the stack. scikit-learn is imported where they are fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gnas.predictors.crossval import folds
from gnas.predictors.members import Design
from gnas.predictors.protocol import Vector

_FOLDS = 5

TreeKind = Literal["extra-trees", "boosting"]


@dataclass(frozen=True, slots=True)
class FittedTrees:
    """An ensemble after its fit."""

    model: Any

    def predict(self, design: Design) -> tuple[Vector, None]:
        """Mean alone: the spread of trees says little of the error."""
        return np.asarray(self.model.predict(design.x), dtype=np.float64), None


@dataclass(frozen=True, slots=True)
class TreeMember:
    """Extremely randomised or gradient-boosted trees.

    Source: Geurts, Ernst and Wehenkel, Machine Learning 63, 2006, doi:10.1007/s10994-006-6226-1; Friedman, "Stochastic
    gradient boosting", 2002, doi:10.1016/S0167-9473(01)00065-2.

    Attributes:
        name: Which.
        seed: Of the ensemble and of its folds.
    """

    name: TreeKind
    seed: int = 0

    def fit(self, design: Design, z: Vector) -> FittedTrees:
        """Fits on labels `z`, `(n,)`."""
        return FittedTrees(_MAKERS[self.name](self.seed).fit(design.x, z))

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, None]:
        """Predictions by folds."""
        mean = np.zeros(len(z))
        for train, test in folds(len(z), self.seed, _FOLDS):
            mean[test] = self.fit(design.rows(train), z[train]).predict(design.rows(test))[0]
        return mean, None


def _extra_trees(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(n_estimators=60, max_features=0.2, random_state=seed, n_jobs=1)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(
        n_estimators=120, learning_rate=0.06, max_depth=3, subsample=0.5, max_features=0.1, random_state=seed
    )


_MAKERS: dict[TreeKind, Callable[[int], Any]] = {"extra-trees": _extra_trees, "boosting": _boosting}
