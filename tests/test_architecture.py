from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnas.architecture import Architecture, Node
from gnas.canonical import canonical_digests, group_rows
from gnas.errors import SpaceError
from gnas.testing.spaces import relabelled


def chain(*ops: str) -> Architecture:
    nodes = [Node("input", (("name", "x"),))]
    for op in ops:
        nodes.append(Node(op, (), (len(nodes) - 1,)))
    return Architecture(tuple(nodes), (len(nodes) - 1,))


@st.composite
def architectures(draw: st.DrawFn, most: int = 7) -> Architecture:
    """Random DAGs with few labels, so that many are isomorphic or nearly so."""
    nodes = [Node("input")]
    for index in range(1, draw(st.integers(2, most))):
        inputs = draw(st.lists(st.integers(0, index - 1), min_size=1, max_size=3))
        op = draw(st.sampled_from(["a", "a", "b", "none", "identity"]))
        nodes.append(Node(op, (), tuple(inputs), f"n{index}", draw(st.sampled_from([False, False, True]))))
    outputs = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=2))
    return Architecture(tuple(nodes), tuple(outputs))


def brute_force_form(architecture: Architecture) -> object:
    """The smallest way to write the pruned graph, over all orders of its nodes."""
    pruned = architecture.pruned()
    best: object = None
    for order in itertools.permutations(range(len(pruned.nodes))):
        place = {old: new for new, old in enumerate(order)}
        form = [tuple(place[o] for o in pruned.outputs)]
        for old in order:
            node = pruned.nodes[old]
            inputs = [place[i] for i in node.inputs]
            form.append((node.op, node.ordered, tuple(inputs if node.ordered else sorted(inputs))))  # type: ignore[arg-type]
        key = repr(form)
        best = key if best is None or key < str(best) else best
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(architectures(most=6), min_size=2, max_size=6))
def test_digests_are_equal_exactly_for_isomorphic_graphs(many: list[Architecture]) -> None:
    for a, b in itertools.combinations(many, 2):
        assert (a.digest == b.digest) == (brute_force_form(a) == brute_force_form(b))


@settings(max_examples=80, deadline=None)
@given(architectures(most=12), st.integers(0, 2**32 - 1))
def test_digest_does_not_depend_on_order_names_or_assignment(architecture: Architecture, seed: int) -> None:
    moved = relabelled(architecture, np.random.default_rng(seed))
    assert moved.digest == architecture.digest
    assert Architecture(moved.nodes, moved.outputs, (("a", 1),)).digest == architecture.digest
    assert len(architecture.digest) == 32 and int(architecture.digest, 16) >= 0


@settings(max_examples=80, deadline=None)
@given(architectures(most=10))
def test_pruning_is_final_and_keeps_the_digest(architecture: Architecture) -> None:
    pruned = architecture.pruned()
    assert pruned.pruned() == pruned
    assert pruned.digest == architecture.digest
    assert all(node.op != "none" for node in pruned.nodes)


@settings(max_examples=80, deadline=None)
@given(architectures(most=10))
def test_json_round_trip(architecture: Architecture) -> None:
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_json_keeps_params_and_assignment() -> None:
    node = Node("conv", (("kernel", (3, 5)), ("rate", 0.5), ("same", True), ("to", None)), (), "stem", True)
    architecture = Architecture((node,), (0,), (("kernel", (3, 5)), ("depth", 2)))
    assert Architecture.from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"nodes": [{"op": 3}], "outputs": [], "assignment": {}}',
        '{"nodes": [], "outputs": [1], "assignment": {}}',
    ],
)
def test_json_that_is_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(SpaceError):
        Architecture.from_json(text)


def test_none_takes_what_it_alone_feeds_with_it() -> None:
    x = Node("input")
    live = Architecture((x, Node("conv", (), (0,)), Node("none", (), (0,)), Node("sum", (), (1, 2))), (3,))
    assert [n.op for n in live.pruned().nodes] == ["input", "conv", "sum"]
    assert live.pruned().nodes[2].inputs == (1,)
    dead = Architecture((x, Node("none", (), (0,)), Node("sum", (), (1, 1)), Node("head", (), (2,))), (3,))
    assert dead.pruned() == Architecture((), ())
    assert dead.digest == Architecture((), ()).digest != live.digest


def test_what_no_output_needs_is_dropped() -> None:
    x = Node("input")
    a = Architecture((x, Node("conv", (), (0,)), Node("unused", (), (1,))), (1,))
    assert a.digest == Architecture((x, Node("conv", (), (0,))), (1,)).digest
    assert len(a.pruned().nodes) == 2


