"""Parts of recordings: as the data say, at random with classes in equal shares, by group, or one group left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS, Parts, balanced_split, random_split, stratified_split
from gnas.errors import DataError
from gnas_timeseries.labels import Labels
from gnas_timeseries.options import Split, SplitKind
from gnas_timeseries.recordings import UNKNOWN, Recordings

Codes = NDArray[np.int64]
"""Position in `PARTS` of each recording."""

_RETRIES = 20


@dataclass(frozen=True, slots=True)
class Partition:
    """Which part each recording is in.

    Attributes:
        kind: Of the split; never `auto`.
        codes: `(recording,)`.
        free: Whether another part of the learning data might validate as well.
        notes, warnings: What to tell of it.
    """

    kind: SplitKind
    codes: Codes
    free: bool = True
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def partition(recordings: Recordings, labels: Labels, split: Split) -> Partition:
    """Parts of recordings as a spec asks.

    Args:
        recordings: With groups and parts as far as the data say.
        labels: One row a recording, for classes in equal shares.
        split: As asked.

    Raises:
        DataError: The data do not have what the kind of split needs, a group is in two parts, or a part is empty.
    """
    kind = _kind(recordings, split)
    if kind == "given":
        found = _given(recordings, labels, split)
    elif kind == "group":
        found = _by_group(recordings.groups, labels, split)
    elif kind == "leave_one_out":
        found = _leave_one_out(recordings, split)
    else:
        found = Partition(kind, _at_random(labels, split.fractions, np.random.default_rng(split.seed)))
    for code, part in enumerate(PARTS):
        if not (found.codes == code).any():
            remedy = "give it a larger fraction, more recordings, or another kind of split"
            raise DataError(f"the {part} part is empty", place="data.split", value=kind, remedy=remedy)
    warnings = (*found.warnings, *_shared_groups(recordings, found.codes, split.leaks))
    if kind == "random" and recordings.groups:
        warnings += ("the split is random although groups are named: a subject in two parts flatters the result",)
    return Partition(kind, found.codes, found.free, found.notes, warnings)


def _kind(recordings: Recordings, split: Split) -> SplitKind:
    """The kind asked for, if the data have what it needs."""
    told = bool((recordings.parts != UNKNOWN).all())
    if split.kind == "auto":
        return "given" if told else "group" if recordings.groups else "random"
    if split.kind == "given" and not told:
        remedy = "name split.column or test_file, or use another kind of split"
        raise DataError("the data do not say which part a series is in", place="data.split.kind", remedy=remedy)
    if split.kind in ("group", "leave_one_out") and not recordings.groups:
        remedy = "name the column of subjects or devices with data.group"
        raise DataError(f"split.kind {split.kind!r} needs groups", place="data.split.kind", remedy=remedy)
    return split.kind


def _at_random(labels: Labels, fractions: tuple[float, float, float], rng: np.random.Generator) -> Codes:
    n = len(labels.values)
    if labels.kind == "classification":
        return _codes(stratified_split(labels.values[:, 0].tolist(), fractions, rng), n)
    return _codes(random_split(n, fractions, rng), n)


def _codes(parts: Parts, n: int) -> Codes:
    codes = np.zeros(n, dtype=np.int64)
    for code, part in enumerate(PARTS):
        codes[parts.of(part)] = code
    return codes


def _given(recordings: Recordings, labels: Labels, split: Split) -> Partition:
    codes = recordings.parts.copy()
    learnt = np.flatnonzero(codes == 0)
    if (codes == 1).any() or not len(learnt):
        return Partition("given", codes, free=False)
    share = split.fractions[1] / (split.fractions[0] + split.fractions[1])
    rng = np.random.default_rng(split.seed)
    inner = labels.with_values(labels.values[learnt])
    # NOTE: the third share is put back into training: only validation is carved out.
    fractions = (1 - 2 * share, share, share) if share < 0.5 else (1 - share, share / 2, share / 2)
    if recordings.groups:
        groups = [recordings.groups[i] for i in learnt.tolist()]
        carved = _balanced(groups, inner, fractions, split.seed)[0] == 1
    else:
        carved = _at_random(inner, fractions, rng) == 1
    codes[learnt[carved]] = 1
    of = "whole groups" if recordings.groups else "at random"
    note = f"the data name no validation part: {int(carved.sum())} of {len(learnt)} training recordings taken, {of}"
    return Partition("given", codes, notes=(note,))


def _by_group(groups: Sequence[str], labels: Labels, split: Split) -> Partition:
    codes, attempt = _balanced(groups, labels, split.fractions, split.seed)
    if not attempt:
        return Partition("group", codes)
    warning = (
        f"split seed {split.seed} left training without a class or a part empty; shuffle {attempt} after it was used"
    )
    return Partition("group", codes, warnings=(warning,))


def _balanced(
    groups: Sequence[str], labels: Labels, fractions: tuple[float, float, float], seed: int
) -> tuple[Codes, int]:
    """Whole groups, by the seed or the first derived one whose training part has all classes and no part is empty."""
    first: Codes | None = None
    for attempt in range(_RETRIES):
        rng = np.random.default_rng(seed if attempt == 0 else [seed, attempt])
        codes = _codes(balanced_split(groups, fractions, rng), len(groups))
        first = codes if first is None else first
        classes = set(labels.values[codes == 0, 0].tolist()) if labels.kind == "classification" else set()
        if all((codes == code).any() for code in range(3)) and len(classes) == len(labels.classes):
            return codes, attempt
    assert first is not None  # the loop ran
    return first, 0


def _leave_one_out(recordings: Recordings, split: Split) -> Partition:
    names = list(dict.fromkeys(recordings.groups))
    if len(names) < 3:
        raise DataError("too few groups", place="data.split.kind", value=len(names), accepted="3 or more")
    test = split.test_group if split.test_group is not None else names[-1]
    if test not in names:
        accepted = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        raise DataError("no such group", place="data.split.test_group", value=test, accepted=accepted)
    validation = names[(names.index(test) + 1) % len(names)]
    code = {test: 2, validation: 1}
    note = f"group {test!r} is left out for the test, {validation!r} validates"
    return Partition("leave_one_out", np.array([code.get(group, 0) for group in recordings.groups]), notes=(note,))


def _shared_groups(recordings: Recordings, codes: Codes, policy: str) -> tuple[str, ...]:
    """A warning where a group is in two parts.

    Raises:
        DataError: It is, and the policy is `error`. A random split has been warned of already.
    """
    seen: dict[str, int] = {}
    for position, group in enumerate(recordings.groups):
        first = seen.setdefault(group, position)
        if codes[first] != codes[position] and (recordings.parts != UNKNOWN).all():
            problem = (
                f"group {group!r} is in two parts: {recordings.places[first]} in {PARTS[codes[first]]}, "
                f"{recordings.places[position]} in {PARTS[codes[position]]}"
            )
            if policy == "warn":
                return (problem,)
            remedy = "correct the parts, use split.kind group, or set data.split.leaks to warn"
            raise DataError(problem, place="data.split", remedy=remedy)
    return ()
