"""Example inputs of a network, in the order its forward takes them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

Example = Mapping[str, Tensor]
"""Model inputs by name."""
DynamicAxes = Mapping[str, Mapping[int, str]]
"""Axes of each input that vary, with their names."""


def ordered(network: nn.Module, example: Example) -> dict[str, Tensor]:
    """The example in the order of the network's `input_names`; as it is, where the network declares none."""
    names = getattr(network, "input_names", None)
    return dict(example) if names is None else {name: example[name] for name in names}
