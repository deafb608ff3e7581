"""The history of a study as arrays: codes, scores, what is taken."""

from __future__ import annotations

import math
import operator
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Assignment
from gnas.evaluation import Evaluation
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Codes, Space

_MEMO_SIZE = 65536
_FEATURES_SIZE = 8192
_rows: OrderedDict[tuple[str, Assignment], Codes] = OrderedDict()
_features: OrderedDict[tuple[str, bytes], NDArray[np.float64]] = OrderedDict()


def encode_rows(space: Space, assignments: Sequence[Assignment]) -> Codes:
    """Codes of many assignments, shape `(n, choice)`; single rows are memoised across calls."""
    fingerprint = space.fingerprint
    rows = np.empty((len(assignments), len(space.choices)), dtype=np.int16)
    for i, assignment in enumerate(assignments):
        key = (fingerprint, assignment)
        row = _rows.get(key)
        if row is None:
            row = _rows[key] = space.encode(dict(assignment))
            if len(_rows) > _MEMO_SIZE:
                _rows.popitem(last=False)
        rows[i] = row
    return rows


@dataclass(slots=True)
class _Seen:
    """The history seen last, with its rows."""

    fingerprint: str
    evaluations: tuple[Evaluation, ...]
    rows: Codes


_last = _Seen("", (), np.empty((0, 0), dtype=np.int16))


def evaluated_rows(study: StudyView) -> Codes:
    """Codes of all evaluations in their order, shape `(evaluation, choice)`; not to be written to.

    A history only grows: what was encoded for the call before is not looked at again.
    """
    space, evaluations = study.space, study.evaluations
    held = _last.evaluations if space.fingerprint == _last.fingerprint else ()
    if len(held) > len(evaluations) or not all(map(operator.is_, held, evaluations)):
        held = ()
    new = encode_rows(space, [evaluation.assignment for evaluation in evaluations[len(held) :]])
    rows = np.concatenate([_last.rows, new]) if held else new
    _last.fingerprint, _last.evaluations, _last.rows = space.fingerprint, tuple(evaluations), rows
    return rows


class PerEvaluation:
    """What a function says of each evaluation of a history; told once, as a history only grows."""

    def __init__(self) -> None:
        self._key: object = None
        self._evaluations: tuple[Evaluation, ...] = ()
        self._told: list[float] = []

    def of(
        self, key: object, evaluations: Sequence[Evaluation], tell: Callable[[Evaluation], float]
    ) -> NDArray[np.float64]:
        """`tell` of each of `evaluations`, shape `(evaluation,)`; `key` stands for all else that `tell` depends on."""
        held = self._evaluations if key == self._key else ()
        if len(held) > len(evaluations) or not all(map(operator.is_, held, evaluations)):
            held = ()
        told = [*self._told[: len(held)], *map(tell, evaluations[len(held) :])]
        self._key, self._evaluations, self._told = key, tuple(evaluations), told
        return np.array(told, dtype=np.float64)


_scores = PerEvaluation()


def row_keys(codes: Codes) -> list[bytes]:
    """The bytes of each row of `codes`, shape `(n, choice)`: equal where rows are."""
    text, width = np.ascontiguousarray(codes, dtype=np.int16).tobytes(), 2 * codes.shape[1]
    return [text[start : start + width] for start in range(0, len(codes) * width, width or 1)] or [b""] * len(codes)


def remembered(fingerprint: str, codes: Codes, features: Callable[[Codes], NDArray[np.float64]]) -> NDArray[np.float64]:
    """`features(codes)`, shape `(n, column)`, row by row from memory where a row was met lately.

    Args:
        fingerprint: Of the space, with which `features` must be fixed; a row's features must not depend on the others.
        codes: Rows, `(n, choice)`.
        features: Rows of codes to features.
    """
    keys = [(fingerprint, key) for key in row_keys(codes)]
    new = {key: i for i, key in enumerate(keys) if key not in _features}
    if new:
        _features.update(zip(new, features(codes[list(new.values())]), strict=True))
    out = np.concatenate([_features[key] for key in keys]).reshape(len(keys), -1) if keys else features(codes)
    while len(_features) > _FEATURES_SIZE:
        _features.popitem(last=False)
    return out


def score(study: StudyView, evaluation: Evaluation) -> float:
    """The objective with its sign turned so that larger is better; NaN where there is no usable value.

    A pruned evaluation counts with what it was estimated to come to.
    """
    if evaluation.status == "pruned" and evaluation.estimate is not None:
        value = evaluation.estimate
    elif evaluation.status == "ok":
        value = float(evaluation.values.get(study.objective.name, math.nan))
    else:
        return math.nan
    return study.objective.sign() * value if math.isfinite(value) else math.nan


def scores(study: StudyView) -> NDArray[np.float64]:
    """`score` of every evaluation, shape `(evaluation,)`."""
    return _scores.of(study.objective, study.evaluations, partial(score, study))


def ranked(study: StudyView) -> list[Evaluation]:
    """Usable evaluations, best first; ties in the order they were made."""
    values, evaluations = scores(study), study.evaluations
    # NaN, no usable value, comes last.
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(np.isfinite(values))]
    return [evaluations[i] for i in order.tolist()]


def taken(study: StudyView) -> set[bytes]:
    """Digests that must not be proposed: evaluated (whatever came of it) and pending ones."""
    digests = {evaluation.digest.encode() for evaluation in study.evaluations}
    return digests | {architecture.digest.encode() for architecture in study.pending}
