from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.predictors.features import STRUCTURAL, FeatureExtractor, Vocabulary, extractor_of_space
from gnas.predictors.graphs import GraphBatch
from gnas.testing.chain import ChainSpace
from gnas.testing.predictors import labelled

OPS = ("input", "conv", "pool", "sum")


def random_graph(seed: int) -> Architecture:
    rng = np.random.default_rng(seed)
    nodes = [Node("input")]
    for i in range(1, int(rng.integers(3, 9))):
        inputs = tuple(sorted(rng.choice(i, size=int(rng.integers(1, min(i, 3) + 1)), replace=False).tolist()))
        nodes.append(Node(str(rng.choice(OPS[1:])), (("width", int(rng.integers(1, 9))),), inputs))
    return Architecture(tuple(nodes), (len(nodes) - 1,), (("a", int(rng.integers(3))),))


def all_paths(architecture: Architecture) -> list[tuple[str, ...]]:
    """Ops along every path from a source to an output, by recursion."""

    def to(i: int) -> list[tuple[str, ...]]:
        node = architecture.nodes[i]
        if not node.inputs:
            return [(node.op,)]
        return [(*path, node.op) for j in node.inputs for path in to(j)]

    return [path for i in architecture.outputs for path in to(i)]


def relabelled(architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """The same graph with its nodes in another topological order."""
    left, order = set(range(len(architecture.nodes))), []
    while left:
        ready = [i for i in sorted(left) if not set(architecture.nodes[i].inputs) & left]
        order.append(int(rng.choice(ready)))
        left.discard(order[-1])
    place = {old: new for new, old in enumerate(order)}
    nodes = tuple(
        replace(architecture.nodes[i], inputs=tuple(place[j] for j in architecture.nodes[i].inputs), name=f"n{i}")
        for i in order
    )
    return Architecture(nodes, tuple(place[i] for i in architecture.outputs), architecture.assignment)


@pytest.mark.parametrize("seed", range(20))
def test_paths_equal_brute_force(seed: int) -> None:
    graphs = [random_graph(seed), random_graph(seed + 100), random_graph(seed + 200)]
    weights = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    allowed = np.array([[True] * 4, [True] * 4, [True, True, False, True]])
    batch = GraphBatch.of(graphs, {op: i for i, op in enumerate(OPS)})
    shortest, longest, number, mean = batch.paths(weights, allowed)
    for g, channel in itertools.product(range(3), range(3)):
        weigh = dict(zip(OPS, weights[channel], strict=True))
        may = dict(zip(OPS, allowed[channel], strict=True))
        lengths = [sum(weigh[op] for op in path) for path in all_paths(graphs[g]) if all(may[op] for op in path)]
        assert number[g, channel] == len(lengths)
        assert shortest[g, channel] == min(lengths, default=np.inf)
        assert longest[g, channel] == max(lengths, default=-np.inf)
        assert mean[g, channel] == pytest.approx(np.mean(lengths) if lengths else 0.0)


def test_counts_degrees_and_edges_by_hand() -> None:
    graph = Architecture(
        (Node("input"), Node("conv", (), (0,)), Node("conv", (), (0,)), Node("sum", (), (0, 1, 2))), (3,)
    )
    batch = GraphBatch.of([graph], {op: i for i, op in enumerate(OPS)})
    assert batch.op_counts().tolist() == [[1, 2, 0, 1]]
    # Mean and maximum of in-degree, then of out-degree, for input, conv, pool, sum.
    assert batch.degrees().tolist() == [[0, 0, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 3, 3, 0, 0]]
    edges = batch.edge_counts().reshape(4, 4)
    assert edges[0].tolist() == [0, np.sqrt(2), 0, 1]
    assert edges[1].tolist() == [0, 0, 0, np.sqrt(2)]
    assert edges[2:].sum() == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_features_do_not_depend_on_the_order_of_nodes(seed: int, shuffle: int) -> None:
    extractor = FeatureExtractor.fit([random_graph(i) for i in range(40)])
    architecture = random_graph(seed)
    other = relabelled(architecture, np.random.default_rng(shuffle))
    np.testing.assert_allclose(extractor.features([architecture]), extractor.features([other]), atol=1e-12)


def test_features_do_not_depend_on_company() -> None:
    known = [random_graph(i) for i in range(40)]
    batch = FeatureExtractor.fit(known).features(known)
    alone = np.concatenate([FeatureExtractor.fit(known).features([architecture]) for architecture in known])
    # To the bit: a resumed study computes them in other batches, and must propose the same.
    np.testing.assert_array_equal(batch, alone)


def test_blocks_are_centred_and_of_order_one() -> None:
    known = [random_graph(i) for i in range(60)]
    extractor = FeatureExtractor.fit(known)
    features = extractor.features(known)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-9)
    for part in extractor.slices:
        assert (features[:, part] ** 2).sum(axis=1).mean() == pytest.approx(1.0)
    assert features.shape[1] == extractor.slices[-1].stop


def test_rows_of_codes_equal_architectures_and_are_decoded_once() -> None:
    decoded: list[bytes] = []

    class Counting(ChainSpace):
        def decode(self, code: np.ndarray) -> Architecture:
            decoded.append(code.tobytes())
            return super().decode(code)

    space = Counting()
    codes = space.sample_codes(np.random.default_rng(0), 30)
    extractor = FeatureExtractor.fit(labelled(60)[0], space.choices)
    by_codes = extractor.features_of_codes(space, codes)
    assert len(decoded) == len(set(decoded))
    first = len(decoded)
    np.testing.assert_array_equal(extractor.features_of_codes(space, codes[::-1]), by_codes[::-1])
    assert len(decoded) == first
    np.testing.assert_array_equal(by_codes, extractor.features([space.decode(row) for row in codes]))


def test_extractor_of_a_space_is_a_pure_function_of_it() -> None:
    first, again = extractor_of_space(ChainSpace()), extractor_of_space(ChainSpace())
    assert first is again
    fresh = FeatureExtractor.fit(labelled(60)[0], ChainSpace().choices)
    assert first.vocabulary.ops == fresh.vocabulary.ops


def test_numbers_and_words_among_parameters() -> None:
    def graph(width: int, norm: str) -> Architecture:
        return Architecture((Node("input"), Node("conv", (("norm", norm), ("width", width)), (0,))), (1,))

    extractor = FeatureExtractor.fit([graph(8, "batch"), graph(16, "layer"), graph(32, "batch")])
    assert extractor.names == ("ops", "sizes")
    assert extractor.vocabulary.labels == (("norm", "'batch'"), ("norm", "'layer'"))
    widths = extractor.features([graph(8, "batch"), graph(16, "batch"), graph(64, "batch")])[:, extractor.slices[1]]
    assert (np.diff(widths, axis=0) > 0).all()


def test_subsets() -> None:
    few = Vocabulary((), ("a", "b", "input", "sum"), (), ())
    assert few.subsets().tolist() == [
        [False, False, True, True],
        [True, False, True, True],
        [False, True, True, True],
        [True, True, True, True],
    ]
    many = Vocabulary((), tuple("abcdefgh"), (), ())
    assert len(many.subsets()) == 2
    assert "input" in STRUCTURAL


def test_empty_and_unknown_graphs() -> None:
    extractor = FeatureExtractor.fit([random_graph(i) for i in range(20)])
    odd = [Architecture((), ()), Architecture((Node("input"), Node("new", (("x", "y"),), (0,))), (1,), (("z", 1),))]
    assert np.isfinite(extractor.features(odd)).all()
