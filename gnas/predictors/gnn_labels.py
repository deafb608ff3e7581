"""Labels of nodes as vectors without a vocabulary: ops and parameters hashed, so that any space speaks one language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from gnas.architecture import INPUT
from gnas.predictors.features_vocabulary import ROUTING, is_number
from gnas.predictors.flow import passage
from gnas.predictors.graphs import Singles
from gnas.space.program import Label

_OP, _PARAMETER = 24, 12
_FLAGS = 3

LABEL_WIDTH = _FLAGS + _OP + 2 * _PARAMETER
"""Width of the vector of a label."""


def label_vectors(table: Sequence[Label]) -> Singles:
    """The vector of each label, `(label, LABEL_WIDTH)`.

    Flags (is an input, only routes, how much it passes on unchanged), a random unit vector for the name of the op, a
    sum of random vectors for parameters that are words, and one of random vectors times logarithms for numbers.
    """
    out = np.zeros((len(table), LABEL_WIDTH), dtype=np.float32)
    for row, (op, params) in zip(out, table, strict=True):
        row[:_FLAGS] = op == INPUT, op in ROUTING, passage(op)
        row[_FLAGS : _FLAGS + _OP] = _unit(_OP, "op", op)
        words, numbers = row[_FLAGS + _OP : -_PARAMETER], row[-_PARAMETER:]
        for name, value in params if op != INPUT else ():
            if is_number(value):
                numbers += np.sign(value) * np.log1p(abs(value)) * _unit(_PARAMETER, "number", name)
            else:
                words += _unit(_PARAMETER, "word", name, value)
    return out


@lru_cache(maxsize=4096)
def _unit(width: int, *words: object) -> Singles:
    digest = blake2b(repr(words).encode(), digest_size=8).digest()
    vector = np.random.default_rng(int.from_bytes(digest, "little")).standard_normal(width)
    vector = vector / np.linalg.norm(vector)
    vector.setflags(write=False)
    return vector.astype(np.float32)
