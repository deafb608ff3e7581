import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gnas.report.chart import Axis, Chart, Mark, Placed, Row, RowChart, Series, Shape, place, place_rows
from gnas.report.scale import Scale, fit

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(st.one_of(FINITE, st.just(math.nan)), max_size=30), st.booleans(), st.booleans())
@example([1.0, 5e-324], True, False)
@example([1e-190, 1e250], True, False)
def test_a_scale_holds_every_finite_value_and_its_ticks(values: list[float], log: bool, zero: bool) -> None:
    scale = fit(values, log=log, zero=zero)
    assert scale.low < scale.high
    finite = [v for v in values if math.isfinite(v)]
    assert all(scale.holds(v) and 0.0 <= scale.place(v) <= 1.0 for v in finite)
    assert not zero or scale.log or not finite or scale.holds(0.0)
    slack = 1e-6 * (scale.high - scale.low)
    assert all(scale.low - slack <= tick <= scale.high + slack for tick in scale.ticks())


@given(st.lists(st.floats(1e-6, 1e9), min_size=2, max_size=30))
def test_logarithmic_places_keep_the_order(values: list[float]) -> None:
    scale = fit(values, log=True)
    places = [scale.place(v) for v in sorted(values)]
    assert places == sorted(places)


def test_far_outliers_may_be_left_off() -> None:
    values = [*[1.0 + 0.1 * i for i in range(10)], 1e6]
    assert not fit(values, robust=True).holds(1e6)
    assert fit(values).holds(1e6)


def test_round_ticks() -> None:
    assert Scale(0.0, 1.0).ticks(5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert Scale(0.0, 350.0, unit="seconds").ticks(5) == [0.0, 120.0, 240.0]
    assert Scale(900.0, 9000.0, log=True, unit="bytes").ticks(6) == [1024.0, 2048.0, 4096.0, 8192.0]
    assert Scale(0.1, 100.0, log=True).ticks(4) == [0.1, 1.0, 10.0, 100.0]
    assert Scale(0.0, 0.3).decimals(5) == 1


def chart(*marks: tuple[float, float], robust: bool = False, shape: Shape = "points") -> Placed:
    series = (Series("s", shape, tuple(Mark(x, y, "t") for x, y in marks)),)
    return place(Chart("title", Axis("x"), Axis("y", robust=robust), series))


def test_marks_lie_within_the_frame_and_values_that_are_not_finite_are_left_out() -> None:
    placed = chart((0.0, 1.0), (1.0, math.nan), (math.inf, 2.0), (2.0, 3.0))
    (trace,) = placed.traces
    assert len(trace.dots) == 2
    assert all(placed.left <= d.x <= placed.right and placed.top <= d.y <= placed.bottom for d in trace.dots)
    assert trace.dots[0].y > trace.dots[1].y


def test_marks_beyond_the_axis_are_counted() -> None:
    placed = chart(*[(float(i), float(i)) for i in range(12)], (3.0, 1e9), robust=True)
    assert placed.off == 1


def test_steps_go_sideways_first() -> None:
    (trace,) = chart((0.0, 0.0), (1.0, 1.0), shape="step").traces
    assert trace.path.startswith("M")
    assert trace.path.index("H") < trace.path.index("V")


@pytest.mark.parametrize("marks", [(), ((math.nan, math.nan),)])
def test_an_empty_chart_says_so(marks: tuple[tuple[float, float], ...]) -> None:
    assert chart(*marks).empty


def test_rows_are_placed_in_order_with_their_intervals() -> None:
    rows = (Row("a", 1.0, "a", 0.5, 1.5), Row("b", 2.0, "b"))
    placed = place_rows(RowChart("t", Axis("x", zero=True), rows))
    first, second = placed.rows
    assert first.y < second.y
    assert first.low is not None and first.high is not None
    assert first.low < first.value < first.high
    assert second.low is None
    assert placed.zero == pytest.approx(placed.left)
