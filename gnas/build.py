"""From an `Architecture` to a network: types inferred node by node, then one module a node in topological order."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import nn

from gnas.architecture import Architecture, Node
from gnas.blueprint import build_layer
from gnas.errors import InvalidShapeError, SpaceError
from gnas.fills import LateFills
from gnas.ops import Layer, Op, TensorType

__all__ = ["Network", "NetworkLayer", "build_network", "infer_types"]

_INPUT = "input"
_NOT_IDENTIFIER = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class NetworkLayer:
    """One computing node of a network: `name = self.name(*inputs, *context)`, with which an exporter writes plain code.

    Attributes:
        node: Index of the node in the architecture.
        name: Attribute that holds the module, hence the prefix of its keys in `state_dict`, and name of its value.
        layer: The module as a call.
        inputs: Names of the values it reads, in order: model inputs or names of earlier layers.
        context: Model inputs it reads after those.
    """

    node: int
    name: str
    layer: Layer
    inputs: tuple[str, ...]
    context: tuple[str, ...]


class Network(nn.Module):
    """The network of an architecture.

    Attributes:
        architecture: What it was built from.
        types: Type of every node's value, in the order of the nodes.
        layers: The computing nodes in the order they run.
        input_names: Model inputs, in the order of `forward`.
        output_name: Name of the value that is returned.
        steps: For every layer its name, the names of its arguments, and the values nobody reads after it.
    """

    def __init__(
        self,
        architecture: Architecture,
        types: tuple[TensorType, ...],
        layers: tuple[NetworkLayer, ...],
        input_names: tuple[str, ...],
        output_name: str,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.types = types
        self.layers = layers
        self.input_names = input_names
        self.output_name = output_name
        fills = LateFills(int(torch.randint(2**62, (), device="cpu")))
        for layer in layers:
            self.add_module(layer.name, build_layer(layer.layer, fills))
        fills.draw()
        self.steps = _steps(layers, input_names, output_name)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The output for all declared model inputs, given in the order of `input_names` (the unused ones too).

        Raises:
            InvalidShapeError: Another number of inputs than declared.
        """
        if len(inputs) != len(self.input_names):
            raise InvalidShapeError("forward", f"{len(inputs)} inputs", f"{len(self.input_names)}: {self.input_names}")
        values = dict(zip(self.input_names, inputs, strict=True))
        modules = self._modules
        for name, arguments, last_used in self.steps:
            module = cast(nn.Module, modules[name])
            values[name] = module(*[values[argument] for argument in arguments])
            for dead in last_used:
                del values[dead]
        return values[self.output_name]

    def call(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """`forward` with the model inputs by name; names that are no input of the network are ignored."""
        return cast(torch.Tensor, self(*[inputs[name] for name in self.input_names]))


def infer_types(
    architecture: Architecture, ops: Mapping[str, Op], inputs: Mapping[str, TensorType]
) -> tuple[TensorType, ...]:
    """Type of every node's value, in the order of the nodes.

    Args:
        architecture: What to check.
        ops: The ops it may use, by name.
        inputs: Types of the model inputs, by name.

    Raises:
        InvalidShapeError: A node does not accept what flows into it; names the node, what it got and what it accepts.
        SpaceError: An op or a model input of that name does not exist.
    """
    types: list[TensorType] = []
    for index, node in enumerate(architecture.nodes):
        if node.op == _INPUT:
            types.append(inputs[_input_name(node, index, inputs)])
            continue
        op = _op(node, index, ops, inputs)
        received = tuple(types[source] for source in node.inputs)
        try:
            types.append(op.infer(received, dict(node.params)))
        except InvalidShapeError as error:
            place = f"{_place(node, index)} ({error.name})"
            raise InvalidShapeError(place, error.received, error.expected) from error
    return tuple(types)


def build_network(
    architecture: Architecture, ops: Mapping[str, Op], inputs: Mapping[str, TensorType], output: TensorType
) -> Network:
    """The network of an architecture, with freshly initialised parameters.

    Args:
        architecture: A graph with one output.
        ops: The ops it may use, by name.
        inputs: Types of the model inputs, in the order of the network's `forward`.
        output: The type the network must return.

    Raises:
        InvalidShapeError: Types do not fit, or the output has another type than `output`.
        SpaceError: An op or a model input does not exist, or the graph has not exactly one output.
    """
    if len(architecture.outputs) != 1:
        raise SpaceError("a network has one output", value=len(architecture.outputs), accepted="1")
    types = infer_types(architecture, ops, inputs)
    last = architecture.outputs[0]
    if types[last] != output:
        raise InvalidShapeError(f"output {_place(architecture.nodes[last], last)}", types[last], output)
    names = _names(architecture, inputs)
    layers = tuple(
        _network_layer(index, node, names, types, ops)
        for index, node in enumerate(architecture.nodes)
        if node.op != _INPUT
    )
    return Network(architecture, types, layers, tuple(inputs), names[last])


def _network_layer(
    index: int, node: Node, names: Sequence[str], types: Sequence[TensorType], ops: Mapping[str, Op]
) -> NetworkLayer:
    op = ops[node.op]
    layer = op.layer(tuple(types[source] for source in node.inputs), dict(node.params))
    return NetworkLayer(index, names[index], layer, tuple(names[source] for source in node.inputs), tuple(op.context))


def _op(node: Node, index: int, ops: Mapping[str, Op], inputs: Mapping[str, TensorType]) -> Op:
    if node.op not in ops:
        close = difflib.get_close_matches(node.op, ops, n=1)
        raise SpaceError(
            "unknown op",
            place=_place(node, index),
            value=node.op,
            accepted=", ".join(sorted(ops)),
            remedy=f"did you mean {close[0]!r}?" if close else None,
        )
    op = ops[node.op]
    absent = [name for name in op.context if name not in inputs]
    if absent:
        raise SpaceError(
            f"op {node.op!r} reads model inputs that this task does not have",
            place=_place(node, index),
            value=", ".join(absent),
            accepted=", ".join(inputs),
        )
    return op


def _input_name(node: Node, index: int, inputs: Mapping[str, TensorType]) -> str:
    name = str(dict(node.params).get("name"))
    if name not in inputs:
        close = difflib.get_close_matches(name, inputs, n=1)
        raise SpaceError(
            "unknown model input",
            place=_place(node, index),
            value=name,
            accepted=", ".join(inputs),
            remedy=f"did you mean {close[0]!r}?" if close else None,
        )
    return name


def _place(node: Node, index: int) -> str:
    return node.name or f"node {index} ({node.op})"


def _names(architecture: Architecture, inputs: Mapping[str, TensorType]) -> tuple[str, ...]:
    """Name of every node's value: the model input's own, or a free identifier near the node's name."""
    taken = set(_attributes()) | set(inputs)
    names: list[str] = []
    for index, node in enumerate(architecture.nodes):
        if node.op == _INPUT:
            names.append(_input_name(node, index, inputs))
            continue
        stem = _NOT_IDENTIFIER.sub("_", node.name or node.op).strip("_") or "node"
        if stem[0].isdigit() or keyword.iskeyword(stem):
            stem = f"n_{stem}"
        name, count = stem, 1
        while name in taken:
            count += 1
            name = f"{stem}_{count}"
        taken.add(name)
        names.append(name)
    return tuple(names)


@cache
def _attributes() -> frozenset[str]:
    """Names that an attribute of a network has already."""
    own = {"architecture", "types", "layers", "input_names", "output_name", "steps"}
    # NOTE: nn.Module sets some attributes on instances only (`training`), which dir(Network) does not list.
    return frozenset(own | set(dir(Network)) | set(vars(nn.Module())))


def _steps(
    layers: Sequence[NetworkLayer], input_names: Sequence[str], output_name: str
) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """For every layer its name, the names of its arguments, and the values nobody reads after it."""
    kept = {*input_names, output_name}
    steps: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    for layer in reversed(layers):
        arguments = layer.inputs + layer.context
        dead = tuple(dict.fromkeys(name for name in (*layer.inputs, layer.name) if name not in kept))
        kept.update(dead)
        steps.append((layer.name, arguments, dead))
    return tuple(reversed(steps))
