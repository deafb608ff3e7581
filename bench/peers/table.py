"""One column of a table as labels: what is masked and why, the proxies beside it, its noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from gnas_tabular.table import Table, read_table
from numpy.typing import NDArray

from gnas.predictors.crossval import tau
from gnas.space.protocol import Codes
from gnas.space.yaml_space import YamlSpace

Vector = NDArray[np.float64]
_PHYSICAL = ("latency", "energy", "power", "_ms", "memory")
_DEAD = 0.05


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows of a table that have a value of the target.

    Attributes:
        space: Their space.
        codes: `(row, choice)`.
        values: Of the target, `(row,)`, finite.
        extra_names, extra: Zero-cost features, `(row, column)`, NaN where missing.
        counts: Columns that need no learning: parameter count, FLOPs; `(row,)` each.
        masked: How many rows were left out, by reason.
    """

    space: YamlSpace
    codes: Codes
    values: Vector
    extra_names: tuple[str, ...]
    extra: NDArray[np.float64]
    counts: Mapping[str, Vector]
    masked: Mapping[str, int]

    def classes(self, rows: NDArray[np.intp]) -> NDArray[np.bytes_]:
        """Digest of each row; equal for isomorphic ones."""
        return self.space.digests(self.codes[rows])


def labelled(path: str, space: str | None, target: str, proxies: str | None) -> Labelled:
    """Reads a table and masks rows without a result.

    Raises:
        DataError: The table, the column or the proxies cannot be used.
    """
    table = read_table(path, space)
    values = table.column(target)
    masks = _masks(target, values)
    kept = ~np.any(list(masks.values()), axis=0)
    names: tuple[str, ...] = ()
    extra = np.zeros((len(values), 0))
    if proxies:
        joined = table.joined(proxies)
        names = tuple(name for name in joined.columns if name not in table.columns)
        extra = np.stack([_shared(table, joined.column(name)) for name in names], axis=1)
    return Labelled(
        table.space,
        table.codes[kept],
        values[kept],
        names,
        extra[kept],
        {name: column[kept] for name, column in _counts(table, target).items()},
        {reason: int(mask.sum()) for reason, mask in masks.items() if mask.any()},
    )


def _masks(target: str, values: Vector) -> dict[str, NDArray[np.bool_]]:
    """Rows to leave out. Measured costs mark what does not run by −1, and what has nothing to run by nearly 0."""
    finite = np.isfinite(values)
    masks = {"missing": ~finite}
    if any(word in target.lower() for word in _PHYSICAL):
        masks["negative (unsupported)"] = finite & (values < 0)
        running = values[finite & (values > 0)]
        floor = _DEAD * float(np.median(running)) if len(running) else 0.0
        masks[f"under {_DEAD:.0%} of the median (nothing to run)"] = finite & (values >= 0) & (values < floor)
    return masks


def _shared(table: Table, column: Vector) -> Vector:
    """A zero-cost feature belongs to a graph: rows without one take that of their twins."""
    held = np.isfinite(column)
    n = int(table.groups.max()) + 1
    count = np.bincount(table.groups[held], minlength=n)
    total = np.bincount(table.groups[held], weights=column[held], minlength=n)
    means = np.where(count > 0, total / np.maximum(count, 1), math.nan)
    return np.where(np.isnan(column), means[table.groups], column)


def _counts(table: Table, target: str) -> dict[str, Vector]:
    """Parameter count and FLOPs where the table has them, of the target's own data set if there are several."""
    prefix = target.split("_")[0]
    found = {}
    for peer, words in (("parameter count", ("param",)), ("FLOPs", ("macs", "flops"))):
        names = [name for name in table.columns if any(word in name for word in words) and name != target]
        if names:
            own = [name for name in names if name.startswith(prefix)]
            found[peer] = table.column((own or names)[0])
    return found


def target_noise(data: Labelled) -> dict[str, float | int] | None:
    """How well isomorphic rows agree: τ between two of each class that has two, and their standard deviation."""
    if len(data.values) > 100_000:
        rows = np.sort(np.random.default_rng(0).permutation(len(data.values))[:100_000])
    else:
        rows = np.arange(len(data.values))
    _, groups, size = np.unique(data.classes(rows), return_inverse=True, return_counts=True)
    order = np.argsort(groups, kind="stable")
    starts = np.cumsum(np.concatenate([[0], size[:-1]]))[size > 1]
    if len(starts) < 10:
        return None
    first, second = data.values[rows[order[starts]]], data.values[rows[order[starts + 1]]]
    spread = float(np.sqrt(np.mean((first - second) ** 2) / 2))
    return {"twin_pairs": len(starts), "twin_tau": tau(first, second), "twin_std": spread}
