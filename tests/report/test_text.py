import math

import pytest

from gnas.report import text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.0412345, "0.0412"),
        (-1.5, "−1.50"),
        (4810.2, "4,810"),
        (12.34, "12.3"),
        (1.5e-9, "1.50e-09"),
        (3e8, "3.00e+08"),
        (math.nan, "–"),
        (None, "–"),
        (-math.inf, "−∞"),
    ],
)
def test_number(value: float | None, expected: str) -> None:
    assert text.number(value) == expected


def test_signed_number() -> None:
    assert text.number(0.5, signed=True) == "+0.500"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_params", 812_000.0, "812 k"),
        ("macs", 1.44e8, "144 M"),
        ("memory_bytes", 655_360.0, "640 KiB"),
        ("memory_bytes", 12.0, "12 B"),
        ("latency_ms", 0.3712, "0.371 ms"),
        ("n_params", None, "–"),
        ("n_params", math.inf, "–"),
    ],
)
def test_cost(name: str, value: float | None, expected: str) -> None:
    assert text.cost(name, value) == expected


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [
        (0.63012, 0.00287, "0.6301 ± 0.0029"),
        (-2.0, 0.5, "−2.00 ± 0.50"),
        (1234.5, 77.0, "1,234 ± 77"),
        (0.5, None, "0.500"),
        (0.5, 0.0, "0.500 ± 0"),
    ],
)
def test_plus_minus(mean: float, sd: float, expected: str) -> None:
    assert text.plus_minus(mean, sd) == expected


def test_gap_writes_difference_and_interval_alike() -> None:
    assert text.gap(-0.06844, -0.08325, -0.05362) == ("−0.068", "−0.083 to −0.054")
    assert text.gap(-0.179, -1.72, 1.36) == ("−0.18", "−1.72 to +1.36")
    assert text.gap(-0.06844, None, None) == ("−0.0684", "")
    assert text.gap(0.5, 0.5, 0.5) == ("+0.500", "+0.500 to +0.500")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.84, "0.8 s"), (42.4, "42 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min"), (None, "–"), (59.7, "1 min 00 s")],
)
def test_duration(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0"), (45, "45 s"), (90, "1:30 min"), (7200, "2 h"), (5400, "1:30 h")]
)
def test_clock(seconds: float, expected: str) -> None:
    assert text.clock(seconds) == expected


def test_choice_values_in_words() -> None:
    assert text.choice_value((1, None, True, 0.5, "gine")) == "1, none, yes, 0.5, gine"


def test_shorten_keeps_the_first_line() -> None:
    assert text.shorten("\n a long first line\nsecond", 8) == "a long…"
    assert text.shorten("  ", 8) == ""
