"""Random graphs for tests of features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gnas.architecture import Architecture, Node

OPS = ("input", "conv", "pool", "sum")


def random_graph(seed: int) -> Architecture:
    """A DAG of 3 to 8 nodes; not all of them need lead to the output."""
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
