"""A standing pool of a space too large to list: what the best rows lead to, one change at a time, under the model.

The pool is made anew where the history has grown by a quarter and serves all asks until then, so that many more
candidates are looked at than an ask could afford, and each once. It is a pure function of the first evaluations.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnas.evaluation import Evaluation
from gnas.predictors.acquisition import upper_confidence_bound
from gnas.predictors.gp import GaussianProcess, Hyper
from gnas.predictors.protocol import Vector
from gnas.searchers.history import encode_rows, row_keys
from gnas.searchers.outlook import Encoder, Evidence, Model
from gnas.searchers.pool import Floats32, Pool
from gnas.searchers.protocol import StudyView
from gnas.searchers.surrogate import refit_point
from gnas.space.protocol import Codes, Space

MOST_ROWS = 16_384
_MEMO_SIZE = 2
_BETA = 1.0
_WIDTH = 32
_UNIFORM = 8
"""One row in so many is drawn at random."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """A standing pool, and the hyper-parameters under which it was gathered."""

    pool: Pool
    hyper: Hyper


_memo: OrderedDict[bytes, Harvest | None] = OrderedDict()


def harvest(study: StudyView, encoder: Encoder, per_label: int) -> Harvest | None:
    """The standing pool of a study; None while no evaluation is usable.

    Args:
        study: Its evaluations up to the last quarter decide.
        encoder: Rows to features, fixed with the space.
        per_label: Rows of the pool for each of these evaluations, up to 16,384 in all.
    """
    m = refit_point(len(study.evaluations))
    evidence = Evidence.of(study, m)
    known = study.evaluations[:m]
    key = _key(study.space, known, evidence, per_label)
    if key not in _memo:
        _memo[key] = _gathered(study.space, known, evidence, encoder, min(per_label * m, MOST_ROWS), key)
        if len(_memo) > _MEMO_SIZE:
            _memo.popitem(last=False)
    return _memo[key]


def _key(space: Space, known: Sequence[Evaluation], evidence: Evidence, per_label: int) -> bytes:
    parts = [space.fingerprint, *(evaluation.digest for evaluation in known), str(per_label)]
    return hashlib.sha256("\n".join(parts).encode() + evidence.labels.tobytes()).digest()


def _gathered(
    space: Space, known: Sequence[Evaluation], evidence: Evidence, encoder: Encoder, size: int, key: bytes
) -> Harvest | None:
    if not evidence.usable.any():
        return None
    model = Model.of(evidence, encoder)
    rng = np.random.default_rng(np.frombuffer(key, dtype=np.uint32))
    found = _Found(space, encoder, model.process, _rows_before(space))
    found.add(encode_rows(space, [evaluation.assignment for evaluation in known]))
    found.add(space.sample_codes(rng, max(1, size // _UNIFORM)))
    while len(found.values) < size:
        parents = found.next_parents(_WIDTH)
        if not len(parents):
            break  # Nothing is left that was not looked at.
        near = np.concatenate([space.neighbour_codes(row) for row in parents])
        found.add(near)
        # Where a constraint ties choices, what is one change away in effect takes two.
        found.add(space.mutate_codes(near, rng))
    return Harvest(found.pool(key.hex()), model.process.hyper)


def _rows_before(space: Space) -> dict[bytes, Floats32]:
    """Features of rows of the pool before, by the row's bytes: features depend on the row alone."""
    pools = [held.pool for held in _memo.values() if held and held.pool.space.fingerprint == space.fingerprint]
    return {key: x for pool in pools[-1:] for key, x in zip(row_keys(pool.codes), pool.x, strict=True)}


@dataclass(slots=True)
class _Found:
    """Rows gathered so far, no two isomorphic.

    Attributes:
        space: Where they are from.
        encoder: Rows to features.
        process: What they are judged by.
        before: Features known already, by the bytes of a row.
        seen: Digests, in the order of the rows.
        parts, features: Rows and their features, as they came.
        values: Upper confidence bound of each row, `(row,)`.
        expanded: Whose neighbours were looked at, `(row,)`.
    """

    space: Space
    encoder: Encoder
    process: GaussianProcess
    before: dict[bytes, Floats32]
    seen: dict[bytes, None] = field(default_factory=dict)
    parts: list[Codes] = field(default_factory=list)
    features: list[Floats32] = field(default_factory=list)
    values: Vector = field(default_factory=lambda: np.zeros(0))
    expanded: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def add(self, rows: Codes) -> None:
        """Takes up rows whose class was not met."""
        fresh = []
        for i, digest in enumerate(self.space.digests(rows).tolist()):
            if digest not in self.seen:
                self.seen[digest] = None
                fresh.append(i)
        if not fresh:
            return
        codes = rows[fresh].astype(np.int16)
        x = self._features(codes)
        beliefs = self.process.believe(x)
        self.parts.append(codes)
        self.features.append(x)
        bounds = upper_confidence_bound(beliefs.mean, np.sqrt(beliefs.variance), _BETA)
        self.values = np.concatenate([self.values, bounds])
        self.expanded = np.concatenate([self.expanded, np.zeros(len(fresh), dtype=np.bool_)])

    def next_parents(self, n: int) -> Codes:
        """The best `n` rows whose neighbours were not looked at."""
        chosen = np.argsort(np.where(self.expanded, np.inf, -self.values), kind="stable")[:n]
        chosen = chosen[~self.expanded[chosen]]
        self.expanded[chosen] = True
        return self.codes[chosen]

    def pool(self, key: str) -> Pool:
        """All rows."""
        slices = self.encoder(self.codes[:0])[1]
        return Pool.of_features(self.space, self.codes, np.concatenate(self.features), slices, list(self.seen), key)

    @property
    def codes(self) -> Codes:
        """All rows, `(row, choice)`."""
        self.parts = [np.concatenate(self.parts)]
        return self.parts[0]

    def _features(self, codes: Codes) -> Floats32:
        held = [self.before.get(key) for key in row_keys(codes)]
        new = np.array([x is None for x in held])
        computed = self.encoder(codes[new])[0].astype(np.float32)
        out = np.empty((len(codes), computed.shape[1]), dtype=np.float32)
        out[new] = computed
        for row, x in zip(out, held, strict=True):
            if x is not None:
                row[:] = x
        return out
