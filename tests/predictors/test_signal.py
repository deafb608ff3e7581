from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.predictors.flow import RandomFlow
from gnas.predictors.graphs import GraphBatch
from gnas.predictors.signal import SignalPropagation
from gnas.space import load_space
from tests.predictors.samples import random_graph, relabelled

SIGNAL = SignalPropagation(inputs=6, depth=2, flow=RandomFlow(dims=8, repetitions=2))
_, NEAR, FAR, MEAN, STD, _ = range(6)


def signal_of(*graphs: Architecture, signal: SignalPropagation = SIGNAL) -> np.ndarray:
    return signal(GraphBatch.of(graphs))


def chain(*ops: str) -> Architecture:
    nodes = (Node("input"), *(Node(op, (), (i,)) for i, op in enumerate(ops)))
    return Architecture(nodes, (len(ops),))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_order_of_nodes_and_company_do_not_show_in_any_bit(seed: int, shuffle: int) -> None:
    graph = random_graph(seed)
    other = relabelled(graph, np.random.default_rng(shuffle))
    alone = signal_of(graph)
    np.testing.assert_array_equal(signal_of(other), alone)
    np.testing.assert_array_equal(signal_of(*(random_graph(i) for i in range(70)), graph)[-1:], alone)


def test_chunks_equal_the_whole() -> None:
    space = load_space("nasbench201")
    codes = space.sample_codes(np.random.default_rng(0), 100)
    whole = SIGNAL(GraphBatch.of_codes(space, codes))
    parts = [SIGNAL(GraphBatch.of_codes(space, codes[i : i + 7])) for i in range(0, 100, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.shape == (100, SIGNAL.width)


def test_copies_change_no_angle() -> None:
    """Through ops that copy, states keep the angles that they start with, and all inputs have one gradient."""
    told = signal_of(chain("skip", "skip"))[0]
    x = SIGNAL.starts().astype(np.float64)
    cosine = (x[:, 0] * x[:, 1]).sum(axis=1) / np.linalg.norm(x[:, 0], axis=1) / np.linalg.norm(x[:, 1], axis=1)
    for copy in range(SIGNAL.depth):
        assert told[6 * copy + NEAR] == pytest.approx(cosine.mean())
        np.testing.assert_array_equal(told[6 * copy : 6 * copy + 6], told[:6])
    gradients = told[12:24].reshape(2, 6)
    np.testing.assert_allclose(gradients[:, [NEAR, FAR, MEAN]], 1.0)
    np.testing.assert_allclose(gradients[:, STD], 0.0, atol=1e-6)
    np.testing.assert_array_equal(told[25:], 0.0)


def test_the_deeper_the_further_apart_are_gradients() -> None:
    shallow, deep = (signal_of(chain(*["conv"] * n), signal=replace(SIGNAL, depth=1))[0] for n in (1, 6))
    assert shallow[6 + MEAN] > deep[6 + MEAN]
    assert shallow[6 + NEAR] > deep[6 + NEAR]


def test_a_copy_beside_ops_keeps_gradients_together() -> None:
    nodes = (Node("input"), Node("conv", (), (0,)), Node("conv", (), (1,)), Node("sum", (), (0, 2)))
    beside, alone = signal_of(Architecture(nodes, (3,)))[0], signal_of(chain("conv", "conv"))[0]
    assert beside[18 + NEAR] > alone[18 + NEAR]
    assert beside[18 + MEAN] > alone[18 + MEAN]


def test_ops_differ_and_seeds_differ() -> None:
    graph = chain("conv", "dense")
    assert not np.array_equal(signal_of(graph), signal_of(chain("dense", "conv")))
    other = replace(SIGNAL, flow=replace(SIGNAL.flow, seed=9))
    assert not np.array_equal(signal_of(graph), signal_of(graph, signal=other))


def test_nothing_and_very_much_stay_finite() -> None:
    nodes = [Node("input")]
    for i in range(40):
        nodes.append(Node("conv" if i % 3 else "sum", (), tuple(range(len(nodes)))))
    assert np.isfinite(signal_of(Architecture((), ()), Architecture(tuple(nodes), (40,)))).all()