def test_identity_is_bypassed_only_with_one_input_and_no_params() -> None:
    assert chain("identity", "conv", "identity").digest == chain("conv").digest
    x = Node("input")
    two = Architecture((x, Node("conv", (), (0,)), Node("identity", (), (0, 1))), (2,))
    assert [n.op for n in two.pruned().nodes] == ["input", "conv", "identity"]
    scaled = Architecture((x, Node("identity", (("scale", 2),), (0,))), (1,))
    assert len(scaled.pruned().nodes) == 2


def test_parameters_ordered_inputs_and_shared_nodes_count() -> None:
    x = Node("input")
    conv = Node("conv", (("width", 1),), (0,))
    digests = {Architecture((x, Node("conv", (("width", w),), (0,))), (1,)).digest for w in (1, 1.0, True, "1", (1,))}
    assert len(digests) == 5
    pool = Node("pool", (), (0,))
    for ordered in (False, True):
        one = Architecture((x, conv, pool, Node("gate", (), (1, 2), "", ordered)), (3,))
        other = Architecture((x, conv, pool, Node("gate", (), (2, 1), "", ordered)), (3,))
        assert (one.digest == other.digest) is not ordered
    shared = Architecture((x, conv, Node("sum", (), (1, 1))), (2,))
    copied = Architecture((x, conv, conv, Node("sum", (), (1, 2))), (3,))
    assert shared.digest != copied.digest
    assert Architecture((x, conv), (0, 1)).digest != Architecture((x, conv), (1, 0)).digest


def test_weisfeiler_leman_twins_are_told_apart() -> None:
    """A hexagon and two triangles of the same nodes: colour refinement alone cannot tell them apart."""

    def two_layers(pairs: list[tuple[int, int]]) -> Architecture:
        nodes = [Node("input"), *(Node("a", (), (0,)) for _ in range(6))]
        nodes += [Node("b", (), (1 + i, 1 + j)) for i, j in pairs]
        return Architecture((*nodes, Node("sum", (), tuple(range(7, 13)))), (13,))

    hexagon = two_layers([(i, (i + 1) % 6) for i in range(6)])
    triangles = two_layers([(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)])
    assert hexagon.digest != triangles.digest
    assert relabelled(hexagon, np.random.default_rng(3)).digest == hexagon.digest


def test_many_equal_branches_cost_little() -> None:
    nodes = [Node("input")]
    for _ in range(12):
        nodes += [Node("a", (), (0,)), Node("a", (), (len(nodes),)), Node("b", (), (len(nodes) + 1,))]
    nodes.append(Node("sum", (), tuple(range(3, 37, 3))))
    towers = Architecture(tuple(nodes), (37,))
    assert relabelled(towers, np.random.default_rng(0)).digest == towers.digest


def test_nodes_read_earlier_nodes_only() -> None:
    with pytest.raises(SpaceError, match="earlier nodes"):
        Architecture((Node("input"), Node("a", (), (1,))), (1,))
    with pytest.raises(SpaceError, match="outputs"):
        Architecture((Node("input"),), (1,))
    with pytest.raises(SpaceError, match="ordered"):
        Architecture((Node("input"), Node("a", (), (0,) * 65, "", True)), (1,))


def test_many_inputs_and_wide_edges() -> None:
    """Input counts and positions beyond one byte."""
    x = Node("input")
    for ordered in (False, True):
        digests = {Architecture((x, Node("a", (), (0,) * k, "", ordered)), (1,)).digest for k in (8, 9, 32, 64)}
        assert len(digests) == 4
    assert (
        Architecture((x, Node("a", (), (0,) * 300)), (1,)).digest
        != Architecture((x, Node("a", (), (0,) * 44)), (1,)).digest
    )


def test_a_batch_of_mixed_edges_gives_the_digests_of_its_rows() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (50, 6, 2)).astype(np.uint64)
    edges = np.tril(rng.integers(0, 2, (50, 6, 6)), -1).astype(np.uint64) * rng.choice([1, 2, 1000], (50, 1, 1)).astype(
        np.uint64
    )
    together = canonical_digests(labels, edges)
    alone = [canonical_digests(labels[k : k + 1], edges[k : k + 1])[0] for k in range(50)]
    assert together.tolist() == alone


def test_group_rows() -> None:
    table = np.random.default_rng(0).integers(-1, 3, (500, 4)).astype(np.int32)
    first, group = group_rows(table)
    assert (table[first][group] == table).all()
    assert len(first) == len(np.unique(table, axis=0))
