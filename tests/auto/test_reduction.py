"""Reductions as text."""

from __future__ import annotations

import pytest

from gnas.auto.reduction import Reduction, read_reduction
from gnas.errors import SpecError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_params=0.5", Reduction("n_params", 0.5, relative=True)),
        (" macs = .25 ", Reduction("macs", 0.25, relative=True)),
        ("latency=0.6", Reduction("latency", 0.6, relative=True)),
        ("latency_ms<4", Reduction("latency_ms", 4.0, relative=False)),
        ("latency_ms<0.5", Reduction("latency_ms", 0.5, relative=False)),
        ("macs<1e8", Reduction("macs", 1e8, relative=False)),
        ("n_params<=1.5M", Reduction("n_params", 1.5e6, relative=False)),
        ("n_params<20k", Reduction("n_params", 2e4, relative=False)),
    ],
)
def test_what_can_be_read(text: str, expected: Reduction) -> None:
    found = read_reduction(text)
    assert found == expected
    assert read_reduction(str(found)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "half", "n_params", "n_params=1", "n_params=0", "n_params=50", "n_params<0", "n_params<0.5", "macs>3",
     "latency<3", "latency_ms=0.5", "param=0.5", "n_params=0.5; macs=0.5", "n_params=__import__('os')"],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_reduction(text)
    assert caught.value.place == "--reduce"
    assert caught.value.accepted


def test_folders_differ() -> None:
    texts = ["n_params=0.5", "n_params=0.25", "macs=0.5", "macs<1e8", "macs<1e9", "latency_ms<4", "latency=0.4"]
    folders = {read_reduction(text).folder for text in texts}
    assert len(folders) == len(texts)
    assert all(name.replace("-", "").replace("_", "").replace(".", "").isalnum() for name in folders)


def test_a_missed_latency_is_told() -> None:
    asked = read_reduction("latency=0.6")
    assert asked.missed(0.62, 5.0) == ""
    assert "70 % of the whole model's" in asked.missed(0.7, 5.0)
    assert "80 % was asked for" in read_reduction("latency_ms<4").missed(0.9, 5.0)
    assert read_reduction("n_params=0.5").missed(0.9, 5.0) == ""
