"""Bootstrap intervals: how far a test metric may be off because another draw of patients would have been tested.

They tell of the examples alone; how retrainings differ stands beside them as the spread over seeds.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from gnas.results import Intervals

if TYPE_CHECKING:
    import torch

    from gnas.domain import Part, ResamplingTask

DRAWS = 200
LEVEL = 0.95
_DEFINED = 0.5
"""A metric has an interval where it is defined in at least this share of the draws."""


def bootstrap(
    task: ResamplingTask,
    part: Part,
    outputs: torch.Tensor,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals over draws of whole clusters with replacement.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3; for clusters Field and Welsh
    2007 (doi:10.1111/j.1467-9868.2007.00593.x).

    Args:
        task: Gives clusters and metrics.
        part: Whose examples are drawn.
        outputs: Raw outputs for the whole part in order.
        draws: How often.
        level: Share of the draws inside.
        seed: Of the draws.
    """
    rows: dict[Hashable, list[int]] = {}
    for row, cluster in enumerate(task.clusters(part)):
        rows.setdefault(cluster, []).append(row)
    clusters = [np.array(found, dtype=np.int64) for found in rows.values()]
    score, rng = task.scorer(part, outputs), np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        chosen = rng.integers(len(clusters), size=len(clusters))
        for name, value in score(np.concatenate([clusters[i] for i in chosen])).items():
            found.setdefault(name, []).append(value)
    tail = 50 * (1 - level)
    bounds: dict[str, tuple[float, float]] = {}
    for name, values in found.items():
        defined = np.array(values)[np.isfinite(values)]
        if len(defined) >= _DEFINED * draws:
            low, high = np.percentile(defined, [tail, 100 - tail])
            bounds[name] = (float(low), float(high))
    return Intervals(bounds, len(clusters), sum(map(len, clusters)), draws, level)
