"""Candidates evolved under the acquisition itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gnas.predictors.protocol import Vector
from gnas.space.protocol import Codes, Space

Acquisition = Callable[[Codes], Vector]
"""Acquisition of rows, `(n, choice)` to `(n,)`; larger is better."""


def evolved(
    space: Space,
    start: Codes,
    acquisition: Acquisition,
    rng: np.random.Generator,
    *,
    generations: int,
    brood: int,
    taken: frozenset[bytes] = frozenset(),
) -> Codes:
    """`start` and its offspring, highest acquisition first, no row twice.

    Each generation the best `brood // 4` of all rows so far have `brood` children: half by one mutation, a quarter by
    two, a quarter by crossover.

    Args:
        space: Where rows are from.
        start: Distinct rows, `(n, choice)`, n ≥ 1.
        acquisition: What is maximised.
        rng: Of the mutations.
        generations: How many; 0 only sorts.
        brood: Children of a generation, 4 or more.
        taken: Rows, as bytes, that are not to be bred.
    """
    rows, values = start, acquisition(start)
    seen = {row.tobytes() for row in start} | taken
    for _ in range(generations):
        parents = rows[np.argsort(-values, kind="stable")[: max(2, brood // 4)]]
        near = space.mutate_codes(parents[rng.integers(len(parents), size=3 * brood // 4)], rng)
        further = space.mutate_codes(near[: brood // 4], rng)
        pairs = parents[rng.integers(len(parents), size=(2, brood - 3 * brood // 4))]
        crossed = space.cross_codes(pairs[0], pairs[1], rng)
        children = np.concatenate([further, near[brood // 4 :], crossed]).astype(np.int16)
        fresh = []
        for i, row in enumerate(children):
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                fresh.append(i)
        if fresh:
            rows = np.concatenate([rows, children[fresh]])
            values = np.concatenate([values, acquisition(children[fresh])])
    return rows[np.argsort(-values, kind="stable")]
