"""Labels: what is known of evaluated architectures, cleaned for a predictor, with a count of all that was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError
from gnas.evaluation import Objective
from gnas.predictors.protocol import Vector
from gnas.space.protocol import Codes, Space

FEWEST = 8
"""Fewest distinct labelled architectures a predictor is fitted on: below, nothing can be said of how good it is."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Architectures with a value each, no two of them isomorphic.

    Attributes:
        space: Their space.
        objective: The value's name and direction.
        codes: Shape `(n, choice)`.
        values: Shape `(n,)`, finite.
        extra: Columns given to the predictor beside the graph, name to `(n,)`, finite.
        numbers: Other numeric columns, name to `(n,)`, NaN where missing.
        seen: Every architecture evaluated, labelled or not, `(m, choice)`: not to be proposed again.
        dropped: Rows left out, reason to count.
        merged: Rows averaged with an isomorphic twin.
        source: Where they come from.
        remarks: Worth a line to the user.
    """

    space: Space
    objective: Objective
    codes: Codes
    values: Vector
    extra: Mapping[str, Vector]
    numbers: Mapping[str, Vector]
    seen: Codes
    dropped: Mapping[str, int] = field(default_factory=dict)
    merged: int = 0
    source: str = ""
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def extra_matrix(self) -> NDArray[np.float64] | None:
        """The extra columns as `(n, column)`; None where there are none."""
        return np.column_stack(list(self.extra.values())) if self.extra else None


def clean_labels(
    space: Space,
    objective: Objective,
    codes: Codes,
    values: Vector,
    *,
    extra: Mapping[str, Vector],
    numbers: Mapping[str, Vector],
    source: str,
    unusable: int = 0,
    seen: Codes | None = None,
    remarks: tuple[str, ...] = (),
) -> Labels:
    """Labels without missing values and with twins averaged.

    Args:
        space, objective, source, remarks: As in `Labels`.
        codes: Of every row, `(n, choice)`.
        values: NaN or infinite where missing, `(n,)`.
        extra, numbers: Columns, `(n,)` each.
        unusable: Rows that were no candidates for a label (failed evaluations); counted only.
        seen: By default `codes`.

    Raises:
        DataError: Too few labels, most of them missing, or all equal.
    """
    finite = np.isfinite(values)
    complete = finite.copy()
    for column in extra.values():
        complete &= np.isfinite(column)
    dropped = {
        f"no finite {objective.name}": int((~finite).sum()),
        "an extra column is empty": int((finite & ~complete).sum()),
        "failed evaluations": unusable,
    }
    if (~complete).sum() * 2 > len(values):
        raise DataError(
            f"{int((~complete).sum())} of {len(values)} rows have no finite value",
            place=f"{source}, column {objective.name!r}",
            accepted="finite numbers in at least half the rows",
            remedy="correct the column, or name another with --metric",
        )
    keys, inverse = np.unique(space.digests(codes[complete]), return_inverse=True)
    _, first = np.unique(inverse, return_index=True)
    kept = Labels(
        space,
        objective,
        codes[complete][first],
        _merge(values[complete], inverse, len(keys)),
        {name: _merge(column[complete], inverse, len(keys)) for name, column in extra.items()},
        {name: _merge(column[complete], inverse, len(keys)) for name, column in numbers.items()},
        codes if seen is None else seen,
        {reason: count for reason, count in dropped.items() if count},
        int(complete.sum()) - len(keys),
        source,
        remarks,
    )
    _require_enough(kept)
    return kept


def _merge(column: Vector, groups: NDArray[np.int64], n: int) -> Vector:
    """Means by group, of the finite values."""
    finite = np.isfinite(column)
    count = np.bincount(groups[finite], minlength=n)
    total = np.bincount(groups[finite], weights=column[finite], minlength=n)
    out: Vector = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return out


def _require_enough(labels: Labels) -> None:
    if len(labels) < FEWEST:
        left_out = [f"{count} with {reason}" for reason, count in labels.dropped.items()]
        left_out += [f"{labels.merged} that repeat another"] if labels.merged else []
        raise DataError(
            "too few different architectures with a label"
            + (f" (left out: {', '.join(left_out)})" if left_out else ""),
            place=labels.source,
            value=len(labels),
            accepted=f"at least {FEWEST}",
            remedy="evaluate more architectures; a few dozen make a useful predictor",
        )
    if np.ptp(labels.values) == 0:
        raise DataError(
            "all labels are equal: there is nothing to learn",
            place=f"{labels.source}, column {labels.objective.name!r}",
            value=float(labels.values[0]),
            remedy="name another column with --metric",
        )
