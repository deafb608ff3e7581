"""A whole model with gates on its channels, on the operands of its joins and on its bypasses.

A closed gate is an exact zero: the gate of a channel multiplies every weight that the channel indexes, that of an
operand the operand, that of a bypass chooses between a value and what stands for it. So the gradient with respect to
the gates tells what each costs to lose, whatever function trains the network, and closing them slowly while it trains
leads to a sub-network without a jump.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_unflatten

from gnas.autospace.cut import Removal, program_operands
from gnas.autospace.functional import ATEN, op_name
from gnas.autospace.islands import island_of
from gnas.autospace.network import IslandCall, as_inputs, compiled, holder_of
from gnas.autospace.program import Program, value_of
from gnas.autospace.structure import Structure

Column = NDArray[np.float64]
_RECENT = 16


@dataclass(frozen=True, slots=True)
class Pull:
    """Gradients of one backward with respect to open gates: what the loss gains, to first order, from closing them.

    Attributes:
        classes: `(class,)`, products left to their factors.
        units: `(unit,)`.
        bypasses: `(bypass,)`.
    """

    classes: Column
    units: Column
    bypasses: Column


Listener = Callable[[Pull], None]


class GatedNetwork(nn.Module):
    """The model with copies of its tensors, under their names, and gates that are all open.

    Args:
        structure: The model.

    Attributes:
        listener: Is told of the gates' gradients after each backward in training; None for nobody.
        steps: Forwards in training with gradients so far.
        recent: Arguments by position and by name of the last of them.
    """

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        traced = structure.traced
        for name, tensor in traced.tensors.items():
            holder, leaf = holder_of(self, name)
            copied = tensor.detach().clone()
            if isinstance(tensor, nn.Parameter):
                holder.register_parameter(leaf, nn.Parameter(copied, requires_grad=tensor.requires_grad))
            else:
                holder.register_buffer(leaf, copied, persistent=name in traced.persistent)
        for number in sorted({n for p in traced.programs for n in island_numbers(p.graph)}):
            holder, leaf = holder_of(self, island_of(number).name)
            holder.add_module(leaf, IslandCall(number))
        self._structure = structure
        self._removable = np.flatnonzero(~structure.classes.frozen)
        place = np.full(len(structure.classes.frozen), len(self._removable), dtype=np.int64)
        place[self._removable] = np.arange(len(self._removable))
        self._axes = {name: _axes(structure, name, place, len(self._removable)) for name in traced.tensors}
        self._programs = {
            p.training: _Gated(structure, p, position, len(self._removable) + 1)
            for position, p in enumerate(traced.programs)
        }
        whole = nothing(structure)
        self._before = self._after = {mode: program.values(whole) for mode, program in self._programs.items()}
        self._begun, self._length = 0, 0
        self.listener: Listener | None = None
        self.steps = 0
        self.recent: deque[tuple[tuple[Any, ...], dict[str, Any]]] = deque(maxlen=_RECENT)

    @contextmanager
    def closed(self, removal: Removal) -> Iterator[None]:
        """While open, gates are those of a sub-network; nothing is recorded."""
        kept = (self._before, self._after, self._begun, self._length)
        self.close(removal, 0)
        try:
            with torch.no_grad():
                yield
        finally:
            self._before, self._after, self._begun, self._length = kept

    def close(self, removal: Removal, steps: int) -> None:
        """Begins to close the gates of what a sub-network lacks, linearly to zero over `steps` training forwards."""
        self._before = {mode: self._now(mode) for mode in self._programs}
        self._after = {mode: program.values(removal) for mode, program in self._programs.items()}
        self._begun, self._length = self.steps, steps

    def closing(self) -> bytes:
        """What is being closed or is closed, over how many steps: equal for equal decisions."""
        return b"".join(
            [*(self._after[mode].tobytes() for mode in sorted(self._after)), bytes(str(self._length), "ascii")]
        )

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by the model's names, as they are trained now; not copies."""
        own = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return {name: own[name] for name in self._structure.traced.tensors}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns, in the same structure."""
        mode = self.training if self.training in self._programs else False
        gated = self._programs[mode]
        gates = torch.from_numpy(self._now(mode)).to(torch.float32)
        if self.training and torch.is_grad_enabled():
            self.steps += 1
            self.recent.append((args, kwargs))
            if self.listener is not None:
                gates.requires_grad_()
                gates.register_hook(lambda grad: self._tell(gated, gates.detach(), grad))  # type: ignore[no-untyped-call]
        values = {place: self._weight(name, gates) for place, name in gated.program.state.items()}
        inputs = as_inputs(gated.program, args, kwargs)
        given = [gates if n == gated.gates else values[n] if n in values else inputs[n] for n in gated.order]
        return tree_unflatten(list(gated.call(self, *given)), gated.program.out_spec)

    def _now(self, mode: bool) -> Column:
        before, after = self._before[mode], self._after[mode]
        done = min(1.0, (self.steps - self._begun) / self._length) if self._length else 1.0
        return before + (after - before) * done if done < 1 else after

    def _weight(self, name: str, gates: Tensor) -> Tensor:
        """A tensor of the model times the gates of the channels that it is indexed by."""
        holder, leaf = holder_of(self, name)
        tensor: Tensor = getattr(holder, leaf)
        mask: Tensor | None = None
        for shape, places in self._axes[name]:
            axis = gates[places].reshape(shape)
            mask = axis if mask is None else mask * axis
        return tensor if mask is None else tensor * mask.to(tensor.device, tensor.dtype)

    def _tell(self, gated: _Gated, gates: Tensor, gradient: Tensor) -> None:
        if self.listener is None:
            return
        pulled = (gradient.detach() * gates).double().cpu().numpy()
        classes = np.zeros(len(self._structure.classes.frozen))
        classes[self._removable] = pulled[: len(self._removable)]
        for whole, factors in self._structure.classes.products:
            for axis, factor in enumerate(factors):
                rest = tuple(i for i in range(whole.ndim) if i != axis)
                np.add.at(classes, factor, classes[whole].sum(axis=rest))
        units, bypasses = gated.by_choice(pulled)
        self.listener(Pull(classes, units, bypasses))


class _Gated:
    """One program with a gate on each operand of a join that may be dropped and on each bypass.

    Args:
        structure: The model.
        program: The program; it is copied.
        position: Which one of the model.
        first: Gates before those of operands: of removable classes, and one that is always open.

    Attributes:
        program: As given.
        order: Names of the placeholders of `call`, in order.
        gates: The one among them for the gates.
        call: Takes the module and the placeholders' values; returns flat outputs.
    """

    gates = "all_gates"

    def __init__(self, structure: Structure, program: Program, position: int, first: int) -> None:
        self.program = program
        self._structure, self._position, self._first = structure, position, first
        self._operands: list[tuple[fx.Node, int, int]] = [
            (operand.join, key[3], structure.depth.unit_of.get(key, -1))
            for key, operand in program_operands(program).items()
            if _floating(operand.source)
        ]
        self._pairs = structure.depth.bypassed[position]
        graph = self._graph()
        self.order = [node.name for node in graph.nodes if node.op == "placeholder"]
        self.call = compiled(graph)

    def values(self, removal: Removal) -> Column:
        """Gates of a sub-network, open or closed: of removable classes, one always open, operands, bypasses."""
        dropped = self._structure.plan(removal, self._position).dropped
        classes = removal.classes[~self._structure.classes.frozen].astype(np.float64)
        operands = [float((join, i) not in dropped) for join, i, _ in self._operands]
        return np.concatenate([classes, [1.0], operands, 1.0 - removal.bypasses.astype(np.float64)])

    def by_choice(self, values: Column) -> tuple[Column, Column]:
        """Sums over the operands of each unit, `(unit,)`, and what each bypass has, `(bypass,)`."""
        units = np.zeros(len(self._structure.depth.units))
        middle = self._first + len(self._operands)
        for value, (_, _, unit) in zip(values[self._first : middle].tolist(), self._operands, strict=True):
            if unit >= 0:
                units[unit] += value
        return units, values[middle:]

    def _graph(self) -> fx.Graph:
        graph = fx.Graph()
        gates = graph.placeholder(self.gates)
        gate_of = {(join, i): self._first + k for k, (join, i, _) in enumerate(self._operands)}
        past: dict[fx.Node, list[tuple[fx.Node, int]]] = {}
        for k, (after, before) in enumerate(self._pairs):
            past.setdefault(after, []).append((before, self._first + len(self._operands) + k))
        made: dict[fx.Node, fx.Node] = {}
        for node in self.program.graph.nodes:
            if node.op == "output":
                graph.output(tuple(made[v] if isinstance(v, fx.Node) else v for v in self.program.outputs))
                continue
            gated = {i: gate_of[node, i] for i in range(_n_reads(node)) if (node, i) in gate_of}
            made[node] = self._copied(graph, node, made, gates, gated)
            for before, k in past.get(node, ()):
                gate = graph.call_function(ATEN.select.int, (gates, 0, k))
                made[node] = graph.call_function(passed, (made[node], made[before], gate))
        return graph

    def _copied(
        self, graph: fx.Graph, node: fx.Node, made: Mapping[fx.Node, fx.Node], gates: fx.Node, gated: Mapping[int, int]
    ) -> fx.Node:
        """A node on what its inputs have become, gated operands times their gates."""
        if op_name(node) == "island":
            listed_inputs = fx.map_arg(node.args[0], lambda n: made[n])
            return graph.call_module(island_of(int(node.args[1])).name, (listed_inputs,))  # type: ignore[arg-type]
        copied = graph.node_copy(node, lambda n: made[n])
        if not gated:
            return copied
        listed = isinstance(copied.args[0], (list, tuple))
        reads = list(copied.args[0] if listed else copied.args)  # type: ignore[arg-type]
        with graph.inserting_before(copied):
            for i, k in gated.items():
                gate = graph.call_function(ATEN.select.int, (gates, 0, k))
                reads[i] = graph.call_function(opened, (reads[i], gate))
        copied.args = (reads, *copied.args[1:]) if listed else tuple(reads)
        return copied


def nothing(structure: Structure) -> Removal:
    """A removal that takes nothing away."""
    depth = structure.depth
    return Removal(
        np.ones(len(depth.units), dtype=np.bool_),
        np.zeros(len(depth.bypasses), dtype=np.bool_),
        np.ones(len(structure.classes.frozen), dtype=np.bool_),
    )


def island_numbers(graph: fx.Graph) -> list[int]:
    """Numbers of the islands that a graph calls."""
    return [int(node.args[1]) for node in graph.nodes if op_name(node) == "island"]


def opened(value: Tensor, gate: Tensor) -> Tensor:
    """A value through a gate."""
    return value * gate.to(value.device, value.dtype)


def passed(value: Tensor, instead: Tensor, gate: Tensor) -> Tensor:
    """A value while its gate is open, and what stands for it when it is closed."""
    if not value.is_floating_point():
        return value
    gate = gate.to(value.device, value.dtype)
    return value * gate + instead * (1 - gate)


def _floating(node: fx.Node) -> bool:
    value = value_of(node)
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _n_reads(node: fx.Node) -> int:
    if node.op != "call_function" or not node.args:
        return 0
    return len(node.args[0]) if isinstance(node.args[0], (list, tuple)) else len(node.args)


def _axes(structure: Structure, name: str, place: NDArray[np.int64], n: int) -> list[tuple[list[int], Tensor]]:
    """For each dimension of a parameter with removable channels: the shape to multiply with, and each index's gate."""
    tensor = structure.traced.tensors[name]
    if not isinstance(tensor, nn.Parameter):
        return []
    found = []
    for axis, atoms in enumerate(structure.dimensions.tensors.get(name, ())):
        if atoms is None:
            continue
        places: NDArray[np.int64] = place[structure.classes.label[atoms]]
        if (places < n).any():
            shape = [-1 if i == axis else 1 for i in range(tensor.dim())]
            found.append((shape, torch.from_numpy(places)))
    return found
