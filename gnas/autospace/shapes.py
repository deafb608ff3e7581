"""Shapes and types of a sub-network's outputs, for all sizes of a batch at once, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses import FakeTensor

from gnas.autospace.network import SubNetwork
from gnas.autospace.program import value_of


@dataclass(frozen=True, slots=True)
class OutputShape:
    """One output tensor.

    Attributes:
        shape: Its sizes as text; where they vary with the inputs, as expressions of symbols.
        dtype: Its type.
        original: The original's shape and type, in the same symbols.
    """

    shape: str
    dtype: str
    original: str

    @property
    def equal(self) -> bool:
        """Whether it is the original's."""
        return f"{self.dtype} {self.shape}" == self.original


def output_shapes(network: SubNetwork, *, training: bool = False) -> tuple[OutputShape, ...]:
    """The outputs' shapes, found by passing symbols for the sizes that vary through the graph.

    The same symbols stand for the same sizes as in the trace of the original, so equal text is equality for every
    batch that the trace allows.

    Raises:
        Exception: An operation cannot be carried out on symbols, whatever it raises.
    """
    program, graph = network.program(training=training), network.graph(training=training)
    example = next(v for n in program.graph.nodes if isinstance(v := value_of(n), FakeTensor))
    mode = example.fake_mode
    given = {n.name: value_of(n) for n in program.graph.nodes if n.op == "placeholder"}
    values: dict[fx.Node, Any] = {}
    found: tuple[Any, ...] = ()
    with mode, torch.no_grad():
        for node in graph.nodes:
            if node.op == "placeholder":
                values[node] = given[node.name]
            elif node.op == "get_attr":
                values[node] = mode.from_tensor(_attribute(network, str(node.target)), static_shapes=True)
            elif node.op == "output":
                found = fx.map_arg(tuple(node.args[0]), lambda n: values[n])
            elif node.op == "call_module":
                number = network.get_submodule(str(node.target)).number
                values[node] = torch.ops.gnas.island(fx.map_arg(node.args[0], lambda n: values[n]), number)
            else:
                args, kwargs = (fx.map_arg(a, lambda n: values[n]) for a in (node.args, node.kwargs))
                values[node] = node.target(*args, **kwargs)
    pairs = zip(found, program.outputs, strict=True)
    return tuple(_output(a, value_of(b)) for a, b in pairs if isinstance(a, Tensor) and isinstance(b, fx.Node))


def _output(value: Tensor, original: Any) -> OutputShape:
    return OutputShape(_shape(value), str(value.dtype), f"{original.dtype} {_shape(original)}")


def _shape(value: Tensor) -> str:
    return f"({', '.join(str(s) for s in value.shape)})"


def _attribute(network: SubNetwork, name: str) -> Tensor:
    found: Any = network
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]
