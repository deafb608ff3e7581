"""A made-up table on the cells of NAS-Bench-201, so that a first run needs no file."""

from __future__ import annotations

import numpy as np

from gnas.space.library import load_space
from gnas.space.yaml_space import YamlSpace
from gnas_tabular.table import Table

_SPACE = "benchmarks/nasbench201"
_WORTH = {"none": 0.0, "skip_connect": 0.9, "nor_conv_1x1": 1.4, "nor_conv_3x3": 2.0, "avg_pool_3x3": 0.5}
_PARAMS = {"nor_conv_1x1": 100, "nor_conv_3x3": 900}


def toy_table() -> Table:
    """Every cell with columns `validation`, `test` and `n_params`: sums over edges with diminishing returns, and noise.

    Values mean nothing; they only have the shape that accuracies have. Isomorphic cells differ by their noise.
    """
    space: YamlSpace = load_space(_SPACE)
    codes = np.concatenate(list(space.iterate_codes()))
    values = [str(value) for value in space.choices[0].values]
    worth = np.array([_WORTH[value] for value in values])[codes]
    params = np.array([_PARAMS.get(value, 0) for value in values])[codes].sum(axis=1)
    # Edges into the last node count most; paths through the middle help one another.
    mass = worth @ np.array([0.6, 0.6, 0.5, 1.0, 0.9, 0.9]) + 0.35 * worth[:, 0] * worth[:, 4]
    truth = 92.0 * (1.0 - np.exp(-0.45 * mass))
    rng = np.random.default_rng(201)
    columns = {
        "validation": truth + rng.normal(0.0, 0.4, len(truth)),
        "test": truth + rng.normal(0.0, 0.2, len(truth)),
        "n_params": params.astype(np.float64),
    }
    return Table(space, codes, columns, "toy", {})
