from __future__ import annotations

import numpy as np
import pytest

from gnas.errors import SpecError
from gnas.screening.conditions import Condition, read_conditions

KNOWN = ("n_params", "macs", "latency-ms.p50")


def test_conditions() -> None:
    found = read_conditions("n_params<2e5 and macs <= 30M, latency-ms.p50 > .5 && macs>=1_000", KNOWN)
    assert found == (
        Condition("n_params", "<", 2e5),
        Condition("macs", "<=", 3e7),
        Condition("latency-ms.p50", ">", 0.5),
        Condition("macs", ">=", 1000.0),
    )
    assert [c.is_upper() for c in found] == [True, True, False, False]
    assert [str(c) for c in found] == [
        "n_params < 200,000",
        "macs <= 30,000,000",
        "latency-ms.p50 > 0.5",
        "macs >= 1,000",
    ]


def test_none() -> None:
    assert read_conditions(None, KNOWN) == ()


@pytest.mark.parametrize(("relation", "kept"), [("<", [1]), ("<=", [1, 2]), (">", [3]), (">=", [2, 3])])
def test_holds(relation: str, kept: list[int]) -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert values[Condition("macs", relation, 2.0).holds(values)].tolist() == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("n_params", "cannot be read"),
        ("n_params<", "cannot be read"),
        ("n_params<2e5 or macs<1", "cannot be read"),
        ("n_params==3", "cannot be read"),
        ("2<macs", "cannot be read"),
        ("", "cannot be read"),
        ("n_parms<3", "did you mean 'n_params'"),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        read_conditions(text, KNOWN)
    assert caught.value.place == "--where"
