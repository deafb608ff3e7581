"""Parts and splits: which examples train, validate and test. Positions in, positions out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gnas.domain import Part
from gnas.errors import DataError

PARTS: tuple[Part, Part, Part] = ("train", "validation", "test")
LEARNT: tuple[Part, Part] = ("train", "validation")
Positions = NDArray[np.int64]
Fractions = tuple[float, float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """Positions of the examples of each part, ascending, disjoint."""

    train: Positions
    validation: Positions
    test: Positions

    def of(self, part: Part) -> Positions:
        """Positions of a part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]


def parts_of(lists: Sequence[Sequence[int]]) -> Parts:
    """Parts of three lists of positions in any order."""
    return Parts(*(np.sort(np.array(positions, dtype=np.int64)) for positions in lists))


def of_part(found: Mapping[Part, T], part: Part) -> T:
    """What a task has of a part.

    Raises:
        DataError: `test` of a sealed task.
    """
    if part not in found:
        accepted = ", ".join(found)
        raise DataError("this task is sealed: searching never reads the test part", value=part, accepted=accepted)
    return found[part]


def groups_of(keys: Sequence[Hashable]) -> list[list[int]]:
    """Positions of equal keys, in the order of their first."""
    groups: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def random_split(n: int, fractions: Fractions, rng: np.random.Generator) -> Parts:
    """Examples at random."""
    order = rng.permutation(n)
    cuts = np.round(np.cumsum(fractions)[:2] * n).astype(int)
    return parts_of([list(part) for part in np.split(order, cuts)])


def stratified_split(keys: Sequence[Hashable], fractions: Fractions, rng: np.random.Generator) -> Parts:
    """Examples at random, those of one key (a class) in equal shares; at least one of each key trains."""
    lists: list[list[int]] = [[], [], []]
    cuts = np.cumsum(fractions)[:2]
    for group in groups_of(keys):
        ranks = (np.arange(len(group)) + rng.random()) / len(group)
        codes = np.searchsorted(cuts, ranks, side="right")
        codes[0] = 0
        for code, position in zip(codes.tolist(), rng.permutation(group).tolist(), strict=True):
            lists[code].append(position)
    return parts_of(lists)


def balanced_split(keys: Sequence[Hashable], fractions: Fractions, rng: np.random.Generator) -> Parts:
    """Whole groups in a seeded order; those larger than half of validation or test go to training first.

    Deviation: a group larger than validation and test together comes before all others, since it has no other place.

    Source: Yang et al., J. Chem. Inf. Model. 2019, 59, 3370
    (doi:10.1021/acs.jcim.9b00237), the balanced variant of their split by groups.
    """
    groups = groups_of(keys)
    limit = min(fractions[1], fractions[2]) * len(keys) / 2
    huge_limit = (fractions[1] + fractions[2]) * len(keys)
    huge = [group for group in groups if len(group) > huge_limit]
    big = [group for group in groups if limit < len(group) <= huge_limit]
    small = [group for group in groups if len(group) <= limit]
    ordered = [kind[i] for kind in (huge, big, small) for i in rng.permutation(len(kind))]
    return fill_parts(ordered, len(keys), fractions)


def fill_parts(groups: Sequence[Sequence[int]], n: int, fractions: Fractions) -> Parts:
    """Groups in order: to training while they fit (the first in any case), else to validation, else to test."""
    n_train = fractions[0] * n + 1e-9
    n_learning = (fractions[0] + fractions[1]) * n + 1e-9
    train: list[int] = []
    validation: list[int] = []
    test: list[int] = []
    for group in groups:
        if not train or len(train) + len(group) <= n_train:
            train += group
        elif len(train) + len(validation) + len(group) <= n_learning:
            validation += group
        else:
            test += group
    return parts_of([train, validation, test])


def time_split(times: Sequence[float], fractions: Fractions) -> Parts:
    """The oldest to training, the newest to test; equal times stay together."""
    values = np.asarray(times, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    cuts = []
    for fraction in np.cumsum(fractions)[:2]:
        cut = min(round(fraction * len(ordered)), len(ordered) - 1)
        first = int(np.searchsorted(ordered, ordered[cut], side="left"))
        cuts.append(first if first > 0 else int(np.searchsorted(ordered, ordered[cut], side="right")))
    return parts_of([list(part) for part in np.split(order, sorted(cuts))])
