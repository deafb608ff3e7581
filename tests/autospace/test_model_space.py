from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from gnas.architecture import Architecture
from gnas.autospace.model_space import ModelSpace
from gnas.autospace.records import Circuit
from gnas.errors import SpaceError
from gnas.searchers import make_searcher
from gnas.testing.chain import MemoryStudy
from gnas.testing.searchers import play
from gnas.testing.spaces import SpaceTestCase
from tests.autospace.circuits import LARGE, SMALL, cells, dense, fused, hourglass, residual, tangled
from tests.autospace.toy import WIDTH, ToyModel

CONFORMING: dict[str, Callable[[], Circuit]] = {
    **SMALL,
    "no units": lambda: residual(0),
    "many": lambda: fused(3, 3, 2),
}


class TestConformance(SpaceTestCase):
    @pytest.fixture(scope="class", params=sorted(CONFORMING))
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> ModelSpace:
        return ToyModel(CONFORMING[request.param]()).space(request.param)


class TestConformanceWithPinnedUnits(SpaceTestCase):
    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> ModelSpace:
        return ToyModel(tangled(9, 3), 0, 0).space(most_states=2)


def test_every_sub_network_runs() -> None:
    space = ToyModel(hourglass(2)).space()
    for architecture in [space.full(), space.smallest(), *(space.sample(np.random.default_rng(i)) for i in range(10))]:
        (out,) = space.build(architecture)(torch.zeros(2, WIDTH))
        assert out.shape == (2, WIDTH)


def test_full_and_smallest() -> None:
    model = ToyModel(fused(2))
    space = model.space()
    full, least = space.full(), space.smallest()
    assert space.contains(full) and space.contains(least)
    assert {dict(full.assignment)[unit.name] for unit in model.units} == {"keep"}
    assert [dict(full.assignment)[group.name] for group in model.groups] == [8, 8]
    assert [dict(least.assignment)[group.name] for group in model.groups] == [4, 2]
    assert dict(least.assignment)["bypass of 1"] == "on" and dict(full.assignment)["bypass of 1"] == "off"
    row = space.encode(dict(least.assignment))
    nearer = space.neighbour_codes(row)[:, : len(model.units)]
    assert (nearer.sum(axis=1) <= row[: len(model.units)].sum()).all()


def test_smallest_drops_what_costs_most() -> None:
    space = ToyModel(cells(1, 1, 3)).space()
    cost = np.ones(6)
    cost[4] = 0.0
    kept = space.kept(space.encode(dict(space.smallest(cost).assignment))[None])[0]
    assert np.flatnonzero(kept).tolist() == [4]


def test_views_of_rows() -> None:
    model = ToyModel(dense(4, droppable_stem=True), 3, 1)
    space = model.space()
    assert space.decisions.forced == (0,) and "unit 0" not in {c.name for c in space.choices}
    codes = space.sample_codes(np.random.default_rng(0), 20)
    for row, kept, widths, bypassed in zip(
        codes, space.kept(codes), space.widths(codes), space.bypassed(codes), strict=True
    ):
        values = dict(space.decode(row).assignment)
        assert kept.tolist() == [values.get(unit.name, "keep") == "keep" for unit in model.units]
        assert widths.tolist() == [values[group.name] for group in model.groups]
        assert bypassed.tolist() == [values[unit.name] == "on" for unit in model.bypasses]


def test_a_group_of_one_count_is_no_choice() -> None:
    model = ToyModel(residual(1))
    model.groups = (replace(model.groups[0], kept=(8,)), model.groups[1])
    space = ModelSpace("toy", model.circuit, model.units, (), model.groups, model.reduce, model.build, "f")
    assert [c.name for c in space.choices] == ["unit 0", "width 1"]
    assert space.widths(space.sample_codes(np.random.default_rng(0), 3))[:, 0].tolist() == [8, 8, 8]


def test_choices_without_a_say_do_not_change_the_digest() -> None:
    space = ToyModel(cells(1, 3, 2), 0, 0).space()
    codes = space.sample_codes(np.random.default_rng(1), 60)
    live = space.live_choices(codes)
    assert live.any() and not live.all()
    dropped = np.where(live, codes, 1).astype(np.int16)
    for row, quiet in zip(codes, dropped, strict=True):
        assert space.decode(row).digest == space.decode(quiet).digest
    for row, say in zip(codes[:10], live[:10], strict=True):
        for column in np.flatnonzero(~say):
            flipped = row.copy()
            flipped[column] = 1 - flipped[column]
            assert space.decode(row).digest == space.decode(flipped).digest


