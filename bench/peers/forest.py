"""A random forest on one-hot codes, as in the comparisons of White et al. 2021, arXiv:2104.01177, section 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from gnas.predictors.codes import code_features
from gnas.space.protocol import Codes, Space

Vector = NDArray[np.float64]


def random_forest(space: Space, codes: Codes, values: Vector, asked: Codes, seed: int) -> Vector:
    """Predictions of 200 trees."""
    model = RandomForestRegressor(200, max_features=0.5, random_state=seed, n_jobs=1)
    model.fit(code_features(space.choices, codes)[0], values)
    out: Vector = model.predict(code_features(space.choices, asked)[0])
    return out
