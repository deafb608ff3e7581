"""Many graphs as padded arrays, node-major, straight from codes where the space can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.space.program import Label
from gnas.space.protocol import Codes, Space
from gnas.space.pruned import Graphs

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)
Source = int | NDArray[np.intp]
"""What one slot of a node reads: one row of the nodes for every graph, or positions in `(node, graph)` laid flat."""


@runtime_checkable
class GraphSpace(Protocol):
    """A space that turns rows of codes into pruned graphs without making one after the other."""

    def graphs(self, codes: Codes) -> tuple[Graphs, Sequence[Label]]:
        """The graphs of rows, shape `(n, choice)`, and the labels that theirs are indices into."""
        ...

    def live_choices(self, codes: Codes, graphs: Graphs | None = None) -> NDArray[np.bool_]:
        """Which active choices have a say in the pruned graph, `(n, choice)`; `graphs` are those of the rows."""
        ...


@dataclass(frozen=True, slots=True)
class GraphBatch:
    """Graphs padded to one size, node-major, so that a step over topological order touches contiguous rows.

    Attributes:
        labels: Index of each node's label in `table`, −1 where there is no node; `(node, graph)`. The nodes of a graph
            need not be the first rows.
        inputs: Predecessors of each node, all earlier; one past the last node where there is none;
            `(node, slot, graph)`.
        outputs: Which nodes are outputs; `(node, graph)`.
        table: Op and parameters of each label.
    """

    labels: NDArray[np.int32]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.bool_]
    table: tuple[Label, ...]

    @classmethod
    def of(cls, architectures: Sequence[Architecture]) -> GraphBatch:
        """Pads `architectures`."""
        n_graphs = len(architectures)
        n_nodes = max((len(a.nodes) for a in architectures), default=0) or 1
        slots = max((len(node.inputs) for a in architectures for node in a.nodes), default=0) or 1
        labels = np.full((n_nodes, n_graphs), -1, dtype=np.int32)
        inputs = np.full((n_nodes, slots, n_graphs), n_nodes, dtype=np.int32)
        outputs = np.zeros((n_nodes, n_graphs), dtype=np.bool_)
        table: dict[Label, int] = {}
        for g, architecture in enumerate(architectures):
            for i, node in enumerate(architecture.nodes):
                labels[i, g] = table.setdefault((node.op, node.params), len(table))
                inputs[i, : len(node.inputs), g] = node.inputs
            outputs[list(architecture.outputs), g] = True
        return cls(labels, inputs, outputs, tuple(table))

    @classmethod
    def of_codes(cls, space: Space, codes: Codes) -> GraphBatch:
        """The graphs of rows of codes, shape `(n, choice)`: no architecture is decoded if `space` is a `GraphSpace`."""
        if not isinstance(space, GraphSpace):
            return cls.of([space.decode(row) for row in codes])
        return cls.of_pruned(*space.graphs(codes))

    @classmethod
    def of_pruned(cls, graphs: Graphs, known: Sequence[Label]) -> GraphBatch:
        """The graphs that a `GraphSpace` gave, with the labels that theirs are indices into."""
        size, n = graphs.live.shape
        if size == 0 or n == 0:
            return cls.of([Architecture((), ())] * n)
        slots = max((len(wires) for wires in graphs.reads), default=0) or 1
        inputs = np.full((size, slots, n), size, dtype=np.int32)
        for i, wires in enumerate(graphs.reads):
            whole = graphs.live[i].all()
            for k, wire in enumerate(wires):
                if whole and wire.min() >= 0:
                    inputs[i, k] = wire
                else:
                    np.copyto(inputs[i, k], wire, where=graphs.live[i] & (wire >= 0))
        outputs = np.zeros((size + 1, n), dtype=np.bool_)
        columns = np.arange(n)
        for output in graphs.outputs:
            # NOTE: −1, no output, is the last row, which is cut off.
            outputs[output, columns] = True
        labels = np.where(graphs.live, graphs.labels, np.int32(-1))
        # Slot −1 of the count is that of absent nodes, which stay −1.
        met = np.flatnonzero(np.bincount(labels.ravel() + 1, minlength=2)[1:])
        place = np.full(len(known) + 1, -1, dtype=np.int32)
        place[met] = np.arange(len(met))
        return cls(place[labels], inputs, outputs[:size], tuple(known[i] for i in met.tolist()))

    @property
    def n_graphs(self) -> int:
        """How many graphs."""
        return int(self.labels.shape[1])

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which entries are nodes; `(node, graph)`."""
        return self.labels >= 0

    def ops(self, vocabulary: Mapping[str, int]) -> NDArray[np.int16]:
        """Index of each node's op; one past the vocabulary for other ops, two past where there is no node.

        Shape `(node, graph)`.
        """
        k = len(vocabulary)
        of = np.array([*(vocabulary.get(op, k) for op, _ in self.table), k + 1], dtype=np.int16)
        return of[self.labels]

    def sources(self) -> list[tuple[Source, ...]]:
        """What the slots of each node read, those left out that no graph uses.

        A position that stands for nothing is in the row past the last node.
        """
        size, _, n = self.inputs.shape
        if n == 0:
            return [()] * size
        columns = np.arange(n)
        first = self.inputs[:, :, 0]
        alike = (self.inputs == first[:, :, None]).all(axis=2)
        found: list[list[Source]] = [[] for _ in range(size)]
        for i, k in np.argwhere(~alike | (first < size)).tolist():
            found[i].append(int(first[i, k]) if alike[i, k] else self.inputs[i, k] * np.intp(n) + columns)
        return [tuple(slots) for slots in found]


def read(state: NDArray[T], source: Source) -> NDArray[T]:
    """What a slot reads of `state`, shape `(node + 1, graph, channel)`; `(graph, channel)`, maybe a view."""
    rows, n, width = state.shape
    found: NDArray[T] = (
        state[source] if isinstance(source, int) else state.reshape(rows * n, width).take(source, axis=0, mode="clip")
    )
    return found
