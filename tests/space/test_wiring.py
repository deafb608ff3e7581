"""Presence, sources and labels looked up at once equal what the definition says row by row."""

from __future__ import annotations

import numpy as np

from gnas.space.cube import ALWAYS, Conditions, make_cube
from gnas.space.protocol import Choice
from gnas.space.wiring import LabelTables, Wiring

INDEX, SIZES = {"a": 0, "b": 1}, {"a": 3, "b": 2}
CODES = np.array([[a, b] for a in range(-1, 3) for b in range(-1, 2)], dtype=np.int16)
A1, B_ABSENT = make_cube({"a": [1]}), make_cube({"b": [-1]})
A_AND_B = make_cube({"a": [0, 2], "b": [1]})


def test_conditions_hold_where_every_choice_took_one_of_the_codes() -> None:
    """Always, one condition, the condition to be inactive, and a conjunction."""
    cubes = [ALWAYS, A1, B_ABSENT, A_AND_B, A1]
    conditions = Conditions(cubes, INDEX, SIZES)
    found = conditions(CODES)
    assert found.shape == (4, len(CODES))
    for cube in cubes:
        expected = [all(row[INDEX[name]] in codes for name, codes in cube) for row in CODES.tolist()]
        assert found[conditions.place[cube]].tolist() == expected


def test_wires_read_the_alternative_that_holds() -> None:
    """A fixed wire is named; another reads the node of the alternative that holds, or nothing."""
    wiring = Wiring([ALWAYS, A1, A_AND_B], [((ALWAYS, 0),), ((A1, 1), (A_AND_B, 2))], INDEX, SIZES)
    present, sources = wiring(CODES)
    assert wiring.fixed == [0, -1]
    a, b = CODES.T
    assert present.tolist() == [[True] * len(CODES), (a == 1).tolist(), (((a == 0) | (a == 2)) & (b == 1)).tolist()]
    assert sources[1].tolist() == np.select([present[1], present[2]], [1, 2], -1).tolist()


def test_labels_are_evaluated_once_for_each_combination_of_what_they_depend_on() -> None:
    """Rows without the supernode have none; a supernode with too many combinations has no table."""
    choices = [Choice("a", (1, 2, 3)), Choice("b", (1, 2)), Choice("c", tuple(range(20_000)))]
    codes = np.concatenate([CODES, np.arange(len(CODES), dtype=np.int16)[:, None]], axis=1)
    asked: list[tuple[int, tuple[int, ...]]] = []

    def label(node: int, picked: tuple[int, ...]) -> int:
        asked.append((node, picked))
        return 100 * node + sum((1, 10)[k] * (code + 1) for k, code in enumerate(picked))

    names = [("c",), ("a", "b"), (), ("b",)]
    tables = LabelTables(choices, names, label)
    present = np.ones((4, len(codes)), dtype=bool)
    present[3] = codes[:, 0] == 0
    labels = tables(codes, present)
    assert tables.covered.tolist() == [False, True, True, True]
    assert labels[0].tolist() == [-1] * len(codes)
    assert labels[1].tolist() == [100 + (a + 1) + 10 * (b + 1) for a, b in CODES.tolist()]
    assert labels[2].tolist() == [200] * len(codes)
    assert labels[3].tolist() == [300 + b + 1 if a == 0 else -1 for a, b in CODES.tolist()]
    assert len(asked) == len(set(asked)) == 12 + 1 + 3
    np.testing.assert_array_equal(tables(codes, present), labels)
    assert len(asked) == 16
