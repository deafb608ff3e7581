"""`bench/search.py` on a table of one's own."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from gnas.space import load_space
from tests.tabular.samples import write_csv

BENCH = Path(__file__).parents[2] / "bench" / "search.py"


def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", [str(BENCH), *arguments])
    runpy.run_path(str(BENCH), run_name="__main__")
    return capsys.readouterr().out


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A column a choice; half of the cells have an answer."""
    space = load_space("nasbench201")
    codes = np.concatenate(list(space.iterate_codes()))[::2]
    rows = [
        {choice.name: choice.values[k] for choice, k in zip(space.choices, row, strict=True)}
        | {"error": int((np.array(row) != 3).sum()), "told": 100 - sum(row)}
        for row in codes.tolist()
    ]
    return write_csv(tmp_path / "t.csv", rows)


def test_figures_of_each_searcher(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(table), "--space", "nasbench201", "--target", "error", "--report", "told", "--minimize"]
    out = bench(
        monkeypatch,
        capsys,
        *options,
        *("--queries", "30", "--start", "4", "--runs", "2", "--batch", "3", "--json"),
        *("--searchers", "random,local:n_initial=4"),
    )
    found = json.loads(out)
    assert (found["target"], found["report"], found["direction"]) == ("error", "told", "minimize")
    assert list(found["searchers"]) == ["random", "local:n_initial=4"]
    for figures in found["searchers"].values():
        means = [figures["mean_best"][mark][0] for mark in ("10", "20", "30")]
        assert means == sorted(means, reverse=True)
        assert min(means) >= found["optimum"]
        assert all(rank >= 1 for rank in figures["median_rank"].values())
        assert figures["seconds_a_query"] > 0
    text = bench(monkeypatch, capsys, *options, "--queries", "12", "--runs", "1", "--searchers", "random")
    assert "median queries to the optimum" in text


def test_wrong_numbers_are_told(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench(monkeypatch, capsys, "--data", str(table), "--target", "error", "--queries", "0")
    assert "must be at least 1" in capsys.readouterr().err
