from __future__ import annotations

import numpy as np
import pytest

from gnas.errors import DataError
from gnas.evaluation import Objective
from gnas.predictors.protocol import Vector
from gnas.screening.labels import Labels, clean_labels
from gnas.space import Codes, load_space
from tests.screening.samples import ramp, some_codes, space


def clean(codes: Codes, values: Vector, **columns: Vector) -> Labels:
    return clean_labels(
        space(), Objective("y", "maximize"), codes, values, extra=columns, numbers={}, source="labels.csv"
    )


def test_missing_values_are_dropped_and_counted() -> None:
    values = ramp(20)
    values[[3, 7]] = np.nan, np.inf
    labels = clean(some_codes(20), values)
    assert len(labels) == 18
    assert labels.dropped == {"no finite y": 2}
    assert np.isfinite(labels.values).all()
    assert len(labels.seen) == 20


def test_a_gap_in_an_extra_column_drops_the_row() -> None:
    extra = np.ones(20)
    extra[0] = np.nan
    labels = clean(some_codes(20), ramp(20), proxy=extra)
    assert (len(labels), labels.dropped) == (19, {"an extra column is empty": 1})


def test_twins_are_averaged() -> None:
    codes = np.concatenate([some_codes(10), some_codes(10)])
    labels = clean(codes, np.concatenate([ramp(10), ramp(10) + 1]))
    assert (len(labels), labels.merged) == (10, 10)
    assert sorted(labels.values) == (np.arange(10) + 0.5).tolist()


def test_isomorphic_twins_are_averaged() -> None:
    one = load_space("nasbench201")
    rows = one.sample_codes(np.random.default_rng(0), 60)
    labels = clean_labels(one, Objective("y", "maximize"), rows, ramp(60), extra={}, numbers={}, source="labels.csv")
    assert len(labels) == len(set(one.digests(rows).tolist())) == 60 - labels.merged
    assert labels.merged > 0


@pytest.mark.parametrize(
    ("n", "values", "words"),
    [
        (3, [1.0, 2.0, 3.0], "got 3; accepted: at least 8"),
        (20, [1.0] * 20, "all labels are equal"),
        (20, [np.nan] * 11 + [1.0] * 9, "11 of 20 rows have no finite value"),
        (12, [np.nan] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "left out: 5 with no finite y"),
    ],
    ids=["few", "constant", "most missing", "few left"],
)
def test_what_cannot_be_learnt_from(n: int, values: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        clean(some_codes(n), np.array(values))
