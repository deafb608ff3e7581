from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.predictors.features import FeatureExtractor, extractor_of_space
from gnas.predictors.features_degrees import degree_features
from gnas.predictors.features_edges import op_edges
from gnas.predictors.features_paths import paths
from gnas.predictors.features_vocabulary import ROUTING, Vocabulary
from gnas.predictors.graphs import GraphBatch
from gnas.space import load_space
from gnas.space.library import list_spaces
from gnas.testing.chain import ChainSpace
from gnas.testing.predictors import labelled
from tests.predictors.samples import OPS, all_paths, random_graph, relabelled

INDEX = {op: i for i, op in enumerate(OPS)}
LENGTH = np.array([0.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize("seed", range(20))
def test_paths_equal_brute_force(seed: int) -> None:
    graphs = [random_graph(seed), random_graph(seed + 100), random_graph(seed + 200)]
    sets = np.array([[True, True, False, True], [True, False, True, True], [True] * 4])
    batch = GraphBatch.of(graphs)
    passed = np.array([[False, True, False, False], [False, True, True, False]])
    found = paths(batch.ops(INDEX), batch.sources(), batch.outputs, LENGTH, sets, passed)
    for g, graph in enumerate(graphs):
        whole = all_paths(graph)
        for row, members in enumerate(sets):
            may = dict(zip(OPS, members, strict=True))
            lengths = [sum(LENGTH[INDEX[op]] for op in path) for path in whole if all(may[op] for op in path)]
            assert found.number[g, row] == len(lengths)
            assert found.shortest[g, row] == min(lengths, default=np.inf)
            assert found.longest[g, row] == max(lengths, default=-np.inf)
        for row, members in enumerate(passed):
            times = [sum(members[INDEX[op]] for op in path) for path in whole]
            assert found.least[g, row] == min(times)
            assert found.most[g, row] == max(times)
            assert found.mean[g, row] == pytest.approx(np.mean(times))


def test_degrees_and_edges_by_hand() -> None:
    graph = Architecture(
        (Node("input"), Node("conv", (), (0,)), Node("conv", (), (0,)), Node("sum", (), (0, 1, 2))), (3,)
    )
    batch = GraphBatch.of([graph])
    ops, sources = batch.ops(INDEX), batch.sources()
    found = degree_features(ops, sources, batch.outputs, np.array([True, False, False, True, False, False]))
    at_inputs, at_outputs, hub_mean, hub_top, top, own_mean, own_top = np.split(found[0], np.cumsum([4, 4, 8, 8, 8, 8]))
    assert at_inputs.tolist() == [0, 2, 0, 1]
    assert at_outputs.tolist() == [1, 2, 0, 0]
    # Input and sum route: what they read of each op, then what reads them.
    assert hub_mean.tolist() == [0.5, 1, 0, 0, 0, 1, 0, 0.5]
    assert hub_top.tolist() == [1, 2, 0, 0, 0, 2, 0, 1]
    assert top.tolist() == [1, 2, 0, 0, 0, 2, 0, 1]
    # In-degree of the nodes of each op, then out-degree.
    assert own_mean.tolist() == own_top.tolist() == [0, 1, 0, 3, 3, 1, 0, 0]
    edges = op_edges(ops, sources, batch.outputs, np.array([False, False, False, True, False, False]))
    assert edges[0, 1].tolist() == [2, 0, 0, 0, 0]  # Convolutions read the input, and
    assert edges[0, 3].tolist() == edges[0, 4].tolist() == [1, 2, 0, 0, 0]  # the output all three, through the sum.
    assert edges.sum() == 8


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


@pytest.mark.parametrize("name", list_spaces())
def test_rows_of_codes_equal_architectures(name: str) -> None:
    space = load_space(name)
    extractor = FeatureExtractor.fit_space(space, 64)
    codes = space.sample_codes(np.random.default_rng(1), 30)
    straight, decoded = GraphBatch.of_codes(space, codes), GraphBatch.of([space.decode(row) for row in codes])
    blocks, again = extractor.graph_blocks(straight), extractor.graph_blocks(decoded)
    for block in blocks:
        np.testing.assert_allclose(blocks[block], again[block], rtol=1e-9, atol=1e-12, err_msg=block)
    np.testing.assert_array_equal(
        extractor.features_of_codes(space, codes), extractor.features([space.decode(row) for row in codes])
    )


def test_a_space_without_graphs_of_its_own_is_decoded() -> None:
    space = ChainSpace()
    codes = space.sample_codes(np.random.default_rng(0), 30)
    extractor = FeatureExtractor.fit(labelled(60)[0], space.choices)
    np.testing.assert_array_equal(
        extractor.features_of_codes(space, codes), extractor.features([space.decode(row) for row in codes])
    )


def test_extractor_of_a_space_is_a_pure_function_of_it() -> None:
    first, again = extractor_of_space(ChainSpace()), extractor_of_space(ChainSpace())
    assert first is again
    fresh = FeatureExtractor.fit(labelled(60)[0], ChainSpace().choices)
    assert first.vocabulary.ops == fresh.vocabulary.ops


def test_numbers_and_words_among_parameters() -> None:
    def graph(width: int, norm: str) -> Architecture:
        return Architecture((Node("input"), Node("conv", (("norm", norm), ("width", width)), (0,))), (1,))

    extractor = FeatureExtractor.fit([graph(8, "batch"), graph(16, "layer"), graph(32, "batch")])
    assert extractor.names == ("ops", "flow", "signal", "sizes")
    assert extractor.vocabulary.words == (("norm", "'batch'"), ("norm", "'layer'"))
    widths = extractor.features([graph(8, "batch"), graph(16, "batch"), graph(64, "batch")])[:, extractor.slices[-1]]
    assert (np.diff(widths, axis=0) > 0).all()


def test_subsets() -> None:
    few = Vocabulary((), ("a", "b", "input", "stem", "sum"), frozenset({"stem"}), (), ())
    assert few.confined.tolist() == [
        [False, False, True, True, True],
        [True, False, True, True, True],
        [False, True, True, True, True],
        [True, True, True, True, True],
    ]
    assert few.passed.tolist() == [[True] + [False] * 4, [False, True] + [False] * 3, [True, True] + [False] * 3]
    many = Vocabulary((), tuple("abcdefgh"), frozenset(), (), ())
    assert sorted(many.confined.sum(axis=1).tolist()) == [1] * 8 + [7] * 8 + [8]
    assert "input" in ROUTING


def test_empty_and_unknown_graphs() -> None:
    extractor = FeatureExtractor.fit([random_graph(i) for i in range(20)])
    odd = [Architecture((), ()), Architecture((Node("input"), Node("new", (("x", "y"),), (0,))), (1,), (("z", 1),))]
    assert np.isfinite(extractor.features(odd)).all()
