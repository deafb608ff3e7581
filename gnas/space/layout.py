"""A small layered layout of a DAG: layers, crossings few, boxes in line with what they are joined to.

Source: the steps of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
(1981), with barycentres for the order and averaged neighbours for the positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import networkx as nx

_SWEEPS = 12
_BEND_WIDTH = 14.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where boxes and lines go.

    Attributes:
        x: Centre of each node, from the left.
        layer: Layer of each node, from the top.
        routes: For each edge the points `(x, layer)` it passes, ends included.
        width: Of the whole.
        layers: How many.
    """

    x: Mapping[int, float]
    layer: Mapping[int, int]
    routes: Mapping[tuple[int, int], tuple[tuple[float, int], ...]]
    width: float
    layers: int


def lay_out(widths: Sequence[float], edges: Iterable[tuple[int, int]], gap: float = 26.0) -> Layout:
    """Lay out nodes `0 … n-1` of these widths, joined by `edges` (source, reader)."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(widths)))
    graph.add_edges_from(edges)
    layer = _layers(graph)
    bends, links = _split_long_edges(graph, layer)
    width = {n: widths[n] if n < len(widths) else _BEND_WIDTH for n in layer}
    rows: list[list[int]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in nx.lexicographical_topological_sort(links):
        rows[layer[node]].append(node)
    _order(rows, links)
    x = _positions(rows, links, width, gap)
    left = min(x[n] - width[n] / 2 for n in x)
    x = {n: v - left for n, v in x.items()}
    routes = {edge: tuple((x[n], layer[n]) for n in (edge[0], *bends.get(edge, ()), edge[1])) for edge in graph.edges}
    own = range(len(widths))
    return Layout(
        {n: x[n] for n in own}, {n: layer[n] for n in own}, routes, max(x[n] + width[n] / 2 for n in x), len(rows)
    )


def _layers(graph: nx.DiGraph[int]) -> dict[int, int]:
    """Longest path from a source; sources stand just above their first reader."""
    layer = {n: k for k, nodes in enumerate(nx.topological_generations(graph)) for n in nodes}
    for node in graph:
        if not graph.in_degree(node) and graph.out_degree(node):
            layer[node] = min(layer[r] for r in graph.successors(node)) - 1
    return layer


def _split_long_edges(
    graph: nx.DiGraph[int], layer: dict[int, int]
) -> tuple[dict[tuple[int, int], list[int]], nx.DiGraph[int]]:
    """Bends where an edge passes layers, and the graph with them; `layer` learns theirs."""
    links: nx.DiGraph[int] = nx.DiGraph()
    links.add_nodes_from(graph)
    bends: dict[tuple[int, int], list[int]] = {}
    fresh = len(graph)
    for source, reader in graph.edges:
        chain = [source]
        for level in range(layer[source] + 1, layer[reader]):
            layer[fresh] = level
            chain.append(fresh)
            fresh += 1
        bends[source, reader] = chain[1:]
        nx.add_path(links, [*chain, reader])
    return bends, links


def _order(rows: list[list[int]], links: nx.DiGraph[int]) -> None:
    """Sort each layer by the mean place of the neighbours, downwards and upwards in turn, keeping the best."""
    best, least = [list(r) for r in rows], _crossings(rows, links)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows[1:] if down else rows[-2::-1]:
            place = {n: k for r in rows for k, n in enumerate(r)}
            near = links.predecessors if down else links.successors
            means = {n: fmean([place[m] for m in near(n)] or [place[n]]) for n in row}
            row.sort(key=means.__getitem__)
        if (now := _crossings(rows, links)) < least:
            best, least = [list(r) for r in rows], now
    rows[:] = best


def _crossings(rows: list[list[int]], links: nx.DiGraph[int]) -> int:
    place = {n: k for r in rows for k, n in enumerate(r)}
    total = 0
    for row in rows:
        ends = [place[m] for n in row for m in sorted(links.successors(n), key=place.__getitem__)]
        total += sum(a > b for k, a in enumerate(ends) for b in ends[k + 1 :])
    return total


def _positions(
    rows: list[list[int]], links: nx.DiGraph[int], width: Mapping[int, float], gap: float
) -> dict[int, float]:
    """Centres: each box is drawn to its neighbours, boxes of a layer keep their order and distance."""
    x: dict[int, float] = {}
    for row in rows:
        total = sum(width[n] for n in row) + gap * (len(row) - 1)
        at = -total / 2
        for node in row:
            x[node] = at + width[node] / 2
            at += width[node] + gap
    for sweep in range(8 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for node in row:
                near = [*links.predecessors(node), *links.successors(node)]
                pull = [_pull(width[node], width[m]) for m in near]
                wanted.append(fmean([x[m] for m in near], pull) if near else x[node])
            x.update(zip(row, _spread(wanted, [width[n] for n in row], gap), strict=True))
    return x


def _pull(a: float, b: float) -> float:
    """How strongly neighbours of these widths want to stand in line: bends most, so that long lines run straight."""
    if a == b == _BEND_WIDTH:
        return 16.0
    return 0.25 if b == _BEND_WIDTH else 1.0


def _spread(wanted: Sequence[float], width: Sequence[float], gap: float) -> list[float]:
    """Positions near the wanted ones, in their order, that keep boxes apart: blocks that touch move to the mean of
    their wishes.
    """
    blocks: list[tuple[float, int, float]] = []
    """Sum of wishes relative to the block's first centre, members, extent from the first to the last centre."""
    starts: list[float] = []
    for k, wish in enumerate(wanted):
        blocks.append((wish, 1, 0.0))
        starts.append(wish)
        last = k
        while len(blocks) > 1:
            (sum_a, n_a, extent_a), (sum_b, n_b, extent_b) = blocks[-2:]
            first_b = last - n_b + 1
            step = extent_a + (width[first_b - 1] + width[first_b]) / 2 + gap
            if starts[-2] + step <= starts[-1]:
                break
            merged = (sum_a + sum_b - n_b * step, n_a + n_b, step + extent_b)
            blocks[-2:] = [merged]
            starts[-2:] = [merged[0] / merged[1]]
    found: list[float] = []
    for start, (_, members, _) in zip(starts, blocks, strict=True):
        at = start
        for m in range(members):
            if m:
                at += (width[len(found) - 1] + width[len(found)]) / 2 + gap
            found.append(at)
    return found
