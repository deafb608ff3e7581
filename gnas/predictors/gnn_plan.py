"""Nodes of many graphs laid flat, by depth: the order in which flows visit them, whole levels at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnas.predictors.graphs import GraphBatch

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """Where flows go.

    Nodes of all graphs are rows, sorted by depth, so that a level is a range of rows; a node reads rows of lower levels
    only. One past the last row stands for nothing.

    Attributes:
        labels: Label of each node, `(row,)`.
        levels: First and last (exclusive) row of each level.
        reads, feeds: For each level, rows read by its nodes and rows that read them, `(row of the level, slot)`.
        read_weights, feed_weights: 1 / √(number read) and 1 / √(number of readers), 1 for none; `(row, 1)`.
        sources, sinks: 1 where a node reads nothing, and where it is an output, else 0; `(row, 1)`.
        graphs: Graph of each node, `(row,)`.
        sizes: Number of nodes of each graph, at least 1; `(graph, 1)`.
    """

    labels: Tensor
    levels: tuple[tuple[int, int], ...]
    reads: tuple[Tensor, ...]
    feeds: tuple[Tensor, ...]
    read_weights: Tensor
    feed_weights: Tensor
    sources: Tensor
    sinks: Tensor
    graphs: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, graphs: GraphBatch, columns: NDArray[np.intp] | None = None) -> FlowPlan:
        """The plan of all graphs of a batch, or of those in `columns`."""
        labels, inputs, outputs = graphs.labels, graphs.inputs, graphs.outputs
        if columns is not None:
            labels, inputs, outputs = labels[:, columns], inputs[:, :, columns], outputs[:, columns]
        size, n_graphs = labels.shape
        depth = _depths(labels >= 0, inputs)
        node, graph = np.nonzero(labels >= 0)
        order = np.lexsort((node, graph, depth[node, graph]))
        node, graph = node[order], graph[order]
        n = len(node)
        row = np.full((size + 1, n_graphs), n, dtype=np.int64)
        row[node, graph] = np.arange(n)
        reads = row[inputs[node, :, graph], graph[:, None]]
        feeds = _reversed(reads, n)
        found = depth[node, graph]
        bounds = np.searchsorted(found, np.arange((int(found[-1]) if n else -1) + 2)).tolist()
        levels = tuple(pairwise(bounds))
        n_reads, n_feeds = (reads < n).sum(axis=1), (feeds < n).sum(axis=1)
        sizes = np.bincount(graph, minlength=n_graphs)
        return cls(
            torch.from_numpy(labels[node, graph].astype(np.int64)),
            levels,
            _by_level(reads, n_reads, levels),
            _by_level(feeds, n_feeds, levels),
            _column(1.0 / np.sqrt(np.maximum(n_reads, 1))),
            _column(1.0 / np.sqrt(np.maximum(n_feeds, 1))),
            _column(n_reads == 0),
            _column(outputs[node, graph]),
            torch.from_numpy(graph),
            _column(np.maximum(sizes, 1)),
        )

    @property
    def n_nodes(self) -> int:
        """Number of rows."""
        return len(self.labels)


def _depths(real: NDArray[np.bool_], inputs: NDArray[np.int32]) -> Rows:
    """Longest way from a source to each node, `(node + 1, graph)`; −1 where there is no node."""
    size, n_graphs = real.shape
    depth = np.full((size + 1, n_graphs), -1, dtype=np.int64)
    columns = np.arange(n_graphs)
    for i in range(size):
        depth[i] = np.where(real[i], depth[inputs[i], columns].max(axis=0) + 1, -1)
    return depth


def _reversed(reads: Rows, n: int) -> Rows:
    """Which rows read each row, `(row, slot)`, from what each row reads; `n` for none."""
    reader, slot = np.nonzero(reads < n)
    read = reads[reader, slot]
    order = np.argsort(read, kind="stable")
    reader, read = reader[order], read[order]
    sizes = np.bincount(read, minlength=n)
    out = np.full((n, max(int(sizes.max(initial=0)), 1)), n, dtype=np.int64)
    out[read, np.arange(len(read)) - (np.cumsum(sizes) - sizes)[read]] = reader
    return out


def _by_level(rows: Rows, counts: Rows, levels: tuple[tuple[int, int], ...]) -> tuple[Tensor, ...]:
    """Rows of each level, those in use moved to the first slots and the slots cut to what the level needs."""
    packed = np.sort(rows, axis=1)
    parts = (packed[start:end, : max(int(counts[start:end].max()), 1)] for start, end in levels)
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)


def _column(values: NDArray[np.float64] | NDArray[np.bool_] | Rows) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)[:, None])
