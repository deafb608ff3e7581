from __future__ import annotations

import subprocess
import sys

import pytest

from gnas.errors import SpecError
from gnas.searchers import ALGORITHMS, make_searcher
from gnas.searchers.protocol import Searcher


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_is_a_searcher(algorithm: str) -> None:
    assert isinstance(make_searcher(algorithm), Searcher)


def test_options_arrive() -> None:
    assert make_searcher("evolution", {"population": 7}) == make_searcher("evolution", {"population": 7})
    assert make_searcher("evolution", {"population": 7}) != make_searcher("evolution")


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("evolutoin", {}, "did you mean 'evolution'"),
        ("evolution", {"popluation": 7}, "did you mean 'population'"),
        ("random", {"seed": 7}, "accepted: no option"),
        ("evolution", {"population": "many"}, "got 'many'; accepted: a value of type int"),
        ("evolution", {"population": True}, "wrong type"),
        ("evolution", {"population": 0}, "out of range"),
    ],
)
def test_messages(algorithm: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_searcher(algorithm, options)
    assert message in str(caught.value)
    assert "search." in str(caught.value)


def test_importing_the_door_imports_nothing_heavy() -> None:
    code = "import sys, gnas.searchers; print([m for m in ('torch', 'scipy', 'optuna', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
