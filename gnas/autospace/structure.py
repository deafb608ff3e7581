"""Everything known of a traced model, and what an assignment of its choices leaves of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import fx, nn

from gnas.autospace.cut import Cutter, Mask, Plan, Removal, narrowed, plan_of
from gnas.autospace.dimensions import Dimensions
from gnas.autospace.functional import op_name
from gnas.autospace.groups import Widths, widths_of
from gnas.autospace.joins import Depth, depth_of, join_kind, operands
from gnas.autospace.network import SubNetwork
from gnas.autospace.program import Traced

if TYPE_CHECKING:
    from gnas.autospace.atoms import Classes


@dataclass(frozen=True, slots=True)
class Structure:
    """A traced model with its choices.

    Attributes:
        traced: The model.
        dimensions: Channels of every value.
        classes: Channels that live and die together.
        widths: Width groups.
        depth: Units, bypasses, circuit.
    """

    traced: Traced
    dimensions: Dimensions
    classes: Classes
    widths: Widths
    depth: Depth

    @classmethod
    def of(cls, traced: Traced) -> Structure:
        """Analyse a traced model."""
        dimensions = Dimensions(traced)
        chain = not any(operands(p) for p in traced.programs)
        if chain:
            # In a plain chain a block can only be passed by where its channels are those of its input.
            for pairs in depth_of(traced, all_bypasses=True).bypassed:
                for after, before in pairs:
                    for a, b in zip(dimensions.dims(after), dimensions.dims(before), strict=True):
                        dimensions.tie(a, b)
        classes = dimensions.table.solve()
        ties = {node: _signature(dimensions, classes, node) for node in dimensions.of}
        depth = depth_of(traced, ties)
        return cls(traced, dimensions, classes, widths_of(traced, dimensions, classes), depth)

    @property
    def fingerprint(self) -> str:
        """Digest of the graphs and of the shapes of all tensors; values of weights are no part of it."""
        text = [self.traced.name]
        text += [f"{n}:{tuple(t.shape)}:{t.dtype}" for n, t in sorted(self.traced.tensors.items())]
        text += [f"{n.name} {n.target} {n.args}" for p in self.traced.programs for n in p.graph.nodes]
        return blake2b("\n".join(text).encode(), digest_size=16).hexdigest()

    def removal(self, units: Mask, bypasses: Mask, widths: np.ndarray) -> Removal:
        """What a row of choices removes: units kept `(unit,)`, bypasses taken `(bypass,)`, channels kept `(group,)`."""
        return Removal(units, bypasses, self.widths.kept_classes(self.classes, widths))

    def plan(self, removal: Removal, position: int = 0) -> Plan:
        """Which nodes of a program stay."""
        return plan_of(self.traced.programs[position], self.depth, position, removal)

    def cutter(self, removal: Removal, position: int = 0) -> Cutter:
        """What writes the graph of a sub-network."""
        program = self.traced.programs[position]
        return Cutter(program, self.plan(removal, position), self.dimensions, self.classes, removal.classes)

    def network(self, removal: Removal) -> SubNetwork:
        """The sub-network with copies of the weights it inherits."""
        graphs = {p.training: (p, self.cutter(removal, i).run()) for i, p in enumerate(self.traced.programs)}
        used: dict[str, None] = {}
        islands: dict[int, str] = {}
        numbers = {name: name for name in self.traced.islands}
        for program, graph in graphs.values():
            for node in graph.nodes:
                if node.op == "placeholder" and node.name in program.state:
                    used[program.state[node.name]] = None
                elif op_name(node) == "island":
                    islands[int(node.args[1])] = _island_name(node, numbers)
        tensors = {name: self.inherited(name, removal.classes) for name in self.traced.tensors if name in used}
        return SubNetwork(tensors, self.traced.persistent, graphs, islands)

    def inherited(self, name: str, classes: Mask) -> torch.Tensor:
        """A copy of the part of a parameter, buffer or constant that stays."""
        tensor = self.traced.tensors[name]
        masks = tuple(
            None if a is None else classes[self.classes.label[a]] for a in self.dimensions.tensors.get(name, ())
        )
        part = narrowed(tensor.detach(), masks)
        part = part.clone() if part.data_ptr() == tensor.data_ptr() else part
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(part, requires_grad=tensor.requires_grad)
        return part


def _island_name(node: fx.Node, names: dict[str, str]) -> str:
    from gnas.autospace.islands import island_of

    return names[island_of(int(node.args[1])).name]  # type: ignore[arg-type]


def _signature(dimensions: Dimensions, classes: Classes, node: fx.Node) -> object:
    """What the channels of a value are; two values with equal signatures can stand for each other."""
    dims = dimensions.dims(node)
    return tuple(None if a is None else classes.label[a].tobytes() for a in dims) if dims or not join_kind(node) else ()
