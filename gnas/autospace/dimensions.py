"""Which dimension of which value is made of which channels: one pass of every program through the rules of its ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import fx

from gnas.autospace.atoms import Atoms, AtomTable
from gnas.autospace.functional import op_name
from gnas.autospace.program import Program, Traced, static_shape, value_of

Dims = tuple[Atoms | None, ...]
"""Atoms of each dimension of a tensor; None where it is not tracked: size one, varying, or always whole."""
Rule = Callable[["Dimensions", fx.Node], None]

RULES: dict[str, Rule] = {}
"""What is known of ops, by name. An op without a rule freezes all it touches: fewer choices, never an invalid one."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register what an op of one of these names says about dimensions."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Dimensions:
    """Dimensions of all values of a model's programs.

    Attributes:
        table: The atoms.
        of: Dimensions of each node's tensor; for a node with several tensors a list of them.
        tensors: Dimensions of each parameter, buffer and constant by name, shared by the programs.
        unknown: Nodes whose op has no rule.
    """

    def __init__(self, traced: Traced) -> None:
        self.table = AtomTable()
        self.of: dict[fx.Node, Dims | list[Dims | None]] = {}
        self.tensors: dict[str, Dims] = {}
        self.unknown: list[fx.Node] = []
        load_rules()
        for program in traced.programs:
            self._pass(program, traced)

    def _pass(self, program: Program, traced: Traced) -> None:
        for node in program.graph.nodes:
            if node.op == "placeholder":
                name = program.state.get(node.name) if node.users else None
                self.of[node] = self._of_tensor(name, traced) if name is not None else self.none(node)
            elif node.op == "call_function":
                self.table.cause = node
                self._call(node)
            elif node.op == "output":
                self.table.cause = node
                for value in program.outputs:
                    if isinstance(value, fx.Node):
                        self.freeze(value)

    def _call(self, node: fx.Node) -> None:
        name = op_name(node)
        found = RULES.get(name)
        if found is None:
            if self.inputs(node):
                self.unknown.append(node)
            self.whole(node)
        else:
            found(self, node)
        if node not in self.of:
            self.of[node] = self.none(node)

    def _of_tensor(self, name: str, traced: Traced) -> Dims:
        if name not in self.tensors:
            tensor = traced.tensors[name]
            tracked = tensor.is_floating_point() or tensor.is_complex()
            self.tensors[name] = tuple(self.table.fresh(s) if s > 1 and tracked else None for s in tensor.shape)
        return self.tensors[name]

    def inputs(self, node: fx.Node) -> list[fx.Node]:
        """Nodes that `node` reads and that hold tensors."""
        return [n for n in node.all_input_nodes if n in self.of and not isinstance(value_of(n), (int, torch.SymInt))]

    def sizes(self, node: Any) -> tuple[int | None, ...]:
        """Sizes of the node's tensor, None where they vary."""
        return static_shape(value_of(node))

    def none(self, node: fx.Node) -> Any:
        """Untracked dimensions for the node's value or values."""
        value = value_of(node)
        if isinstance(value, (tuple, list)):
            return [tuple(None for _ in static_shape(v)) for v in value]
        return tuple(None for _ in static_shape(value))

    def dims(self, node: Any) -> Dims:
        """Dimensions of one tensor; empty for what is none."""
        found = self.of.get(node) if isinstance(node, fx.Node) else None
        return found if isinstance(found, tuple) else ()

    def set(self, node: fx.Node, dims: Sequence[Atoms | None]) -> None:
        """Give a node's tensor its dimensions; a size of one is never tracked."""
        sizes = self.sizes(node)
        if len(sizes) != len(dims) or any(d is not None and len(d) != s for d, s in zip(dims, sizes, strict=True)):
            self.whole(node)
            return
        self.of[node] = tuple(None if s == 1 else d for d, s in zip(dims, sizes, strict=True))

    def new(self, size: int | None) -> Atoms | None:
        """Fresh atoms for a dimension that an op makes."""
        return self.table.fresh(size) if size is not None and size > 1 else None

    def tie(self, a: Atoms | None, b: Atoms | None) -> Atoms | None:
        """Two dimensions are one: where either is untracked, the other is kept whole. Gives what stands for both."""
        if a is None or b is None or len(a) != len(b):
            self.keep(a)
            self.keep(b)
            return None
        self.table.tie(a, b)
        return a

    def keep(self, atoms: Atoms | None) -> None:
        """A dimension stays whole."""
        if atoms is not None:
            self.table.freeze(atoms)

    def freeze(self, node: fx.Node) -> None:
        """All dimensions of a node stay whole."""
        for dims in self._each(node):
            for atoms in dims:
                self.keep(atoms)

    def whole(self, node: fx.Node) -> None:
        """All that a node reads stays whole, and what it returns."""
        for source in self.inputs(node):
            self.freeze(source)
        self.of[node] = self.none(node)

    def _each(self, node: fx.Node) -> Iterator[Dims]:
        found = self.of.get(node, ())
        if isinstance(found, list):
            yield from (d for d in found if d is not None)
        else:
            yield found


def normalised(dim: int, rank: int) -> int:
    """A dimension counted from the front."""
    return dim + rank if dim < 0 else dim


def argument(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    """An argument of a call, by position or by name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def load_rules() -> None:
    """Register the rules of all ops."""
    from gnas.autospace import rules_contraction, rules_elementwise, rules_norm, rules_parts, rules_shape  # noqa: F401
