"""The proof of a sub-network: it equals the original with what was removed set to zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_flatten

from gnas.autospace.cut import Cutter, Plan, Removal
from gnas.autospace.joins import join_kind, read_by
from gnas.autospace.program import Program
from gnas.autospace.structure import Structure


class _Masked:
    """Runs the whole program of a model with zeros for what a sub-network lacks.

    Operands of joins that are dropped or dead read as zeros, bypassed values as what stands for them, and removed
    channels are
    zeros in every value that has them. No shape differs from the original's; nothing of the cut graph is used.
    """

    def __init__(self, structure: Structure, removal: Removal, program: Program, plan: Plan) -> None:
        self._plan, self._program = plan, program
        self._cutter = Cutter(program, plan, structure.dimensions, structure.classes, removal.classes)
        self._values: dict[fx.Node, Any] = {}

    def run(self, given: Mapping[str, Any]) -> list[Any]:
        """Flat outputs; `given` has a value for each placeholder."""
        for node in self._program.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = self._masked(node, given[node.name])
            elif node.op == "call_function":
                self._values[node] = self._masked(node, self._call(node))
        return [self._read(v) if isinstance(v, fx.Node) else v for v in self._program.outputs]

    def _read(self, node: fx.Node) -> Any:
        while node in self._plan.stands:
            node = self._plan.stands[node]
        return self._values[node]

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = fx.map_arg(node.args, self._read), fx.map_arg(node.kwargs, self._read)
        if join_kind(node):
            dropped = {i for i in range(len(read_by(node))) if (node, i) in self._plan.dropped}
            listed = join_kind(node) in {"cat", "stack"}
            given: Any = args[0] if listed else args
            zeroed = tuple(torch.zeros_like(v) if i in dropped else v for i, v in enumerate(given))
            args = (list(zeroed), *args[1:]) if listed else zeroed
        return node.target(*args, **kwargs)  # type: ignore[operator]

    def _masked(self, node: fx.Node, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        for axis, mask in enumerate(self._cutter.masks(node)):
            if mask is not None and not mask.all():
                shape = [-1 if i == axis else 1 for i in range(value.dim())]
                keep = torch.from_numpy(mask).to(value.device).reshape(shape)
                value = torch.where(keep, value, torch.zeros((), dtype=value.dtype, device=value.device))
        return value


def masked_original(structure: Structure, removal: Removal, *args: Any, **kwargs: Any) -> list[Any]:
    """Flat outputs of the original in evaluation mode with the removed parts set to zero."""
    program = structure.traced.evaluation
    plan = structure.plan(removal)
    flat = tree_flatten((args, kwargs))[0]
    given = {name: v for name, v in zip(program.inputs, flat, strict=True) if name is not None}
    tensors = {place: structure.traced.tensors[name].detach() for place, name in program.state.items()}
    with torch.no_grad():
        return _Masked(structure, removal, program, plan).run({**tensors, **given})


def difference(structure: Structure, removal: Removal) -> float:
    """Largest difference between a sub-network and the masked original on the example.

    Relative to the largest output.
    """
    network = structure.network(removal).eval()
    args, kwargs = structure.traced.example
    expected = masked_original(structure, removal, *args, **kwargs)
    with torch.no_grad():
        got = tree_flatten(network(*args, **kwargs))[0]
    worst = 0.0
    for a, b in zip(got, expected, strict=True):
        if isinstance(a, Tensor) and a.numel():
            scale = max(float(b.abs().max()), 1.0) if (b.is_floating_point() or b.is_complex()) else 1.0
            worst = max(worst, float((a.to(torch.complex128) - b.to(torch.complex128)).abs().max()) / scale)
    return worst
