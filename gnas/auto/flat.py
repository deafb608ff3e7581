"""A model with any calling convention as one that takes tensors and returns tensors, as exporters want it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from gnas.auto.example import Example


class Flat(nn.Module):
    """Takes the tensors of an example in order and returns all tensors of the output as a tuple.

    Args:
        network: Called as the model is.
        example: Inputs; what is no tensor in them stays as it is.
        signature: Forward whose parameters name the inputs given by position; the network's own by default.

    Attributes:
        input_names: Of the tensors, in order.
    """

    def __init__(self, network: nn.Module, example: Example, signature: Sequence[str] | None = None) -> None:
        super().__init__()
        self.network = network
        leaves, self._spec = tree_flatten((example.args, example.kwargs))
        self._fixed = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._is_tensor = [isinstance(leaf, Tensor) for leaf in leaves]
        self.input_names = input_names(network, example, signature)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...] | Tensor:
        """Tensors in, tensors out; a tuple where there are several."""
        given = iter(tensors)
        pairs = zip(self._is_tensor, self._fixed, strict=True)
        leaves = [next(given) if is_tensor else fixed for is_tensor, fixed in pairs]
        args, kwargs = tree_unflatten(leaves, self._spec)
        outputs = tuple(v for v in tree_flatten(self.network(*args, **kwargs))[0] if isinstance(v, Tensor))
        return outputs[0] if len(outputs) == 1 else outputs

    def named(self, example: Example) -> dict[str, Tensor]:
        """The tensors of an example of the same structure by their names."""
        leaves = [v for v in tree_flatten((example.args, example.kwargs))[0] if isinstance(v, Tensor)]
        return dict(zip(self.input_names, leaves, strict=True))


def input_names(network: nn.Module, example: Example, signature: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the tensors of an example: of the forward's parameters, with a number for each tensor inside one."""
    known = positional(network) if signature is None else list(signature)
    tops: list[tuple[str, Any]] = [
        (known[i] if i < len(known) else f"input_{i}", value) for i, value in enumerate(example.args)
    ]
    tops += list(example.kwargs.items())
    names: list[str] = []
    for name, value in tops:
        tensors = [v for v in tree_flatten(value)[0] if isinstance(v, Tensor)]
        names += [name] if isinstance(value, Tensor) else [f"{name}_{i}" for i in range(len(tensors))]
    cleaned = [re.sub(r"\W", "_", name) for name in names]
    return tuple(n if cleaned.count(n) == 1 else f"{n}_{i}" for i, n in enumerate(cleaned))


def positional(network: nn.Module) -> list[str]:
    """Names of the parameters of a module's forward that can be given by position; empty where it takes `*args`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(network.forward).parameters.values() if p.kind in kinds]


def dynamic_axes(example: Mapping[str, Tensor]) -> dict[str, dict[int, str]]:
    """The first axis of every input varies; of a list of edges `(2, edge)` the second."""
    axes: dict[str, dict[int, str]] = {}
    for name, tensor in example.items():
        if tensor.dim():
            pairs = tensor.dim() == 2 and tensor.shape[0] == 2 and tensor.dtype is torch.int64 and len(example) > 1
            axes[name] = {1: f"{name}_edges"} if pairs else {0: f"{name}_rows"}
    return axes
