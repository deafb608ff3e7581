"""Many graphs as padded arrays, and dynamic programmes over them: paths, degrees, edges, all in batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GraphBatch:
    """Graphs padded to one size, node-major, so that a step over topological order touches contiguous rows.

    Attributes:
        ops: Index of each node's op, −1 for padding and for ops outside the vocabulary; `(node, graph)`.
        inputs: Predecessors of each node, one past the last node where there is none; `(node, slot, graph)`.
        real: Which entries are nodes; `(node, graph)`.
        outputs: Which nodes are outputs; `(node, graph)`.
        n_ops: Size of the vocabulary.
    """

    ops: Ints
    inputs: Ints
    real: NDArray[np.bool_]
    outputs: NDArray[np.bool_]
    n_ops: int

    @classmethod
    def of(cls, architectures: Sequence[Architecture], vocabulary: Mapping[str, int]) -> GraphBatch:
        """Pads `architectures`; ops are looked up in `vocabulary`."""
        n_graphs = len(architectures)
        n_nodes = max((len(a.nodes) for a in architectures), default=0) or 1
        slots = max((len(node.inputs) for a in architectures for node in a.nodes), default=0)
        ops = np.full((n_nodes, n_graphs), -1, dtype=np.int64)
        inputs = np.full((n_nodes, max(slots, 1), n_graphs), n_nodes, dtype=np.int64)
        real = np.zeros((n_nodes, n_graphs), dtype=np.bool_)
        outputs = np.zeros((n_nodes, n_graphs), dtype=np.bool_)
        for g, architecture in enumerate(architectures):
            n = len(architecture.nodes)
            real[:n, g] = True
            ops[:n, g] = [vocabulary.get(node.op, -1) for node in architecture.nodes]
            for i, node in enumerate(architecture.nodes):
                if node.inputs:
                    inputs[i, : len(node.inputs), g] = node.inputs
            outputs[list(architecture.outputs), g] = True
        return cls(ops, inputs, real, outputs, len(vocabulary))

    def op_counts(self) -> Floats:
        """How often each op occurs; `(graph, op)`."""
        return np.stack([(self.ops == op).sum(axis=0) for op in range(self.n_ops)], axis=1).astype(np.float64)

    def degrees(self) -> Floats:
        """Per op: mean and maximum of in-degree and of out-degree over its nodes; `(graph, 4 * op)`."""
        incoming = (self.inputs < len(self.ops)).sum(axis=1).astype(np.float64)
        outgoing = np.zeros((len(self.ops) + 1, self.ops.shape[1]))
        columns = np.broadcast_to(np.arange(self.ops.shape[1]), self.inputs.shape)
        np.add.at(outgoing, (self.inputs, columns), 1.0)
        features = []
        for op in range(self.n_ops):
            here = self.ops == op
            n = np.maximum(here.sum(axis=0), 1)
            for degree in (incoming, outgoing[:-1]):
                inside = np.where(here, degree, 0.0)
                features += [inside.sum(axis=0) / n, inside.max(axis=0, initial=0.0)]
        return np.stack(features, axis=1) if features else np.zeros((self.ops.shape[1], 0))

    def edge_counts(self) -> Floats:
        """Square roots of how many edges go from one op to another; `(graph, op * op)`."""
        n_graphs = self.ops.shape[1]
        padded = np.concatenate([self.ops, np.full((1, n_graphs), -1, dtype=np.int64)])
        columns = np.broadcast_to(np.arange(n_graphs), self.inputs.shape)
        source = padded[self.inputs, columns]
        target = np.broadcast_to(self.ops[:, None, :], self.inputs.shape)
        known = (source >= 0) & (target >= 0)
        size = self.n_ops**2
        flat = columns[known] * size + source[known] * self.n_ops + target[known]
        return np.sqrt(np.bincount(flat, minlength=n_graphs * size).reshape(n_graphs, size).astype(np.float64))

    def paths(self, weights: Floats, allowed: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
        """Shortest and longest weighted path, number of paths and mean weight, from any source to any output.

        Several channels run at once, each with a weight and a permission for each op. A path is allowed in a channel
        where all its ops are. Ops outside the vocabulary weigh nothing and are allowed.

        Args:
            weights: Weight of each op; `(channel, op)`.
            allowed: Which ops a path may use; `(channel, op)`.

        Returns:
            Four arrays of shape `(graph, channel)`: shortest (+inf if there is no path), longest (−inf), number,
            mean weight over paths (0 if there is none).
        """
        n_nodes, n_graphs = self.ops.shape
        channels = len(weights)
        weight_of = np.concatenate([weights, np.zeros((channels, 1))], axis=1).T
        allowed_of = np.concatenate([allowed, np.ones((channels, 1), dtype=np.bool_)], axis=1).T
        # Shortest and minus longest paths are both minima, numbers and masses both sums: each pair shares its steps.
        extrema = np.full((n_nodes + 1, n_graphs, 2, channels), np.inf)
        sums = np.zeros((n_nodes + 1, n_graphs, 2, channels))
        columns = np.arange(n_graphs)
        is_source = (self.inputs == n_nodes).all(axis=1) & self.real
        used = (self.inputs < n_nodes).any(axis=2)
        for i in range(n_nodes):
            extremum = np.full((n_graphs, 2, channels), np.inf)
            extremum[is_source[i]] = 0.0
            sum_ = np.zeros((n_graphs, 2, channels))
            sum_[is_source[i], 0] = 1.0
            for slot in self.inputs[i][used[i]]:
                np.minimum(extremum, extrema[slot, columns], out=extremum)
                sum_ += sums[slot, columns]
            weight = weight_of[self.ops[i]]
            closed = ~(allowed_of[self.ops[i]] & self.real[i][:, None])
            extremum[:, 0] += weight
            extremum[:, 1] -= weight
            sum_[:, 1] += sum_[:, 0] * weight
            extremum.transpose(0, 2, 1)[closed] = np.inf
            sum_.transpose(0, 2, 1)[closed] = 0.0
            extrema[i], sums[i] = extremum, sum_
        shortest, longest, number, total = extrema[:, :, 0], -extrema[:, :, 1], sums[:, :, 0], sums[:, :, 1]
        ends = self.outputs[:, :, None]
        all_paths = np.where(ends, number[:-1], 0.0).sum(axis=0)
        all_mass = np.where(ends, total[:-1], 0.0).sum(axis=0)
        return (
            np.where(ends, shortest[:-1], np.inf).min(axis=0),
            np.where(ends, longest[:-1], -np.inf).max(axis=0),
            all_paths,
            all_mass / np.maximum(all_paths, 1.0),
        )
