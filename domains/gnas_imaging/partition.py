"""Partition of images into training, validation and test as a spec asks, with the leaks this would make."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.data.parts import PARTS, Fractions, Parts, balanced_split, fill_parts, groups_of, parts_of
from gnas.errors import DataError
from gnas_imaging.labels import Labels
from gnas_imaging.options import Split
from gnas_imaging.raw import Codes, Raw

_RETRIES = 20
_ENOUGH = 10
"""Groups of a class from which shares of a class come out near what was asked."""
_SHOWN = 3
_NO_GROUP = (
    "no data.group: images of one patient or site may be in training and in test at once, which makes results look "
    "better than they are"
)


@dataclass(frozen=True, slots=True)
class Partition:
    """Parts of the images, with what is to be told.

    Attributes:
        kind: `given`, `group` or `random`.
        parts: Positions by part; images that were left out are in none.
        groups: What stays together when the learning data are divided anew, of every image; empty for given parts
            without groups.
        notes, warnings: To be told.
    """

    kind: str
    parts: Parts
    groups: tuple[Hashable, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def partition(raw: Raw, labels: Labels, keys: Sequence[Hashable], split: Split) -> Partition:
    """The parts of images.

    Args:
        raw: The images, for their groups, given parts and places.
        labels: Of each image.
        keys: Equal for images that are the very same.
        split: As asked.

    Raises:
        DataError: A part is empty, a class is not in training, or a patient is in two given parts.
    """
    kind = _kind(raw, split)
    if kind == "given" and raw.codes is not None:
        found = _given(raw, raw.codes, keys, split)
    elif kind == "group":
        found = _by_group(raw, labels, split)
    else:
        rng = np.random.default_rng(split.seed)
        parts = stratified_split(keys, labels.strata(), split.fractions, rng)
        together = len(keys) - len(set(keys))
        notes = (f"{together} images are copies of others and stay in the same part",) if together else ()
        found = Partition(kind, parts, tuple(keys), notes)
    _check(found.parts, labels, found.kind)
    unknown = () if raw.groups else (_NO_GROUP,)
    return Partition(
        kind, found.parts, found.groups, found.notes, (*unknown, *found.warnings, *_thin(found.parts, labels))
    )


def stratified_split(
    keys: Sequence[Hashable], strata: NDArray[np.int64], fractions: Fractions, rng: np.random.Generator
) -> Parts:
    """Units of equal keys at random, each stratum shared out by itself."""
    units = groups_of(keys)
    lists: list[list[int]] = [[], [], []]
    for stratum in np.unique(strata):
        members = [unit for unit in units if strata[unit[0]] == stratum]
        ordered = [members[i] for i in rng.permutation(len(members))]
        flat = fill_parts(ordered, sum(map(len, ordered)), fractions)
        for code, part in enumerate(PARTS):
            lists[code] += flat.of(part).tolist()
    return parts_of(lists)


def _kind(raw: Raw, split: Split) -> str:
    if split.kind == "auto":
        return "given" if raw.codes is not None else "group" if raw.groups else "random"
    if split.kind == "given" and raw.codes is None:
        raise DataError(
            "the data name no parts", place="data.split.kind", value="given", remedy="name the column with data.part"
        )
    if split.kind == "group" and not raw.groups:
        raise DataError(
            "the data name no groups", place="data.split.kind", value="group", remedy="name the column with data.group"
        )
    return split.kind


def _given(raw: Raw, given: Codes, keys: Sequence[Hashable], split: Split) -> Partition:
    codes, warnings = given.copy(), []
    if raw.groups:
        policy = "error" if split.leaks == "auto" else split.leaks
        codes, told = _apart(raw, raw.groups, codes, policy, "patients or sites stand", "patient or site")
        warnings += told
    policy = "warn" if split.leaks == "auto" else split.leaks
    codes, told = _apart(raw, keys, codes, policy, "images stand", "image")
    warnings += told
    notes: tuple[str, ...] = ()
    if not (codes == 1).any() and (codes == 0).any():
        units: Sequence[Hashable] = raw.groups or keys
        train = np.flatnonzero(codes == 0)
        share = split.fractions[1] / (split.fractions[0] + split.fractions[1])
        # NOTE: the third share is put back into training: only validation is carved out.
        inner = [units[i] for i in train]
        carved = balanced_split(inner, (1 - 2 * share, share, share), np.random.default_rng(split.seed))
        codes[train[carved.validation]] = 1
        notes = (f"the data name no validation part: {len(carved.validation)} training images taken",)
    parts = Parts(*(np.flatnonzero(codes == code) for code in range(3)))
    return Partition("given", parts, tuple(raw.groups), notes, tuple(warnings))


def _apart(
    raw: Raw, keys: Sequence[Hashable], codes: Codes, policy: str, verb: str, noun: str
) -> tuple[Codes, list[str]]:
    """Codes after the policy for keys that stand in two parts (−1: left out), and warnings."""
    held: dict[Hashable, set[int]] = {}
    for key, code in zip(keys, codes, strict=True):
        if code >= 0:
            held.setdefault(key, set()).add(int(code))
    twice = {key for key, found in held.items() if len(found) > 1}
    if not twice:
        return codes, []
    where = [i for i, key in enumerate(keys) if key in twice and codes[i] >= 0]
    key = keys[where[0]]
    both = [i for i in where if keys[i] == key]
    other = next(i for i in both if codes[i] != codes[both[0]])
    named = f"{noun} {key!r}: " if isinstance(key, str) else ""
    text = (
        f"{len(twice)} {verb} in two parts of the split, for instance {named}{raw.places[both[0]]} in "
        f"{PARTS[codes[both[0]]]} and {raw.places[other]} in {PARTS[codes[other]]}"
    )
    if policy == "error":
        remedy = "correct the parts, or set data.split.leaks to remove or warn"
        raise DataError(text, place="data.split", remedy=remedy)
    if policy == "warn":
        return codes, [text]
    codes = codes.copy()
    last = {key: max(held[key]) for key in twice}
    gone = [i for i in where if codes[i] < last[keys[i]]]
    codes[gone] = -1
    return codes, [f"{len(gone)} images left out because a later part of the split holds their {noun} too"]


def _by_group(raw: Raw, labels: Labels, split: Split) -> Partition:
    """Whole groups; the split of the seed or, with a warning, of derived seeds until every part holds every class."""
    for attempt in range(_RETRIES):
        seed: int | list[int] = split.seed if attempt == 0 else [split.seed, attempt]
        parts = _grouped(raw.groups, labels, split.fractions, np.random.default_rng(seed))
        if all(len(parts.of(part)) for part in PARTS) and not _thin(parts, labels):
            break
    else:
        parts, attempt = _grouped(raw.groups, labels, split.fractions, np.random.default_rng(split.seed)), 0
    told = f"split seed {split.seed} left a part without a class; shuffle {attempt} after it was used instead"
    return Partition("group", parts, tuple(raw.groups), (), (told,) if attempt else ())


def _grouped(groups: Sequence[str], labels: Labels, fractions: Fractions, rng: np.random.Generator) -> Parts:
    """Whole groups; classes in equal shares where every group has one class and every class enough groups."""
    strata = labels.strata()
    units = groups_of(groups)
    pure = all(len(set(strata[unit].tolist())) == 1 for unit in units)
    if pure and np.unique(strata[[unit[0] for unit in units]], return_counts=True)[1].min() >= _ENOUGH:
        return stratified_split(groups, strata, fractions, rng)
    return balanced_split(groups, fractions, rng)


def _check(parts: Parts, labels: Labels, kind: str) -> None:
    for part in PARTS:
        if not len(parts.of(part)):
            remedy = "give it a larger fraction, more data, or another kind of split"
            raise DataError(f"the {part} part is empty", place="data.split", value=kind, remedy=remedy)
    absent = _absent(parts.train, labels)
    if absent:
        raise DataError(
            f"the training part holds no image of {_listed(absent)}",
            place="data.split",
            value=kind,
            accepted="every class in training",
            remedy="move some there, leave the class out, or use another kind of split or seed",
        )


def _absent(where: NDArray[np.int64], labels: Labels) -> list[str]:
    """Names of the classes, or of the labels without both values, among some images."""
    inside = labels.values[where]
    if labels.kind == "multiclass":
        return [name for j, name in enumerate(labels.names) if not inside[:, j].any()]
    if labels.kind == "binary":
        return [name for j, name in enumerate(labels.names) if not (inside[:, 0] == j).any()]
    if labels.kind == "multilabel":
        return [n for j, n in enumerate(labels.names) if not ((inside[:, j] == 1).any() and (inside[:, j] == 0).any())]
    return []


def _thin(parts: Parts, labels: Labels) -> tuple[str, ...]:
    found = []
    for part in PARTS:
        absent = _absent(parts.of(part), labels)
        if absent and part != "train":
            found.append(f"the {part} part holds no image of {_listed(absent)}")
    return tuple(found)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