def test_crossover_keeps_what_parents_share() -> None:
    space = ToyModel(residual(40, droppable_identity=True)).space()
    rng = np.random.default_rng(0)
    a, b = space.sample_codes(rng, 50), space.sample_codes(rng, 50)
    child = space.cross_codes(a, b, rng)
    # Only a unit that both parents drop may be kept again, and only to save an output.
    assert ((child == a) | (child == b) | (child == 0)).all()
    assert (child == b).any(axis=1).all() and (child == a).any(axis=1).all()


def test_the_fingerprint_tells_spaces_apart() -> None:
    model = ToyModel(residual(2))
    prints = {ToyModel(residual(2)).space().fingerprint, model.space("other name").fingerprint}
    assert len(prints) == 1
    wider = ToyModel(residual(2))
    wider.groups = (replace(wider.groups[0], kept=(1, 8)), wider.groups[1])
    assert wider.space().fingerprint not in prints


def test_wrong_assignments_are_refused() -> None:
    space = ToyModel(cells(1, 1, 2)).space()
    assignment = dict(space.full().assignment)
    with pytest.raises(SpaceError, match="did you mean 'unit 3'"):
        space.encode({**assignment, "unit 33": "keep"})
    with pytest.raises(SpaceError, match="no such value"):
        space.encode({**assignment, "unit 3": "kept"})
    with pytest.raises(SpaceError, match="needs a value"):
        space.encode({k: v for k, v in assignment.items() if k != "width 0"})
    dead = {k: "drop" if k.startswith("unit") else v for k, v in assignment.items()}
    with pytest.raises(SpaceError, match="output"):
        space.encode(dead)
    assert not space.contains(Architecture((), (), tuple(dead.items())))


def test_wrong_structures_are_refused() -> None:
    model = ToyModel(residual(2))
    with pytest.raises(SpaceError, match="as many units"):
        ModelSpace("toy", model.circuit, model.units[:1], (), (), model.reduce, model.build, "f")
    twice = (model.units[0], model.units[0])
    with pytest.raises(SpaceError, match="share a name"):
        ModelSpace("toy", model.circuit, twice, (), (), model.reduce, model.build, "f")


def test_a_space_too_large_to_enumerate_says_so() -> None:
    space = ToyModel(residual(70)).space()
    assert space.count() == 2**70 * 2 * 2 * 3
    with pytest.raises(SpaceError, match="too large"):
        next(space.iterate_codes())


def test_sixty_units_and_forty_groups_are_fast() -> None:
    space = ToyModel(residual(30, droppable_identity=True), 40, 0).space()
    assert len(space.choices) == 100
    seconds = []
    for seed in range(5):
        start = time.process_time()
        space.sample_codes(np.random.default_rng(seed), 1000)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


def value(architecture: Architecture) -> float:
    """A landscape: large widths and few ops are good."""
    values = [v for _, v in architecture.assignment if isinstance(v, int)]
    return float(np.log2(values).sum()) - 0.3 * sum(node.op == "op" for node in architecture.nodes)


@pytest.mark.parametrize("algorithm", ["random", "evolution", "local", "bayes"])
@pytest.mark.parametrize("name", ["cells", "large"])
def test_searchers_run(algorithm: str, name: str) -> None:
    circuit = cells(1, 2, 2) if name == "cells" else residual(30, droppable_identity=True, length=1)
    space = ToyModel(circuit, 30 if name == "large" else 2).space(name)
    # The population of evolution is complete after twenty.
    trials = 24 if algorithm == "evolution" else 14
    study = play(make_searcher(algorithm), MemoryStudy(space=space), trials, value=value)
    assert len({e.digest for e in study.evaluations}) == trials
    found = make_searcher(algorithm).ask(study, 3, np.random.default_rng(1))
    assert len({a.digest for a in found}) == 3 and all(space.contains(a) for a in found)


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_large_spaces(make: Callable[[], Circuit]) -> None:
    space = ToyModel(make()).space()
    rng = np.random.default_rng(0)
    codes = space.sample_codes(rng, 50)
    mutated = space.mutate_codes(codes, rng)
    assert space.contains_codes(codes).all() and space.contains_codes(mutated).all()
    assert ((mutated != codes).sum(axis=1) == 1).all()
    assert space.contains_codes(space.cross_codes(codes, mutated, rng)).all()
