"""A toy structure around a circuit: what is left of it as an architecture, and as a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from gnas.architecture import Architecture, Assignment, Node
from gnas.autospace.model_space import ON, ModelSpace
from gnas.autospace.records import DROP, Circuit, Unit, WidthGroup
from tests.autospace.circuits import alive_by_definition

WIDTH = 3


class ToyModel:
    """Ops are linear layers, joins are sums; the first ops are tied in pairs to width groups.

    Args:
        circuit: Its circuit.
        n_groups: How many width groups.
        n_bypasses: How many of the first ops can be passed by.
    """

    def __init__(self, circuit: Circuit, n_groups: int = 2, n_bypasses: int = 1) -> None:
        self.circuit = circuit
        ops = [i for i, gate in enumerate(circuit.gates) if gate.kind == "all" and len(gate.operands) == 1]
        self.units = tuple(Unit(f"unit {i}", "operand", f"block.{i}") for i in range(circuit.n_units))
        self.bypasses = tuple(Unit(f"bypass of {i}", "bypass", f"op.{i}") for i in ops[:n_bypasses])
        self.groups = tuple(
            WidthGroup(f"width {k}", 8, (2, 4, 8) if k % 3 else (4, 8), ((f"{i}.weight", 0),))
            for k, i in enumerate(ops[:n_groups])
        )
        self._bypass_of = dict(zip(ops, self.bypasses, strict=False))
        self._group_of = dict(zip(ops, self.groups, strict=False))

    def space(self, name: str = "toy", most_states: int = 20_000) -> ModelSpace:
        """Its sub-networks."""
        circuit, units, bypasses, groups = self.circuit, self.units, self.bypasses, self.groups
        text = repr((circuit, units, bypasses, groups))
        return ModelSpace(name, circuit, units, bypasses, groups, self.reduce, self.build, text, most_states)

    def reduce(self, assignment: Assignment) -> Architecture:
        """The live part that outputs need: inputs, ops with their width, sums."""
        values = dict(assignment)
        keeps = [values.get(unit.name) != DROP for unit in self.units]
        kept = np.array([keeps], dtype=np.bool_)
        alive = alive_by_definition(self.circuit, kept)[0].tolist()
        nodes: list[Node] = []
        place: dict[int, int] = {}
        for index, gate in enumerate(self.circuit.gates):
            sources = [place[s] for s, u in gate.operands if alive[s] and (u < 0 or keeps[u])]
            bypass = self._bypass_of.get(index)
            if not alive[index]:
                continue
            if gate.operands and len(set(sources)) == 1 and (gate.kind == "any" or self._passed(bypass, values)):
                place[index] = sources[0]
                continue
            group = self._group_of.get(index)
            params = (("gate", index), *((("width", values[group.name]),) if group else ()))
            op = ("op" if len(set(sources)) == 1 else "sum") if sources else "input"
            place[index] = len(nodes)
            params = params if sources else (("name", f"x{index}"),)
            nodes.append(Node(op, params, tuple(sorted(set(sources))), f"g{index}"))
        outputs = tuple(place[o] for o in self.circuit.outputs)
        return Architecture(tuple(nodes), outputs, assignment).pruned()

    @staticmethod
    def _passed(bypass: Unit | None, values: Mapping[str, object]) -> bool:
        return bypass is not None and values[bypass.name] == ON

    def build(self, architecture: Architecture) -> nn.Module:
        """Its module: one tensor in, one tensor an output."""
        return ToyNetwork(architecture)


class ToyNetwork(nn.Module):
    """The linear layers and sums of an architecture."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        ops = {str(i): _layer(node) for i, node in enumerate(architecture.nodes) if node.op == "op"}
        self.layers = nn.ModuleDict(ops)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Values of the outputs, each of the shape of `x`: `(batch, 3)`."""
        values: list[Tensor] = []
        for i, node in enumerate(self.architecture.nodes):
            read = [values[j] for j in node.inputs]
            total = torch.stack(read).sum(dim=0) if read else x
            values.append(self.layers[str(i)](total) if node.op == "op" else total)
        return [values[o] for o in self.architecture.outputs]


def _layer(node: Node) -> nn.Module:
    width = int(str(dict(node.params).get("width", 2)))
    return nn.Sequential(nn.Linear(WIDTH, width), nn.Linear(width, WIDTH))
