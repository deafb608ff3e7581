"""The pruned graphs of a batch of assignments, in the rows of the compiled graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Graphs:
    """The pruned graphs of a batch.

    Attributes:
        live: Which supernodes remain; shape `(supernode, n)`.
        labels: Index of each supernode's label; shape `(supernode, n)`, −1 where it is absent.
        reads: For each supernode and wire, the supernode read, −1 for none; each of shape `(n,)`.
        outputs: The same for the outputs.
    """

    live: NDArray[np.bool_]
    labels: NDArray[np.int32]
    reads: tuple[tuple[NDArray[np.int32], ...], ...]
    outputs: tuple[NDArray[np.int32], ...]

    def rows(self) -> NDArray[np.int32]:
        """Labels, reads and outputs of the live nodes, shape `(n, column)`: equal rows are equal graphs, names of nodes
        counting.
        """
        parts = [np.where(self.live, self.labels, np.int32(-1))]
        for live, wires in zip(self.live, self.reads, strict=True):
            parts.extend(np.where(live, w, np.int32(-1))[None] for w in wires)
        parts.extend(o[None] for o in self.outputs)
        return np.ascontiguousarray(np.concatenate(parts).T)

    def take(self, rows: NDArray[np.int64]) -> Graphs:
        """Some rows of the batch, repeated as often as they are listed."""
        reads = tuple(tuple(w[rows] for w in wires) for wires in self.reads)
        return Graphs(self.live[:, rows], self.labels[:, rows], reads, tuple(o[rows] for o in self.outputs))


def needed(
    size: int,
    reads: list[tuple[NDArray[np.int32], ...]],
    outputs: tuple[NDArray[np.int32], ...],
    rows: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which nodes an output needs; shape `(node, n)`."""
    # NOTE: the last row collects what reads nothing and is cut off.
    needed = np.zeros((size + 1, len(rows)), dtype=bool)
    for output in outputs:
        needed[output, rows] = True
    for i in range(size - 1, -1, -1):
        if not reads[i]:
            continue
        here = needed[i]
        everywhere = here.all()
        for source in reads[i]:
            needed[source if everywhere else np.where(here, source, -1), rows] = True
    return needed[:size]
