"""Every sub-network of every random model runs and equals the model with the removed parts masked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

from gnas.autospace import space_from_model, verify
from gnas.testing.models import KINDS, Plan, build_model, calls_of, plans
from gnas.testing.networks import check_network, forms_of

TOLERANCE = 1e-5
PARTS = 8
"""Of the large tests, each of which takes many minutes: `pytest -m slow -k "many and 3"` runs one of each kind."""
CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
SOME = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=CHECKS)
MANY = settings(max_examples=125, deadline=None, database=None, suppress_health_check=CHECKS)


def sub_networks_are_valid(plan: Plan, samples: int = 2) -> None:
    """Parses the model of a plan and tries the whole, the smallest and random sub-networks.

    Raises:
        AssertionError: One has other outputs than it must, or differs from the masked original.
    """
    model, calls = build_model(plan), calls_of(plan)
    forms = forms_of(model, calls)
    space = space_from_model(model, *calls[0])
    rng = np.random.default_rng(plan.seed)
    for architecture in (space.full(), space.smallest(), *(space.sample(rng) for _ in range(samples))):
        difference = verify(space, architecture)
        assert difference <= TOLERANCE, f"differs by {difference:.1e}: {dict(architecture.assignment)}"
        check_network(space.build(architecture), calls, forms)


@SOME
@given(plan=plans(KINDS))
def test_some_networks(plan: Plan) -> None:
    sub_networks_are_valid(plan)


@SOME
@given(plan=plans(("nodes",)))
def test_some_graph_networks(plan: Plan) -> None:
    pytest.importorskip("torch_geometric")
    sub_networks_are_valid(plan)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_networks(part: int) -> None:
    @seed(part)
    @MANY
    @given(plan=plans(KINDS, steps=7))
    def valid(plan: Plan) -> None:
        sub_networks_are_valid(plan, samples=3)

    valid()


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_graph_networks(part: int) -> None:
    pytest.importorskip("torch_geometric")

    @seed(part)
    @MANY
    @given(plan=plans(("nodes",), steps=7))
    def valid(plan: Plan) -> None:
        sub_networks_are_valid(plan, samples=3)

    valid()
