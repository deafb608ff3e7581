from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.predictors.flow import RandomFlow, passage
from gnas.predictors.graphs import GraphBatch
from gnas.space import load_space
from tests.predictors.samples import random_graph, relabelled

FLOW = RandomFlow(dims=8, repetitions=2)


def flow_of(*graphs: Architecture) -> np.ndarray:
    return FLOW(GraphBatch.of(graphs))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_order_of_nodes_and_company_do_not_show_in_any_bit(seed: int, shuffle: int) -> None:
    graph = random_graph(seed)
    other = relabelled(graph, np.random.default_rng(shuffle))
    alone = flow_of(graph)
    np.testing.assert_array_equal(flow_of(other), alone)
    np.testing.assert_array_equal(flow_of(*(random_graph(i) for i in range(70)), graph)[-1:], alone)


@pytest.mark.parametrize("seed", range(5))
def test_chunks_equal_the_whole(seed: int) -> None:
    space = load_space("nasbench201")
    codes = space.sample_codes(np.random.default_rng(seed), 150)
    whole = FLOW(GraphBatch.of_codes(space, codes))
    parts = [FLOW(GraphBatch.of_codes(space, codes[i : i + 7])) for i in range(0, 150, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_what_copies_adds_up() -> None:
    """Through ops that copy alone, what arrives is what starts, as often as there are paths."""

    def graph(*inputs: tuple[int, ...]) -> Architecture:
        return Architecture((Node("input"), *(Node("skip", (), i) for i in inputs)), (len(inputs),))

    one, two, three = (flow_of(graph(*g)) for g in (((0,),), ((0,), (0, 1)), ((0,), (0,), (0, 1, 2))))
    np.testing.assert_array_equal(two, 2 * one)
    np.testing.assert_array_equal(three, 3 * one)


def test_ops_differ_and_parameters_bend_them() -> None:
    def through(op: str, **params: int | str) -> np.ndarray:
        return flow_of(Architecture((Node("input"), Node(op, tuple(sorted(params.items())), (0,))), (1,)))

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a - b))

    narrow, wide, other = through("conv", width=16), through("conv", width=32), through("dense", width=16)
    assert 0 < apart(narrow, wide) < apart(narrow, other)
    assert apart(through("conv", norm="batch"), through("conv", norm="layer")) > 0
    half = through("pool") / through("skip")
    np.testing.assert_allclose(half, 0.7, atol=0.05)


def test_passage_is_read_off_names() -> None:
    assert [passage(op) for op in ("skip_connect", "Identity", "sum", "conv", "none")] == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert 0 < passage("avg_pool_3x3") < 1


def test_a_seed_gives_another_flow_of_the_same_width() -> None:
    graph = random_graph(3)
    batch = GraphBatch.of([graph])
    other = replace(FLOW, seed=1)(batch)
    assert other.shape == (1, FLOW.width)
    assert not np.array_equal(other, FLOW(batch))


def test_a_graph_of_nothing_gives_nothing() -> None:
    assert not flow_of(Architecture((), ())).any()


def test_very_wide_and_deep_graphs_stay_finite() -> None:
    nodes = [Node("input")]
    for i in range(60):
        nodes.append(Node("conv" if i % 3 else "sum", (), tuple(range(len(nodes)))))
    assert np.isfinite(flow_of(Architecture(tuple(nodes), (60,)))).all()
