"""`Pool`: the isomorphism classes of a small space, each once, with their features."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.errors import SpaceError
from gnas.evaluation import Evaluation
from gnas.predictors.features import extractor_of_space
from gnas.predictors.graphs import GraphSpace
from gnas.space.protocol import Codes, Space

Floats32 = NDArray[np.float32]

MOST_CLASSES = 100_000
_MOST_ASSIGNMENTS = 400_000
_MOST_DECODED = 8192
"""Assignments of a space that decodes one after the other."""
_CHUNK = 8192
_MEMO_SIZE = 2


@dataclass(frozen=True, eq=False)
class Pool:
    """Architectures that a searcher chooses from, no two isomorphic.

    Attributes:
        space: Where they are from.
        codes: `(row, choice)`.
        x: Features, `(row, column)`.
        slices: Columns of each block.
        norms: Squared length of each row within each block, `(block, row)`.
        index: Row of each digest.
        key: What tells it from other pools.
    """

    space: Space
    codes: Codes
    x: Floats32
    slices: tuple[slice, ...]
    norms: Floats32
    index: dict[bytes, int]
    key: str

    @classmethod
    def of(cls, space: Space, codes: Codes, digests: NDArray[np.bytes_]) -> Pool:
        """The pool of distinct `digests`."""
        extractor = extractor_of_space(space)
        parts = [
            extractor.features_of_codes(space, codes[start : start + _CHUNK]).astype(np.float32)
            for start in range(0, len(codes), _CHUNK)
        ]
        x = np.concatenate(parts)
        return cls.of_features(space, codes, x, extractor.slices, digests.tolist(), space.fingerprint)

    @classmethod
    def of_features(
        cls, space: Space, codes: Codes, x: Floats32, slices: Sequence[slice], digests: Sequence[bytes], key: str
    ) -> Pool:
        """The pool of distinct `digests` whose features are known."""
        norms = np.stack([(x[:, part] ** 2).sum(axis=1) for part in slices])
        return cls(space, codes, x, tuple(slices), norms, {digest: i for i, digest in enumerate(digests)}, key)

    def rows_of(self, evaluations: Sequence[Evaluation]) -> NDArray[np.intp]:
        """Rows of evaluations, −1 for those of another space; shape `(evaluation,)`."""
        return np.array([self.index.get(evaluation.digest.encode(), -1) for evaluation in evaluations], dtype=np.intp)


_pools: OrderedDict[str, Pool | None] = OrderedDict()


def whole_space(space: Space) -> Pool | None:
    """All classes of a space, remembered; None if there are more than 100,000, or none that features tell apart.

    A space that makes no graphs in batches (`GraphSpace`) is enumerated up to 8,192 assignments.
    """
    if space.fingerprint not in _pools:
        _pools[space.fingerprint] = _enumerated(space)
        if len(_pools) > _MEMO_SIZE:
            _pools.popitem(last=False)
    return _pools[space.fingerprint]


def _enumerated(space: Space) -> Pool | None:
    try:
        most = _MOST_ASSIGNMENTS if isinstance(space, GraphSpace) else _MOST_DECODED
        if space.count() > most or not extractor_of_space(space).names:
            return None
    except SpaceError:
        return None
    codes = np.concatenate(list(space.iterate_codes()))
    digests, first = np.unique(space.digests(codes), return_index=True)
    if len(first) > MOST_CLASSES:
        return None
    order = np.argsort(first)
    return Pool.of(space, codes[first[order]], digests[order])
