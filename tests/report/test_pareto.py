import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gnas.report import pareto
from gnas.report.pareto import nondominated

Points = NDArray[np.float64]

VALUES = st.one_of(st.integers(0, 4).map(float), st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf]))
POINTS = st.integers(1, 3).flatmap(
    lambda k: st.lists(st.lists(VALUES, min_size=k, max_size=k), max_size=25).map(lambda p: np.array(p).reshape(-1, k))
)


def dominates(a: Points, b: Points) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@given(POINTS)
def test_front_holds_no_dominated_point_and_misses_no_other(points: Points) -> None:
    finite = [bool(np.isfinite(p).all()) for p in points]
    expected = [
        ok and not any(other and dominates(q, p) for q, other in zip(points, finite, strict=True))
        for p, ok in zip(points, finite, strict=True)
    ]
    assert nondominated(points).tolist() == expected


def test_chunks_give_the_same_front(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).random((300, 3))
    whole = nondominated(points)
    monkeypatch.setattr(pareto, "_BLOCK", 1)
    assert (nondominated(points) == whole).all()


def test_equal_points_are_all_on_the_front() -> None:
    assert nondominated(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [True, True, False]


def test_no_points() -> None:
    assert nondominated(np.zeros((0, 2))).shape == (0,)
