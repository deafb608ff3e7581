"""What a network that stands in for another must do: outputs of the same form, in both modes, at every size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments of a forward."""


class BrokenNetworkError(AssertionError):
    """A network does something else than what it stands in for."""


@dataclass(frozen=True, slots=True)
class Form:
    """Structure of outputs.

    Attributes:
        spec: How they nest.
        leaves: Shape and element type of each tensor, the type of anything else.
    """

    spec: TreeSpec
    leaves: tuple[object, ...]


Forms = Mapping[tuple[int, bool], Form]
"""By number of the call and whether in training."""


def form_of(outputs: object) -> Form:
    """Form of what a forward returned."""
    leaves, spec = tree_flatten(outputs)
    return Form(
        spec, tuple((tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else type(leaf) for leaf in leaves)
    )


def forms_of(network: nn.Module, calls: Sequence[Call]) -> Forms:
    """Forms of a network's outputs for each call and mode; its buffers are put back, and it is left in eval mode."""
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    forms = {}
    with torch.no_grad():
        for training in (False, True):
            network.train(training)
            for k, (args, kwargs) in enumerate(calls):
                forms[k, training] = form_of(network(*args, **kwargs))
        for name, buffer in network.named_buffers():
            buffer.copy_(kept[name])
    network.eval()
    return forms


def check_network(network: nn.Module, calls: Sequence[Call], forms: Forms) -> None:
    """Runs a network for every call and mode, in training with a backward pass; it is left in eval mode.

    Raises:
        BrokenNetworkError: Outputs of another form than `forms` has, no gradient, or one that is not finite.
        Exception: Whatever the network raises.
    """
    for (k, training), form in forms.items():
        args, kwargs = calls[k]
        network.train(training)
        with torch.set_grad_enabled(training):
            outputs = network(*args, **kwargs)
        where = f"call {k}, {'training' if training else 'eval'}"
        got = form_of(outputs)
        if got != form:
            raise BrokenNetworkError(f"{where}: outputs {got.leaves} and not {form.leaves}")
        if training:
            _check_backward(network, outputs, where)
    network.eval()


def _check_backward(network: nn.Module, outputs: object, where: str) -> None:
    tensors = [leaf for leaf in tree_flatten(outputs)[0] if isinstance(leaf, Tensor)]
    losses = [tensor.abs().square().mean() for tensor in tensors if tensor.requires_grad]
    if not losses:
        if any(parameter.requires_grad for parameter in network.parameters()):
            raise BrokenNetworkError(f"{where}: no output has a gradient")
        return
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            raise BrokenNetworkError(f"{where}: the gradient of {name} is not finite")
    network.zero_grad()
