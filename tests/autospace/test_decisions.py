from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.autospace.circuit import Liveness
from gnas.autospace.decisions import Decisions
from gnas.autospace.records import Circuit
from tests.autospace.circuits import (
    LARGE,
    SMALL,
    cells,
    circuits,
    dense,
    every_assignment,
    residual,
    tangled,
    valid_by_definition,
)


def check_against_brute_force(circuit: Circuit, most_states: int) -> Decisions:
    """Counts, numbering and samples are those of the valid assignments that keep the pinned units."""
    decisions = Decisions.of(Liveness(circuit), most_states)
    rows = every_assignment(circuit)
    good = valid_by_definition(circuit, rows) & rows[:, list(decisions.pinned)].all(axis=1)
    assert decisions.count == good.sum()
    listed = decisions.unrank(np.arange(decisions.count))
    assert {row.tobytes() for row in listed} == {row.tobytes() for row in rows[good]}
    assert valid_by_definition(circuit, decisions.sample(np.random.default_rng(0), 30)).all()
    assert set(decisions.open).isdisjoint({*decisions.forced, *decisions.pinned})
    # Each open unit is a choice indeed: some valid assignment drops it.
    assert not rows[good][:, list(decisions.open)].all(axis=0).any()
    return decisions


@given(circuits(most_units=12), st.sampled_from([1, 2, 4, 20_000]))
@settings(max_examples=250, deadline=None)
def test_random_circuits(circuit: Circuit, most_states: int) -> None:
    decisions = check_against_brute_force(circuit, most_states)
    assert most_states < 20_000 or not decisions.pinned


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL.keys())
def test_small_networks(make: Callable[[], Circuit]) -> None:
    assert not check_against_brute_force(make(), 20_000).pinned


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_large_networks(make: Callable[[], Circuit]) -> None:
    liveness = Liveness(make())
    decisions = Decisions.of(liveness)
    kept = decisions.sample(np.random.default_rng(0), 200)
    assert liveness.valid(kept).all()
    assert kept[:, [*decisions.forced, *decisions.pinned]].all()
    assert 0 < decisions.count <= 1 << liveness.circuit.n_units
    assert (Decisions.of(Liveness(make())).sample(np.random.default_rng(0), 200) == kept).all()


def test_counts_known_in_closed_form() -> None:
    assert Decisions.of(Liveness(residual(50))).count == 2**50
    assert Decisions.of(Liveness(residual(70, droppable_identity=True))).count == 3**70
    assert Decisions.of(Liveness(dense(58))).count == 2**58
    # A cell of one node of k operands: all but the empty choice, cell after cell.
    assert Decisions.of(Liveness(cells(1, 1, 40))).count == 2**80 - 1


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL.keys())
def test_sampling_is_uniform(make: Callable[[], Circuit]) -> None:
    decisions = Decisions.of(Liveness(make()))
    per_class = 40
    drawn = decisions.sample(np.random.default_rng(11), per_class * decisions.count)
    _, found = np.unique(np.packbits(drawn, axis=1), axis=0, return_counts=True)
    assert len(found) == decisions.count
    chi_square = float(((found - per_class) ** 2 / per_class).sum())
    freedom = decisions.count - 1
    # Five standard deviations of the chi-square.
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


def test_shares_of_huge_counts_are_exact() -> None:
    decisions = Decisions.of(Liveness(cells(2, 4, 40)))
    assert decisions.count > 2**1100
    kept = decisions.sample(np.random.default_rng(2), 2000)
    # So few of the assignments are invalid that units are kept or dropped with equal chance.
    assert abs(kept.mean() - 0.5) < 0.005


def test_pinning_shrinks_a_space_that_remembers_too_much() -> None:
    liveness = Liveness(tangled(40, 6))
    whole = Decisions.of(Liveness(tangled(16, 4)))
    decisions = Decisions.of(liveness, 200)
    assert not whole.pinned and 0 < len(decisions.pinned) <= 20
    assert liveness.valid(decisions.sample(np.random.default_rng(0), 100)).all()
    assert max(diagram.most_states for diagram in decisions.diagrams) <= 200


def test_without_constraints_units_are_free() -> None:
    decisions = Decisions.of(Liveness(residual(5)))
    assert decisions.free == decisions.open == tuple(range(5)) and not decisions.diagrams
