"""The reduced segment graph of a sub-network, as an `Architecture`.

A segment is a run of ops of one input each, from a fork or a join to the next (ASGNAS, Chen et al., arXiv 2305.18030,
section 3.1).
"""

from __future__ import annotations

import torch
from torch import fx

from gnas.architecture import Architecture, Node, Value
from gnas.autospace.cut import Cutter, Removal
from gnas.autospace.functional import op_name
from gnas.autospace.joins import join_kind, read_by
from gnas.autospace.program import module_of
from gnas.autospace.structure import Structure

_UNORDERED = frozenset({"add"})


def reduced(structure: Structure, removal: Removal) -> Architecture:
    """What is left of the model in evaluation mode, segment by segment; equal digests mean equal sub-networks.

    A segment's op is its computing ops in order; its parameters are the tensors it uses and the sizes it works on.
    """
    cutter = structure.cutter(removal)
    made = _Segments(structure, cutter)
    for node in structure.traced.evaluation.graph.nodes:
        if node.op == "placeholder" and node.name not in structure.traced.evaluation.state:
            made.start(node, "input", (("name", node.name),), [])
        elif node.op == "call_function" and node in cutter.plan.needed:
            made.add(node)
    outputs = [made.place(v) for v in structure.traced.evaluation.outputs if isinstance(v, fx.Node)]
    nodes, outputs = made.nodes(outputs)
    return Architecture(nodes, tuple(outputs))


class _Segments:
    def __init__(self, structure: Structure, cutter: Cutter) -> None:
        self._program, self._cutter = structure.traced.evaluation, cutter
        self._ops: list[list[str]] = []
        self._params: list[list[tuple[str, Value]]] = []
        self._inputs: list[list[int]] = []
        self._names: list[str] = []
        self._ordered: list[bool] = []
        self._segment: dict[fx.Node, int] = {}

    def place(self, node: fx.Node) -> int:
        """Segment of a value, what a bypass reads instead of it included."""
        while node in self._cutter.plan.stands:
            node = self._cutter.plan.stands[node]
        return self._segment[node]

    def start(self, node: fx.Node, op: str, params: tuple[tuple[str, Value], ...], inputs: list[int]) -> None:
        """A segment of its own."""
        self._segment[node] = len(self._ops)
        self._ops.append([op])
        self._params.append(list(params))
        self._inputs.append(inputs)
        self._names.append(module_of(node) or node.name)
        self._ordered.append(len(inputs) > 1 and join_kind(node) not in _UNORDERED)

    def add(self, node: fx.Node) -> None:
        """One live op: it goes on with the segment of its only operand where nothing else reads that.

        Else starts one.
        """
        dropped = self._cutter.plan.dropped
        reads = read_by(node) if join_kind(node) else node.all_input_nodes
        kept = [s for i, s in enumerate(reads) if s is not None and not (join_kind(node) and (node, i) in dropped)]
        values = [s for s in kept if self._is_value(s)]
        params = self._sizes(node, [s for s in kept if not self._is_value(s)])
        if not values and not params:
            self._segment[node] = -1
            return
        inputs = [self.place(s) for s in values if self.place(s) >= 0]
        lost = len(kept) < sum(s is not None for s in reads)
        if lost and len(values) == 1 and join_kind(node) in {"add", "sub"}:
            self._segment[node] = inputs[0] if inputs else -1
            return
        if len(inputs) == 1 and len(values) == 1 and self._only_reader(values[0], node):
            at = inputs[0]
            self._segment[node] = at
            self._ops[at].append(op_name(node))
            self._params[at].extend(params)
            return
        self.start(node, op_name(node), params, inputs)

    def _is_value(self, node: fx.Node) -> bool:
        if node.op == "placeholder":
            return node.name not in self._program.state
        return isinstance(node.meta.get("val"), (torch.Tensor, tuple, list))

    def _only_reader(self, value: fx.Node, reader: fx.Node) -> bool:
        end = value
        while end in self._cutter.plan.stands:
            end = self._cutter.plan.stands[end]
        users = {u for u in end.users if u in self._cutter.plan.needed}
        at = self._segment[end]
        return end is value and users == {reader} and self._ops[at][0] != "input" and end not in self._program.outputs

    def _sizes(self, node: fx.Node, sources: list[fx.Node]) -> tuple[tuple[str, Value], ...]:
        found: list[tuple[str, Value]] = []
        for source in sources:
            if source.op != "placeholder" or source.name not in self._program.state:
                continue
            name = self._program.state[source.name]
            counts = zip(self._cutter.counts(source), self._cutter.full(source), strict=True)
            size = tuple(f if c is None else c for c, f in counts)
            found.append((name, tuple(int(s or 0) for s in size)))
        return tuple(found)

    def nodes(self, outputs: list[int]) -> tuple[tuple[Node, ...], list[int]]:
        """Segments that an output needs, as nodes of an architecture."""
        needed, stack = set[int](), list(outputs)
        while stack:
            at = stack.pop()
            if at >= 0 and at not in needed:
                needed.add(at)
                stack.extend(self._inputs[at])
        order = sorted(needed)
        place = {old: new for new, old in enumerate(order)}
        nodes = tuple(
            Node(
                "+".join(self._ops[i]),
                tuple(sorted(dict(self._params[i]).items())),
                tuple(place[j] for j in self._inputs[i]),
                self._names[i],
                self._ordered[i],
            )
            for i in order
        )
        return nodes, [place[o] for o in outputs if o >= 0]
