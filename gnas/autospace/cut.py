"""Cut a program down to a sub-network: dead ops out, joins read what is left, sizes in calls rewritten.

Why the result always runs: along the topological order every surviving value keeps its type, its rank and, in each
dimension, exactly the
channels that all its readers were told of. Ops that need all operands are only kept with all of them; joins lose
operands of
equal shape, or zeros stand in for them. Channels are removed class by class, and a class is everywhere or nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from gnas.autospace.atoms import Atoms, Classes
from gnas.autospace.dimensions import Dimensions
from gnas.autospace.functional import ATEN, op_name
from gnas.autospace.joins import Depth, Key, join_kind, operands, read_by
from gnas.autospace.program import Program
from gnas.autospace.rewrites import REWRITES

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken from a model.

    Attributes:
        units: Which units are kept, `(unit,)`.
        bypasses: Which bypasses are taken, `(bypass,)`.
        classes: Which classes of channels are kept, `(class,)`.
    """

    units: Mask
    bypasses: Mask
    classes: Mask


@dataclass(frozen=True, slots=True)
class Plan:
    """Which nodes of one program a sub-network has.

    Attributes:
        live: Nodes whose value exists.
        needed: Live nodes that an output reads, directly or not.
        stands: What is read in place of a node's value where a bypass is taken.
        dropped: Places `(join, operand)` of joins whose operand is dropped or dead.
    """

    live: frozenset[fx.Node]
    needed: frozenset[fx.Node]
    stands: Mapping[fx.Node, fx.Node]
    dropped: frozenset[tuple[fx.Node, int]]


def plan_of(program: Program, depth: Depth, position: int, removal: Removal) -> Plan:
    """Liveness forward, need backward.

    Args:
        program: One program of the model.
        depth: Units and bypasses.
        position: Which program of the model it is.
        removal: What is taken away.
    """
    gone = _gone(program, depth.unit_of, removal.units)
    stands = {a: b for (a, b), taken in zip(depth.bypassed[position], removal.bypasses, strict=True) if taken}
    live: set[fx.Node] = set()
    dropped: set[tuple[fx.Node, int]] = set()
    for node in program.graph.nodes:
        if node.op == "output":
            continue
        if node in stands and _end(stands, node) in live:
            live.add(node)
        reads = read_by(node) if join_kind(node) else None
        if reads is None:
            if all(s in live for s in node.all_input_nodes):
                live.add(node)
            continue
        lost = {i for i, s in enumerate(reads) if s is not None and (s not in live or (node, i) in gone)}
        dropped.update((node, i) for i in lost)
        if len(lost) < sum(s is not None for s in reads) and all(_may_lose(node, i, program) for i in lost):
            live.add(node)
    return Plan(frozenset(live), _needed(program, live, stands, dropped), stands, frozenset(dropped))


def _gone(program: Program, unit_of: Mapping[Key, int], kept: Mask) -> set[tuple[fx.Node, int]]:
    found = program_operands(program)
    return {(o.join, k[3]) for k, o in found.items() if k in unit_of and not kept[unit_of[k]]}


def program_operands(program: Program) -> Mapping[Key, Any]:
    """`operands`, kept with the graph."""
    cached: Mapping[Key, Any] | None = getattr(program.graph, "_gnas_operands", None)
    if cached is None:
        cached = operands(program)
        program.graph._gnas_operands = cached  # type: ignore[attr-defined]
    return cached


def _may_lose(node: fx.Node, index: int, program: Program) -> bool:
    free: set[tuple[fx.Node, int]] | None = getattr(program.graph, "_gnas_free", None)
    if free is None:
        free = {(o.join, k[3]) for k, o in program_operands(program).items()}
        program.graph._gnas_free = free  # type: ignore[attr-defined]
    return (node, index) in free


def _end(stands: Mapping[fx.Node, fx.Node], node: fx.Node) -> fx.Node:
    while node in stands:
        node = stands[node]
    return node


def _needed(
    program: Program, live: set[fx.Node], stands: Mapping[fx.Node, fx.Node], dropped: set[tuple[fx.Node, int]]
) -> frozenset[fx.Node]:
    needed: set[fx.Node] = set()
    stack = [_end(stands, v) for v in program.outputs if isinstance(v, fx.Node)]
    while stack:
        node = stack.pop()
        if node in needed:
            continue
        needed.add(node)
        if join_kind(node):
            reads = [s for i, s in enumerate(read_by(node)) if s is not None and (node, i) not in dropped]
        else:
            reads = node.all_input_nodes
        stack.extend(_end(stands, s) for s in reads if s in live)
    return frozenset(needed)


