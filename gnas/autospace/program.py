"""What tracing leaves: a functional graph of ATen ops, which tensors its placeholders are, and how to call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import TreeSpec


@dataclass(frozen=True, slots=True)
class Program:
    """One mode of a model as a graph.

    Attributes:
        graph: Placeholders (tensors of the model and inputs), calls of ATen ops, one output node with a flat tuple.
        state: Placeholder name to the name of the parameter, buffer or constant it stands for. Tied parameters
            share a name.
        inputs: Placeholder of each flat input, in order; None where an input is no tensor and was fixed when tracing.
        constants: Values of the fixed inputs, in the same order (None for tensors).
        in_spec: Structure of `(args, kwargs)`.
        out_spec: Structure of what the model returns.
        training: Whether the model was in training mode.
    """

    graph: fx.Graph
    state: Mapping[str, str]
    inputs: tuple[str | None, ...]
    constants: tuple[Any, ...]
    in_spec: TreeSpec
    out_spec: TreeSpec
    training: bool

    @property
    def outputs(self) -> tuple[Any, ...]:
        """What the graph returns: nodes, and constants between them."""
        output = next(node for node in reversed(self.graph.nodes) if node.op == "output")
        flat: tuple[Any, ...] = tuple(output.args[0])
        return flat


@dataclass(frozen=True, slots=True)
class Traced:
    """A model as programs over the same tensors.

    Attributes:
        evaluation: The program of evaluation mode.
        training: The program of training mode; None if it could not be traced (`notes` say why).
        tensors: Parameters, buffers and constants by name: the model's own, not copies.
        parameters: Names of the trainable ones.
        persistent: Names of the buffers that a state dict has.
        islands: Submodules that could not be traced, by name; graphs call them as they are.
        example: The example inputs `(args, kwargs)`.
        notes: What happened on the way that a user should know.
        name: The class of the model.
    """

    evaluation: Program
    training: Program | None
    tensors: Mapping[str, Tensor]
    parameters: frozenset[str]
    persistent: frozenset[str]
    islands: Mapping[str, nn.Module]
    example: tuple[tuple[Any, ...], dict[str, Any]]
    notes: tuple[str, ...]
    name: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The program of evaluation mode, and the one of training mode where there is one."""
        return (self.evaluation,) if self.training is None else (self.evaluation, self.training)


def module_of(node: fx.Node) -> str:
    """The user's name of the module whose forward made this value (`layer1.0.conv1`; empty for the model itself)."""
    stack = node.meta.get("nn_module_stack")
    return str(next(reversed(stack.values()))[0]) if stack else ""


def source_of(node: fx.Node) -> str:
    """`file:line` of the user's code that made this value, libraries' frames left out where there is another."""
    frames = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines() if "File" in line]
    own = [f for f in frames if "/torch/" not in f and "/torch_geometric/" not in f]
    chosen = (own or frames or [""])[-1]
    if not chosen:
        return ""
    path, line = chosen.split('"')[1], chosen.split("line ")[1].split(",")[0]
    return f"{path}:{line}"


def value_of(node: fx.Node) -> Any:
    """The fake tensor (or number, or tuple of them) that tracing left for a node."""
    return node.meta.get("val")


def static_shape(value: Any) -> tuple[int | None, ...]:
    """Sizes of a traced tensor, None where they vary with the inputs; empty for what is no tensor."""
    if not isinstance(value, torch.Tensor):
        return ()
    return tuple(s if isinstance(s, int) else None for s in value.shape)
