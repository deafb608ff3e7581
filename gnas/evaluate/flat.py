"""All parameters of a network in one flat tensor: an optimiser step, a norm or an average is then one kernel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnas.numerics import MemoryFormat

_CHANNELS_LAST_DIMENSIONS = (4, 5)


class FlatParameters:
    """Moves the parameters of a network into flat tensors, one per dtype, of which they become views.

    Small networks have dozens of tiny parameters, and the launches of an optimiser over them cost more than the
    arithmetic. Values are unchanged.

    Args:
        network: Its parameters become views; what it had before is let go of.
        memory_format: Of parameters with four or five dimensions, the kernels of convolutions over images and volumes.

    Attributes:
        flats: The flat parameters, with `.grad` allocated, for the optimiser.
    """

    def __init__(self, network: nn.Module, memory_format: MemoryFormat = "contiguous") -> None:
        groups: dict[torch.dtype, list[nn.Parameter]] = {}
        for parameter in network.parameters():
            if parameter.requires_grad:
                groups.setdefault(parameter.dtype, []).append(parameter)
        self.flats = tuple(_flatten(group, memory_format) for group in groups.values())
        self._buffers = tuple(network.buffers())

    def zero_grad(self) -> None:
        """Sets all gradients to zero in place."""
        for flat in self.flats:
            assert flat.grad is not None  # allocated by _flatten
            flat.grad.zero_()

    def clip_grad(self, largest: float) -> None:
        """Scales the gradients down to the norm `largest` where they exceed it, without reading the norm back."""
        if len(self.flats) == 1:
            gradient = self.flats[0].grad
            assert gradient is not None
            gradient.mul_((largest / (torch.linalg.vector_norm(gradient) + 1e-6)).clamp_(max=1.0))
        else:
            nn.utils.clip_grad_norm_(self.flats, largest)

    def state(self) -> tuple[Tensor, ...]:
        """Copies of all parameters and buffers."""
        return tuple(tensor.detach().clone() for tensor in (*self.flats, *self._buffers))

    def restore(self, state: tuple[Tensor, ...]) -> None:
        """Puts back what `state` returned."""
        with torch.no_grad():
            for tensor, saved in zip((*self.flats, *self._buffers), state, strict=True):
                tensor.copy_(saved)


def _flatten(parameters: list[nn.Parameter], memory_format: MemoryFormat) -> nn.Parameter:
    total = sum(parameter.numel() for parameter in parameters)
    first = parameters[0]
    flat = nn.Parameter(torch.empty(total, dtype=first.dtype, device=first.device))
    flat.grad = torch.zeros_like(flat)
    start = 0
    with torch.no_grad():
        for parameter in parameters:
            end = start + parameter.numel()
            view = _shaped(flat.data[start:end], parameter.shape, memory_format)
            view.copy_(parameter)
            parameter.data = view
            # NOTE: backward accumulates in place where a gradient is already there, so the views stay views.
            parameter.grad = _shaped(flat.grad[start:end], parameter.shape, memory_format)
            start = end
    return flat


def _shaped(stretch: Tensor, shape: torch.Size, memory_format: MemoryFormat) -> Tensor:
    """A stretch of a flat tensor in a shape `(out, in, *space)`, in the order `(out, *space, in)` for channels last."""
    if memory_format == "contiguous" or len(shape) not in _CHANNELS_LAST_DIMENSIONS:
        return stretch.view(shape)
    return stretch.view(shape[0], *shape[2:], shape[1]).movedim(-1, 1)