class Cutter:
    """Writes the graph of a sub-network.

    Args:
        program: What is cut.
        plan: Which nodes stay.
        dimensions: Channels of every value.
        classes: Solved channels.
        kept: Which classes stay, `(class,)`.
    """

    def __init__(self, program: Program, plan: Plan, dimensions: Dimensions, classes: Classes, kept: Mask) -> None:
        self.program, self.plan = program, plan
        self._dimensions, self._label, self._kept = dimensions, classes.label, kept
        self.graph = fx.Graph()
        self._made: dict[fx.Node, fx.Node] = {}

    def kept(self, atoms: Atoms) -> Mask:
        """Which indices of a dimension stay."""
        mask: Mask = self._kept[self._label[atoms]]
        return mask

    def masks(self, node: fx.Node) -> tuple[Mask | None, ...]:
        """Which indices of each dimension of a node's tensor stay; None for all."""
        return tuple(None if a is None else self.kept(a) for a in self._dimensions.dims(node))

    def counts(self, node: fx.Node) -> tuple[int | None, ...]:
        """How many do; None where a dimension varies or is untracked."""
        return tuple(None if m is None else int(m.sum()) for m in self.masks(node))

    def full(self, node: fx.Node) -> tuple[int | None, ...]:
        """Sizes in the original."""
        return self._dimensions.sizes(node)

    def made(self, node: fx.Node) -> fx.Node:
        """What stands for a node of the original in the new graph."""
        return self._made[_end(self.plan.stands, node)]

    def run(self) -> fx.Graph:
        """The new graph; tensors of the model are placeholders still, with the names they had."""
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._made[node] = self.graph.node_copy(node)
                self._made[node].meta = dict(node.meta)
            elif node.op == "output":
                flat = tuple(self.made(v) if isinstance(v, fx.Node) else v for v in self.program.outputs)
                self.graph.output(flat)
            elif node in self.plan.needed:
                made = self._join(node) if join_kind(node) else self._call(node)
                made.meta.setdefault("nn_module_stack", node.meta.get("nn_module_stack"))
                self._made[node] = made
        for node in list(self.graph.nodes):
            if node.op == "placeholder" and not node.users and node.name in self.program.state:
                self.graph.erase_node(node)
        return self.graph

    def _call(self, node: fx.Node) -> fx.Node:
        rewrite = REWRITES.get(op_name(node))
        if rewrite is not None:
            found = rewrite(self, node)
            if found is not None:
                return found
        return self.copy(node)

    def copy(self, node: fx.Node) -> fx.Node:
        """The same call on what its inputs have become."""
        made = self.graph.node_copy(node, self.made)
        made.meta = dict(node.meta)
        return made

    def call(self, target: Any, *args: Any) -> fx.Node:
        """A new call; nodes of the original in `args` are replaced."""
        return self.graph.call_function(target, fx.map_arg(args, self._replace))

    def _replace(self, node: fx.Node) -> fx.Node:
        return node if node.graph is self.graph else self.made(node)

    def _join(self, node: fx.Node) -> fx.Node:
        kind, reads = join_kind(node), read_by(node)
        lost = [i for i in range(len(reads)) if (node, i) in self.plan.dropped]
        if not lost:
            return self._call(node)
        if kind in {"add", "sub"}:
            return self._remaining(node, reads, 1 - lost[0])
        left = next(s for i, s in enumerate(reads) if s is not None and i not in lost)
        axis = int(node.args[1]) if len(node.args) > 1 else int(node.kwargs.get("dim", 0))  # type: ignore[arg-type]
        parts = [self.made(s) if i not in lost else self._zeros(s, left, axis if kind == "cat" else None)
                 for i, s in enumerate(reads) if s is not None]  # fmt: skip
        return self.graph.call_function(node.target, (parts, axis))  # type: ignore[arg-type]

    def _remaining(self, node: fx.Node, reads: list[fx.Node | None], index: int) -> fx.Node:
        """What a sum is without its other operand."""
        other = reads[index]
        alpha = node.kwargs.get("alpha", 1)
        scale = (alpha if index == 1 else 1) * (-1 if join_kind(node) == "sub" and index == 1 else 1)  # type: ignore[operator]
        if not isinstance(other, fx.Node):
            raise AssertionError("a sum without operands is not live")
        return self.made(other) if scale == 1 else self.call(ATEN.mul.Scalar, other, scale)

    def _zeros(self, lost: fx.Node, left: fx.Node, axis: int | None) -> fx.Node:
        """Zeros of the shape of what is lost, for a join that lines its operands up."""
        if axis is None:
            return self.call(ATEN.zeros_like.default, left)
        rank = len(self.full(lost))
        size = self.counts(lost)[axis] or self.full(lost)[axis]
        if size is None:
            raise AssertionError("operands of varying size along the joined dimension are not droppable")
        made = self.call(ATEN.slice.Tensor, left, axis % rank, 0, 1)
        shape = [-1] * rank
        shape[axis % rank] = size
        zero = self.call(ATEN.zeros_like.default, made)
        return self.call(ATEN.expand.default, zero, shape)


def narrowed(tensor: torch.Tensor, masks: tuple[Mask | None, ...]) -> torch.Tensor:
    """The part of a tensor that stays, as a view or a copy."""
    for axis, mask in enumerate(masks):
        if mask is not None and not mask.all():
            index = torch.from_numpy(np.flatnonzero(mask)).to(tensor.device)
            tensor = tensor.index_select(axis, index)
    return tensor
