"""Cheap features with names: what a predictor must beat to be worth its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from gnas.architecture import Architecture
from gnas.predictors.features_vocabulary import ROUTING, is_number
from gnas.predictors.protocol import Vector


def cheap_features(architectures: Sequence[Architecture]) -> Mapping[str, Vector]:
    """Features anyone would try first, name to `(architecture,)`, those that are constant left out.

    Numbers of each op and of each value of its parameters, sums of numeric parameters, depth, nodes, edges.
    """
    rows = [_row(architecture) for architecture in architectures]
    names = sorted({name for row in rows for name in row})
    columns = {name: np.array([row.get(name, 0.0) for row in rows], dtype=np.float64) for name in names}
    return {name: column for name, column in columns.items() if np.ptp(column) > 0}


def _row(architecture: Architecture) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    depth = np.zeros(len(architecture.nodes))
    for index, node in enumerate(architecture.nodes):
        counted = node.op not in ROUTING
        before = max((depth[i] for i in node.inputs), default=0.0)
        depth[index] = before + counted
        found["edges"] += len(node.inputs)
        if not counted:
            continue
        found["nodes"] += 1
        found[f"number of {node.op}"] += 1
        for name, value in node.params:
            if is_number(value):
                found[f"sum of {name}"] += float(value)
            else:
                found[f"number of {name}={value}"] += 1
    found["depth"] = float(max((depth[i] for i in architecture.outputs), default=0.0))
    return dict(found)
