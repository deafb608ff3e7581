from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.autospace.circuit import Liveness
from gnas.autospace.records import Circuit, Gate
from gnas.errors import SpaceError
from tests.autospace.circuits import (
    LARGE,
    SMALL,
    Builder,
    alive_by_definition,
    cells,
    circuits,
    dense,
    every_assignment,
    residual,
    tangled,
    valid_by_definition,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(circuits())
@settings(max_examples=150, deadline=None)
def test_liveness_and_validity_are_those_of_the_definition(circuit: Circuit) -> None:
    rows = every_assignment(circuit)
    liveness = Liveness(circuit)
    assert (liveness.alive(rows) == alive_by_definition(circuit, rows)).all()
    assert (liveness.valid(rows) == valid_by_definition(circuit, rows)).all()


@given(circuits())
@settings(max_examples=100, deadline=None)
def test_forced_units_are_kept_by_every_valid_assignment(circuit: Circuit) -> None:
    rows = every_assignment(circuit)
    assert (Liveness(circuit).forced() == rows[valid_by_definition(circuit, rows)].all(axis=0)).all()


@given(circuits(), SEEDS)
@settings(max_examples=100, deadline=None)
def test_repair_keeps_no_more_than_needed(circuit: Circuit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.random((10, circuit.n_units)) < 0.4
    after = Liveness(circuit).repair(before, rng)
    assert (after >= before).all()
    assert valid_by_definition(circuit, after).all()
    for old, new in zip(before, after, strict=True):
        for unit in np.flatnonzero(new & ~old):
            without = new.copy()
            without[unit] = False
            assert not valid_by_definition(circuit, without[None])[0]


@given(circuits(), SEEDS)
@settings(max_examples=100, deadline=None)
def test_the_smallest_can_spare_no_unit(circuit: Circuit, seed: int) -> None:
    cost = np.random.default_rng(seed).random(circuit.n_units)
    liveness = Liveness(circuit)
    kept = liveness.smallest(cost)
    assert valid_by_definition(circuit, kept[None])[0]
    for unit in np.flatnonzero(kept):
        without = kept.copy()
        without[unit] = False
        assert not valid_by_definition(circuit, without[None])[0]


@given(circuits(), SEEDS)
@settings(max_examples=40, deadline=None)
def test_what_has_no_say_changes_nothing_that_is_used(circuit: Circuit, seed: int) -> None:
    liveness = Liveness(circuit)
    kept = liveness.repair(np.random.default_rng(seed).random((6, circuit.n_units)) < 0.5, np.random.default_rng(seed))
    says = liveness.has_a_say(kept)
    for row, say in zip(kept, says, strict=True):
        assert _used(circuit, row) == _used(circuit, row & say)
        for unit in np.flatnonzero(~say):
            flipped = row.copy()
            flipped[unit] = not flipped[unit]
            assert _used(circuit, row) == _used(circuit, flipped)


def _used(circuit: Circuit, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> set[tuple[int, int, int]]:
    """Operands (reader, place, source) that outputs are computed from."""
    alive = alive_by_definition(circuit, kept[None])[0]
    fresh, found = [o for o in circuit.outputs if alive[o]], set()
    while fresh:
        here = fresh.pop()
        for place, (source, unit) in enumerate(circuit.gates[here].operands):
            if alive[source] and (unit < 0 or kept[unit]) and (here, place, source) not in found:
                found.add((here, place, source))
                fresh.append(source)
    return found


def test_a_dropped_unit_of_a_used_join_has_a_say() -> None:
    liveness = Liveness(residual(2))
    assert liveness.has_a_say(np.zeros((1, 2), dtype=np.bool_)).all()


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_repair_of_large_circuits(make: Callable[[], Circuit]) -> None:
    liveness = Liveness(make())
    rng = np.random.default_rng(0)
    kept = liveness.repair(rng.random((100, liveness.circuit.n_units)) < 0.2, rng)
    assert liveness.valid(kept).all()
    again = np.random.default_rng(0)
    assert (liveness.repair(again.random((100, liveness.circuit.n_units)) < 0.2, again) == kept).all()


def test_valid_rows_are_left_alone() -> None:
    liveness = Liveness(cells())
    kept = np.ones((3, liveness.circuit.n_units), dtype=np.bool_)
    assert (liveness.repair(kept, np.random.default_rng(0)) == kept).all()


def test_identities_absorb_residual_blocks() -> None:
    assert Liveness(residual(20)).clauses == ()
    assert Liveness(dense(58)).clauses == ()
    # Where the identity may go too, each block is a constraint of its own.
    assert len(Liveness(residual(20, droppable_identity=True)).clauses) == 20
    # A dense block without an operand that always lives keeps its stem, and is free otherwise.
    stem = Liveness(dense(58, droppable_stem=True))
    assert np.flatnonzero(stem.forced()).tolist() == [0]


def test_the_most_costly_unit_goes_first() -> None:
    b = Builder()
    circuit = b.circuit(b.join(*((b.every(0), b.unit()) for _ in range(3))))
    liveness = Liveness(circuit)
    assert liveness.smallest([1.0, 3.0, 2.0]).tolist() == [True, False, False]
    assert liveness.smallest([1.0, 3.0, 2.0], fixed=[1]).tolist() == [False, True, False]
    assert liveness.smallest([1.0, 1.0, 1.0]).tolist() == [False, False, True]


def test_units_that_nothing_reads_and_circuits_without_units() -> None:
    none = Liveness(Circuit((Gate("all"), Gate("all", ((0, -1),))), (1,), 0))
    assert none.valid(np.ones((2, 0), dtype=np.bool_)).tolist() == [True, True]
    assert none.alive(np.ones((1, 0), dtype=np.bool_)).tolist() == [[True, True]]
    unread = Liveness(Circuit((Gate("all"),), (0,), 2))
    assert not unread.forced().any()
    assert not unread.smallest([1.0, 1.0]).any()


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL.keys())
def test_many_rows_at_once_are_each_as_alone(make: Callable[[], Circuit]) -> None:
    liveness = Liveness(make())
    kept = np.random.default_rng(1).random((64, liveness.circuit.n_units)) < 0.6
    assert (liveness.alive(kept) == np.concatenate([liveness.alive(row[None]) for row in kept])).all()
    assert liveness.alive(kept[:0]).shape == (0, len(liveness.circuit.gates))


@pytest.mark.parametrize(
    ("circuit", "says"),
    [
        pytest.param(Circuit((Gate("all", ((0, -1),)),), (0,), 0), "earlier gates", id="reads itself"),
        pytest.param(Circuit((Gate("all"), Gate("any", ((0, 1),))), (1,), 1), "wrong unit", id="no such unit"),
        pytest.param(Circuit((Gate("all"), Gate("all", ((0, 0),))), (1,), 1), "wrong unit", id="unit of an all gate"),
        pytest.param(Circuit((Gate("all"),), (1,), 0), "no gate", id="no such output"),
        pytest.param(Circuit((Gate("any"),), (0,), 0), "is dead", id="dead output"),
    ],
)
def test_wrong_circuits_are_refused(circuit: Circuit, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        Liveness(circuit)


def test_assignments_of_other_units_are_refused() -> None:
    with pytest.raises(SpaceError, match="units"):
        Liveness(tangled(5, 2)).valid(np.ones((2, 4), dtype=np.bool_))
