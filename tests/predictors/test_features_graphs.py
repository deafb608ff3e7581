"""Batched graph features beside slow, obvious ones; twins; dead choices; chunks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture
from gnas.predictors import features
from gnas.predictors.features import FeatureExtractor
from gnas.predictors.features_degrees import degrees
from gnas.predictors.features_edges import op_edges
from gnas.predictors.features_walks import walks
from gnas.predictors.graphs import GraphBatch
from gnas.space import YamlSpace, load_space
from tests.predictors.samples import OPS, random_graph

INDEX = {op: i for i, op in enumerate(OPS)}


def edges_by_recursion(graph: Architecture) -> Counter[tuple[str, str]]:
    """Pairs of reader and what is read, sums being passed through."""

    def seen(i: int) -> list[str]:
        node = graph.nodes[i]
        return [node.op] if node.op != "sum" else [op for j in node.inputs for op in seen(j)]

    found = Counter((node.op, op) for node in graph.nodes for j in node.inputs for op in seen(j))
    found.update(("out", op) for i in graph.outputs for op in seen(i))
    return found


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_edges_and_degrees_equal_those_counted_one_by_one(seeds: list[int]) -> None:
    graphs = [random_graph(seed) for seed in seeds]
    batch = GraphBatch.of(graphs)
    ops, sources = batch.ops(INDEX), batch.sources()
    edges = op_edges(ops, sources, batch.outputs, np.array([False, False, False, True, False, False]))
    both = degrees(ops, sources, len(OPS))
    for g, graph in enumerate(graphs):
        expected = edges_by_recursion(graph)
        for row, reader in enumerate((*OPS, "out")):
            assert edges[g, row, :4].tolist() == [expected[reader, op] for op in OPS]
        for i, node in enumerate(graph.nodes):
            reads = Counter(graph.nodes[j].op for j in node.inputs)
            readers = Counter(other.op for other in graph.nodes if i in other.inputs)
            assert both[0, i, g, :4].tolist() == [reads[op] for op in OPS]
            assert both[1, i, g, :4].tolist() == [readers[op] for op in OPS]


def walks_by_recursion(graph: Architecture) -> list[tuple[float, tuple[str, ...]]]:
    """Every walk from the outputs back to a source, with its probability."""

    def back(i: int) -> list[tuple[float, tuple[str, ...]]]:
        node = graph.nodes[i]
        if not node.inputs:
            return [(1.0, (node.op,))]
        return [(p / len(node.inputs), (*path, node.op)) for j in node.inputs for p, path in back(j)]

    return [(p / len(graph.outputs), path) for i in graph.outputs for p, path in back(i)]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_walks_equal_those_enumerated(seeds: list[int]) -> None:
    graphs = [random_graph(seed) for seed in seeds]
    batch = GraphBatch.of(graphs)
    passed = np.array([[False, True, False, False], [False, True, True, False]])
    mean, std = walks(batch.ops(INDEX), batch.sources(), batch.outputs, passed)
    for g, graph in enumerate(graphs):
        found = walks_by_recursion(graph)
        chances = np.array([p for p, _ in found])
        for row, members in enumerate(passed):
            counts = np.array([sum(members[INDEX[op]] for op in path) for _, path in found])
            assert mean[g, row] == pytest.approx(chances @ counts)
            assert std[g, row] == pytest.approx(np.sqrt(chances @ (counts - chances @ counts) ** 2), abs=1e-6)


def test_ops_outside_the_vocabulary_are_counted_as_unknown() -> None:
    batch = GraphBatch.of([random_graph(5)])
    ops = batch.ops({"input": 0})
    assert set(np.unique(ops)) <= {0, 1}
    assert op_edges(ops, batch.sources(), batch.outputs, np.zeros(3, dtype=bool))[0, :, 1].sum() > 0


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "nasbenchgraph"])
def test_twins_agree_in_every_block_of_graphs(name: str) -> None:
    space = load_space(name)
    extractor = FeatureExtractor.fit_space(space, 256)
    codes = space.sample_codes(np.random.default_rng(0), 2000)
    _, first, group = np.unique(space.digests(codes), return_index=True, return_inverse=True)
    assert len(first) < len(codes) - 50
    columns = slice(extractor.slices[extractor.names.index("ops")].start, None)
    table = extractor.features_of_codes(space, codes)[:, columns]
    np.testing.assert_allclose(table, table[first[group.reshape(-1)]], atol=1e-9)
    assert len(np.unique(table.round(6), axis=0)) > 0.9 * len(first)


def test_an_op_that_is_dead_says_nothing() -> None:
    space = load_space("nasbench201")
    dead = space.encode({**dict.fromkeys((c.name for c in space.choices), "none"), "cell.0->3": "skip_connect"})
    lonely = dead.copy()
    values = list(space.choices[0].values)
    lonely[[c.name for c in space.choices].index("cell.0->1")] = values.index("nor_conv_3x3")
    live = space.live_choices(np.stack([dead, lonely]))
    assert live.sum(axis=1).tolist() == [1, 1]
    extractor = FeatureExtractor.fit_space(space, 256)
    rows = extractor.features_of_codes(space, np.stack([dead, lonely]))
    np.testing.assert_array_equal(rows[0], rows[1])


IDENTITIES = """
inputs: [x]
graph:
  - {name: first, op: {choice: [identity, conv]}, from: x}
  - {name: width, op: dense, units: {choice: [8, 16]}}
"""


def test_an_identity_on_the_way_has_a_say() -> None:
    space = YamlSpace("identities", IDENTITIES, "test")
    codes = np.concatenate(list(space.iterate_codes()))
    assert space.live_choices(codes).all()
    extractor = FeatureExtractor.fit_space(space, 64)
    assert len(np.unique(extractor.features_of_codes(space, codes), axis=0)) == len(codes)


@pytest.mark.parametrize("name", ["nasbench201", "molecular/default"])
def test_chunks_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space(name)
    extractor = FeatureExtractor.fit_space(space, 128)
    codes = space.sample_codes(np.random.default_rng(2), 60)
    whole = extractor.features_of_codes(space, codes)
    monkeypatch.setattr(features, "_CHUNK", 7)
    np.testing.assert_array_equal(extractor.features_of_codes(space, codes), whole)
    assert extractor.features_of_codes(space, codes[:0]).shape == (0, extractor.width)


def test_rows_of_another_space_are_described_in_the_words_of_the_first() -> None:
    small, large = load_space("molecular/small"), load_space("molecular/default")
    extractor = FeatureExtractor.fit_space(small, 256)
    rows = extractor.features_of_codes(large, large.sample_codes(np.random.default_rng(0), 50))
    assert rows.shape == (50, extractor.width)
    assert np.isfinite(rows).all()
