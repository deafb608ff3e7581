"""The compiled form of a space: one graph that holds every architecture, with the condition of each part.

Decoding one row and digesting a batch both evaluate it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import (
    IDENTITY,
    NONE,
    OUTPUT_LABEL,
    Architecture,
    Assignment,
    Node,
    Value,
    label_text,
    label_words,
)
from gnas.canonical import canonical_digests, group_rows
from gnas.space.cube import ALWAYS, Cube
from gnas.space.protocol import Choice, Codes
from gnas.space.pruned import Graphs, needed
from gnas.space.tree import AssignmentTree
from gnas.space.wiring import LabelTables, Wire, Wiring

Label = tuple[str, tuple[tuple[str, Value], ...]]
"""Op and parameters of a node."""

_NEW_LABEL = Lock()
"""Spaces may be used from several threads; kept out of the instances so that they can be pickled."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value that may depend on choices.

    Attributes:
        const: The value, where `choice` is empty.
        choice: The choice whose value it is, or that selects among `cases`.
        cases: Terms by value of the choice; empty to take the value itself.
    """

    const: Value = None
    choice: str = ""
    cases: tuple[tuple[Value, Term], ...] = ()

    def choices(self) -> Iterator[str]:
        """The choices it reads."""
        if self.choice:
            yield self.choice
        for _, term in self.cases:
            yield from term.choices()

    def value(self, taken: Mapping[str, Value]) -> Value:
        """Its value where the choices took the values `taken`."""
        if not self.choice:
            return self.const
        value = taken[self.choice]
        if not self.cases:
            return value
        return next(term for key, term in self.cases if key == value and type(key) is type(value)).value(taken)


@dataclass(frozen=True, slots=True)
class Supernode:
    """A node of the compiled graph.

    Attributes:
        name: Readable place in the space.
        op: Which op.
        params: Name, condition and value of each parameter.
        wires: Its inputs.
        when: Where it is present.
        ordered: Whether the order of its inputs matters.
        place: Where it stands in the YAML.
    """

    name: str
    op: Term
    params: tuple[tuple[str, Cube, Term], ...] = ()
    wires: tuple[Wire, ...] = ()
    when: Cube = ALWAYS
    ordered: bool = False
    place: str = ""

    def label_choices(self) -> tuple[str, ...]:
        """Choices its op and parameters depend on, sorted."""
        names = set(self.op.choices())
        for _, cube, term in self.params:
            names.update(name for name, _ in cube)
            names.update(term.choices())
        return tuple(sorted(names))

    def label(self, taken: Mapping[str, Value], codes: Mapping[str, int]) -> Label:
        """Op and parameters where the active choices took the values `taken` with the indices `codes` (−1 inactive)."""
        params = [
            (name, term.value(taken)) for name, cube, term in self.params if all(codes[c] in ok for c, ok in cube)
        ]
        return str(self.op.value(taken)), tuple(sorted(params, key=lambda p: p[0]))


class Program:
    """Evaluates the compiled graph of a space.

    Args:
        choices: The choices, parents before children.
        nodes: The supernodes, in topological order.
        outputs: What the model returns.
    """

    def __init__(self, choices: Iterable[Choice], nodes: Iterable[Supernode], outputs: Iterable[Wire]) -> None:
        self.choices, self.nodes, self.outputs = tuple(choices), tuple(nodes), tuple(outputs)
        self._index = {c.name: i for i, c in enumerate(self.choices)}
        self._sizes = {c.name: len(c.values) for c in self.choices}
        self.label_choices = tuple(node.label_choices() for node in self.nodes)
        self._label_ids: dict[str, int] = {}
        self._labels: list[Label] = []
        self._label_words: list[tuple[int, int]] = []
        self._tables: list[dict[tuple[int, ...], int]] = [{} for _ in self.nodes]
        self._vanishing: list[bool] = []
        self._bypassed: list[bool] = []
        self._label_flags = np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)

    @property
    def labels(self) -> Sequence[Label]:
        """Op and parameters of each label met so far; `Graphs.labels` are indices into it."""
        return self._labels

    def graphs(self, codes: Codes, bypass: bool = True) -> Graphs:
        """The pruned graphs of `codes`, shape `(n, choice)`; without `bypass`, `identity` nodes stay in their place."""
        codes = np.asarray(codes, dtype=np.int16)
        n, size = len(codes), len(self.nodes)
        present, sources = self._wiring(codes)
        labels = self._label_tables(codes, present)
        for i in np.flatnonzero(~self._label_tables.covered).tolist():
            labels[i] = self._label_column(i, codes, present[i])
        vanishing, bypassed = self._flags()
        alive_if_fed = present & ~vanishing[labels]
        passing = alive_if_fed & bypassed[labels] if bypass and any(self._bypassed) else None
        # NOTE: the last row answers index −1 (no node): it stays −1.
        stands_for = np.full((size + 1, n), -1, dtype=np.int32)
        rows = np.arange(n)
        wire_of = iter(zip(self._wiring.fixed, sources, strict=True))
        reads: list[tuple[NDArray[np.int32], ...]] = []
        for i, node in enumerate(self.nodes):
            wires = tuple(_followed(*next(wire_of), stands_for, rows) for _ in node.wires)
            alive = alive_if_fed[i]
            if wires:
                alive = alive & (reduce(np.maximum, wires) >= 0)
            np.copyto(stands_for[i], np.int32(i), where=alive)
            if passing is not None and wires and passing[i].any():
                passes = alive & passing[i] & (np.sum([w >= 0 for w in wires], axis=0) == 1)
                np.copyto(stands_for[i], reduce(np.maximum, wires), where=passes)
            reads.append(wires)
        outputs = tuple(_followed(*next(wire_of), stands_for, rows) for _ in self.outputs)
        complete = np.logical_and.reduce([o >= 0 for o in outputs])
        outputs = tuple(np.where(complete, o, np.int32(-1)) for o in outputs)
        return Graphs(needed(size, reads, outputs, rows), labels, tuple(reads), outputs)

    @cached_property
    def _wiring(self) -> Wiring:
        wires = [*(wire for node in self.nodes for wire in node.wires), *self.outputs]
        return Wiring([node.when for node in self.nodes], wires, self._index, self._sizes)

    @cached_property
    def _label_tables(self) -> LabelTables:
        return LabelTables(self.choices, self.label_choices, self._label_id)

    def live_choices(self, codes: Codes, graphs: Graphs | None = None) -> NDArray[np.bool_]:
        """Which active choices have a say in the pruned graph; shape `(n, choice)`.

        A choice has none where all that it labels, wires or makes present is dead.

        Args:
            codes: Shape `(n, choice)`.
            graphs: Their graphs, if they are at hand.
        """
        if graphs is None or any(self._bypassed):
            graphs = self.graphs(codes, bypass=False)
        live = np.zeros((len(self.choices), len(codes)), dtype=bool)
        for choices, node in zip(self._mentions[:-1], graphs.live, strict=True):
            for choice in choices:
                live[choice] |= node
        for choice in self._mentions[-1]:
            live[choice] |= graphs.outputs[0] >= 0
        return live.T & (codes >= 0)

    @cached_property
    def _mentions(self) -> list[list[int]]:
        """Choices that each supernode depends on, and last those that the outputs do."""
        cubes = [[n.when, *(cube for wire in n.wires for cube, _ in wire)] for n in self.nodes]
        cubes.append([cube for wire in self.outputs for cube, _ in wire])
        labels = [*self.label_choices, ()]
        return [
            sorted({self._index[name] for name in {*names, *(name for cube in here for name, _ in cube)}})
            for names, here in zip(labels, cubes, strict=True)
        ]

    def _label_column(self, i: int, codes: Codes, present: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Label indices of one supernode, each combination of the choices it depends on evaluated once."""
        names = self.label_choices[i]
        column = np.full(len(codes), -1, dtype=np.int32)
        where = np.flatnonzero(present)
        if not where.size:
            return column
        if not names:
            column[where] = self._label_id(i, ())
            return column
        picked = codes[:, [self._index[name] for name in names]].astype(np.int64) + 1
        radices = [self._sizes[name] + 1 for name in names]
        key = np.zeros(len(codes), dtype=np.int64)
        span = 1
        for k, radix in enumerate(radices):
            if span * radix > 1 << 62:
                _, key = np.unique(key, return_inverse=True)
                span = int(key.max(initial=0)) + 1
            key = key * radix + picked[:, k]
            span *= radix
        if span > 4 * len(codes):
            _, key = np.unique(key, return_inverse=True)
            span = int(key.max(initial=0)) + 1
        firsts = np.full(span, -1, dtype=np.int64)
        firsts[key[where]] = where
        table = np.full(span, -1, dtype=np.int32)
        for k in np.flatnonzero(firsts >= 0).tolist():
            table[k] = self._label_id(i, tuple((picked[firsts[k]] - 1).tolist()))
        column[where] = table[key[where]]
        return column

    def _flags(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which labels vanish, and which are bypassed."""
        if len(self._label_flags[0]) < len(self._labels):
            known = len(self._labels)
            self._label_flags = np.array(self._vanishing[:known]), np.array(self._bypassed[:known])
        return self._label_flags

    def _label_id(self, i: int, picked: tuple[int, ...]) -> int:
        known = self._tables[i].get(picked)
        if known is not None:
            return known
        names, node = self.label_choices[i], self.nodes[i]
        codes = dict(zip(names, picked, strict=True))
        taken = {n: self.choices[self._index[n]].values[c] for n, c in codes.items() if c >= 0}
        op, params = node.label(taken, codes)
        self._tables[i][picked] = self._register(label_text(op, params, node.ordered), op, params)
        return self._tables[i][picked]

    def _register(self, text: str, op: str, params: tuple[tuple[str, Value], ...]) -> int:
        with _NEW_LABEL:
            if text not in self._label_ids:
                self._vanishing.append(op == NONE)
                self._bypassed.append(op == IDENTITY and not params)
                self._label_words.append(label_words(text))
                self._labels.append((op, params))
                self._label_ids[text] = len(self._labels) - 1
        return self._label_ids[text]

    def label_domain(self, i: int) -> NDArray[np.int32]:
        """Every label that supernode `i` can have where it is present; sorted."""
        names = self.label_choices[i]
        own = [replace(c, when=tuple(w for w in c.when if w[0] in names)) for c in self.choices if c.name in names]
        tree = AssignmentTree(own)
        order = [[c.name for c in own].index(n) for n in names]
        codes = tree.unrank(np.arange(tree.count))[:, order]
        return np.unique(np.array([self._label_id(i, tuple(row)) for row in codes.tolist()], dtype=np.int32))

    def domain_label(self, domain: NDArray[np.int32]) -> int:
        """A label that stands for any one of `domain`."""
        return self._register(f"any of {domain.tolist()}", "any", (("of", tuple(domain.tolist())),))

    def decode(self, code: Codes, assignment: Assignment) -> Architecture:
        """The pruned architecture of one row, shape `(choice,)`."""
        taken: list[int] = code.tolist()
        index = self._index

        def holds(cube: Cube) -> bool:
            return all(taken[index[name]] in codes for name, codes in cube)

        def follow(wires: Iterable[Wire]) -> list[int]:
            return [place[node] for wire in wires for cube, node in wire if node in place and (not cube or holds(cube))]

        nodes: list[Node] = []
        place: dict[int, int] = {}
        for i, node in enumerate(self.nodes):
            if node.when and not holds(node.when):
                continue
            inputs = follow(node.wires)
            if node.wires and not inputs:
                continue
            picked = tuple([taken[index[name]] for name in self.label_choices[i]])
            op, params = self._labels[self._label_id(i, picked)]
            place[i] = len(nodes)
            nodes.append(Node(op, params, tuple(inputs), node.name, node.ordered))
        outputs = follow(self.outputs)
        if len(outputs) < len(self.outputs):
            return Architecture((), (), assignment)
        return Architecture(tuple(nodes), tuple(outputs), assignment).pruned()

    def digests(self, codes: Codes) -> NDArray[np.bytes_]:
        """Canonical digests, `S32`, shape `(n,)`."""
        return self.digest_graphs(self.graphs(codes))

    def digest_graphs(self, graphs: Graphs) -> NDArray[np.bytes_]:
        """Canonical digests of pruned graphs, `S32`, shape `(n,)`; equal rows are canonicalised once."""
        if not graphs.live.shape[1]:
            return np.empty(0, dtype="S32")
        chosen, group = group_rows(graphs.rows())
        unique = np.empty(len(chosen), dtype="S32")
        sizes = graphs.live[:, chosen].sum(axis=0)
        for size in np.unique(sizes).tolist():
            these = np.flatnonzero(sizes == size)
            unique[these] = self._digests_of_size(graphs, chosen[these], size)
        return unique[group]

    def _digests_of_size(self, graphs: Graphs, rows: NDArray[np.int64], size: int) -> NDArray[np.bytes_]:
        words = np.array([*self._label_words, label_words(OUTPUT_LABEL)], dtype=np.uint64)
        live = graphs.live[:, rows]
        nodes = np.nonzero(live.T)[1].reshape(len(rows), size)
        taken = np.concatenate(
            [graphs.labels[nodes, rows[:, None]], np.full((len(rows), 1), len(words) - 1, dtype=np.int32)], axis=1
        )
        place = np.cumsum(live, axis=0) - 1
        edges = np.zeros((len(rows), size + 1, size + 1), dtype=self._edge_type())
        for i in np.flatnonzero(live.any(axis=1)).tolist():
            node, wires = self.nodes[i], graphs.reads[i]
            _connect(edges, place, np.where(live[i], place[i], -1), [w[rows] for w in wires], node.ordered)
        _connect(edges, place, np.full(len(rows), size), [o[rows] for o in graphs.outputs], True)
        return canonical_digests(words[taken], edges)

    def _edge_type(self) -> type[np.uint8] | type[np.uint64]:
        ordered = max([len(self.outputs), *(len(n.wires) for n in self.nodes if n.ordered)])
        unordered = max((len(n.wires) for n in self.nodes), default=0)
        return np.uint8 if ordered <= 8 and unordered < 256 else np.uint64


def _followed(
    fixed: int, sources: NDArray[np.int32], stands_for: NDArray[np.int32], rows: NDArray[np.int64]
) -> NDArray[np.int32]:
    """What a wire reads once dead and bypassed supernodes are left out, −1 for nothing; shape `(n,)`."""
    found: NDArray[np.int32] = stands_for[fixed] if fixed >= 0 else stands_for[sources, rows]
    return found


def _connect(
    edges: NDArray[np.unsignedinteger],
    place: NDArray[np.int64],
    reader: NDArray[np.int64],
    wires: list[NDArray[np.int32]],
    ordered: bool,
) -> None:
    """Write the inputs of one supernode into `edges`; `reader` is its place in each row, −1 where it is not live."""
    position = np.zeros(len(reader), dtype=np.uint64)
    for wire in wires:
        here = np.flatnonzero((wire >= 0) & (reader >= 0))
        kind = np.left_shift(np.uint64(1), position[here]) if ordered else np.uint64(1)
        edges[here, reader[here], place[wire[here], here]] += np.asarray(kind).astype(edges.dtype)
        position[here] += np.uint64(1)
