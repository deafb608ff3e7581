"""`gnas space`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gnas.testing.command_line import invoke


def test_list() -> None:
    names = json.loads(invoke("space", "list", "--json").out)
    assert {"benchmarks/nasbench201", "molecular/default"} <= set(names)
    assert invoke("space", "list").out.splitlines() == names


def test_info_counts_a_published_space() -> None:
    facts = json.loads(invoke("space", "info", "nasbench201", "--json").out)
    assert (facts["assignments"], facts["labelled_graphs"], facts["architectures"]) == (15_625, 9_445, 8_765)
    assert facts["choice_details"][0]["values"] == [
        "none",
        "skip_connect",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
    ]


def test_info_as_text_shows_conditions() -> None:
    out = invoke("space", "info", "molecular/default").out
    assert "assignments: " in out
    assert "depth in 1, 2" in out


def test_samples_are_reproducible() -> None:
    first = json.loads(invoke("space", "sample", "molecular/small", "-n", "4", "--seed", "3", "--json").out)
    again = json.loads(invoke("space", "sample", "molecular/small", "-n", "4", "--seed", "3", "--json").out)
    assert first == again
    assert len({sample["digest"] for sample in first}) > 1
    text = invoke("space", "sample", "molecular/small", "-n", "4", "--seed", "3").out
    assert all(sample["digest"] in text for sample in first)


def test_draw(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    assert invoke("space", "draw", "molecular/small", "--out", path).out == f"wrote {path}\n"
    assert path.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize("name", ["nasbench20", "absent.yaml"])
def test_unknown_space(name: str) -> None:
    outcome = invoke("space", "info", name)
    assert outcome.code == 3
    assert name in outcome.err
    assert outcome.err.count("\n") == 1
