"""Tests of the flow encoder and of the plan it follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gnas.architecture import Architecture, Node
from gnas.predictors.gnn_flow import FlowEncoder, FlowPass
from gnas.predictors.gnn_labels import LABEL_WIDTH, label_vectors
from gnas.predictors.gnn_plan import FlowPlan
from gnas.predictors.graphs import GraphBatch

OPS = ("conv", "pool", "sum")


def random_graph(seed: int) -> Architecture:
    rng = np.random.default_rng(seed)
    nodes = [Node("input", (("name", "x"),))]
    for i in range(1, int(rng.integers(3, 9))):
        inputs = tuple(sorted(rng.choice(i, size=int(rng.integers(1, min(i, 3) + 1)), replace=False).tolist()))
        nodes.append(Node(str(rng.choice(OPS)), (("width", int(rng.integers(1, 9))),), inputs))
    return Architecture(tuple(nodes), (len(nodes) - 1,))


def embed(architectures: list[Architecture], seed: int = 0) -> Tensor:
    graphs = GraphBatch.of(architectures)
    with torch.no_grad():
        out: Tensor = FlowEncoder(2, 6, 2, seed)(FlowPlan.of(graphs), torch.from_numpy(label_vectors(graphs.table)))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_a_plan_has_the_edges_of_the_graphs(seed: int) -> None:
    architectures = [random_graph(10 * seed + i) for i in range(5)]
    graphs = GraphBatch.of(architectures)
    plan = FlowPlan.of(graphs)
    n = plan.n_nodes
    reads: set[tuple[int, int]] = set()
    feeds: set[tuple[int, int]] = set()
    for found, of_levels in ((reads, plan.reads), (feeds, plan.feeds)):
        for (start, end), rows in zip(plan.levels, of_levels, strict=True):
            assert len(rows) == end - start
            found.update((start + i, int(j)) for i, row in enumerate(rows) for j in row if j < n)
    assert len(reads) == sum(len(node.inputs) for a in architectures for node in a.nodes)
    assert feeds == {(j, i) for i, j in reads}
    starts = [start for start, _ in plan.levels]
    assert all(np.searchsorted(starts, j, "right") < np.searchsorted(starts, i, "right") for i, j in reads)
    for place, architecture in enumerate(architectures):
        inside: list[int] = torch.nonzero(plan.graphs == place)[:, 0].tolist()
        assert len(inside) == len(architecture.nodes)
        assert sorted(graphs.table[int(plan.labels[r])] for r in inside) == sorted(
            (node.op, node.params) for node in architecture.nodes
        )
        # Edges stay within a graph.
        assert all((j in inside) == (i in inside) for i, j in reads)


def test_a_plan_of_columns_is_that_of_their_graphs() -> None:
    architectures = [random_graph(i) for i in range(6)]
    some = np.array([4, 1])
    graphs = GraphBatch.of(architectures)
    vectors = torch.from_numpy(label_vectors(graphs.table))
    with torch.no_grad():
        part = FlowEncoder(2, 6, 1, 0)(FlowPlan.of(graphs, some), vectors)
        whole = FlowEncoder(2, 6, 1, 0)(FlowPlan.of(graphs), vectors)
    torch.testing.assert_close(part, whole[:, some])


@pytest.mark.parametrize("backwards", [False, True])
def test_the_gradient_of_a_pass(backwards: bool) -> None:
    plan = FlowPlan.of(GraphBatch.of([random_graph(i) for i in range(3)]))
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    way = (
        (plan.levels[::-1], plan.feeds[::-1], plan.reads[::-1]) if backwards else (plan.levels, plan.reads, plan.feeds)
    )
    weights = torch.rand(plan.n_nodes, 1, generator=generator, dtype=torch.float64)

    def flowed(shifts: Tensor, gates: Tensor, maps: Tensor) -> Tensor:
        states: Tensor = FlowPass.apply(shifts, gates, maps, weights, *way)  # type: ignore[no-untyped-call]
        return states

    assert torch.autograd.gradcheck(flowed, (drawn(plan.n_nodes, 6), drawn(plan.n_nodes, 6), drawn(2, 3, 3)))


def test_a_pass_is_its_formula() -> None:
    architecture = random_graph(3)
    plan = FlowPlan.of(GraphBatch.of([architecture]))
    n, generator = plan.n_nodes, torch.Generator().manual_seed(0)
    shifts, gates = torch.randn(2, n, 4, generator=generator)
    maps = torch.randn(1, 4, 4, generator=generator)
    states = FlowPass.apply(  # type: ignore[no-untyped-call]
        shifts, gates, maps, plan.read_weights, plan.levels, plan.reads, plan.feeds
    )
    known: dict[int, Tensor] = {}
    for (start, _), rows in zip(plan.levels, plan.reads, strict=True):
        for i, row in enumerate(rows, start=start):
            read = [known[int(j)] for j in row if j < n]
            message = torch.stack(read).sum(dim=0) / len(read) ** 0.5 if read else torch.zeros(4)
            known[i] = gates[i] * message + torch.relu(message @ maps[0] + shifts[i])
    torch.testing.assert_close(states, torch.stack([known[i] for i in range(n)]))


def test_an_embedding_does_not_depend_on_the_order_of_nodes() -> None:
    nodes = (
        Node("input", (("name", "x"),)),
        Node("conv", (), (0,)),
        Node("pool", (), (0,)),
        Node("sum", (), (1, 2)),
    )
    swapped = (nodes[0], nodes[2], nodes[1], Node("sum", (), (1, 2)))
    first, second = embed([Architecture(nodes, (3,)), Architecture(swapped, (3,))]).unbind(1)
    torch.testing.assert_close(first, second)


CONV = Node("conv", (("width", 7),), (0,))
CHANGED = {
    "op": replace(CONV, op="pool"),
    "number": replace(CONV, params=(("width", 77),)),
    "word": replace(CONV, params=(("width", "same"),)),
    "edge": replace(CONV, inputs=(1,)),
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_an_embedding_sees_ops_parameters_and_edges(changed: Node) -> None:
    before = Node("input", (("name", "x"),)), Node("pool", (), (0,))
    first, second = embed([Architecture((*before, node), (1, 2)) for node in (CONV, changed)]).unbind(1)
    assert (first - second).abs().max() > 1e-3


def test_members_differ_and_seeds_too() -> None:
    graphs = [random_graph(i) for i in range(4)]
    assert not torch.allclose(*embed(graphs))
    assert not torch.allclose(embed(graphs), embed(graphs, seed=1))


def test_graphs_without_nodes() -> None:
    empty = Architecture((), ())
    assert embed([empty, empty]).abs().sum() == 0.0
    mixed = embed([empty, random_graph(0)])
    assert mixed[:, 0].abs().sum() == 0.0
    torch.testing.assert_close(mixed[:, 1:], embed([random_graph(0)]))


def test_label_vectors_speak_of_any_op() -> None:
    table = (("input", (("name", "x"),)), ("conv", (("width", 8),)), ("conv", (("width", 16),)), ("never seen", ()))
    vectors = label_vectors(table)
    assert vectors.shape == (4, LABEL_WIDTH)
    np.testing.assert_array_equal(vectors, label_vectors(table))
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert distances[1, 2] < distances[1, 3]
    assert (distances[~np.eye(4, dtype=bool)] > 0.1).all()
