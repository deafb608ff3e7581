"""Statistics of batch normalisation estimated again: those of a model are wrong for its sub-networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from gnas.autospace.functional import op_name
from gnas.autospace.network import SubNetwork, holder_of

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments by position and by name."""


def reestimate(network: SubNetwork, batches: Sequence[Call]) -> None:
    """Sets running means and variances to their means over batches, in place; the mode is put back.

    Args:
        network: A sub-network; without batch normalisation, or without a program for training, it is left as it is.
        batches: What training would pass to it.

    Source: Yu and Huang, Universally slimmable networks (arXiv:1903.05134), section 3.3.
    """
    buffers = _buffers(network)
    if not buffers or not batches:
        return
    mode = network.training
    network.train()
    sums = [torch.zeros_like(buffer, dtype=torch.float64) for buffer, _ in buffers]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for args, kwargs in batches:
            for buffer, _ in buffers:
                buffer.zero_()
            network(*args, **kwargs)
            # From zero, one update leaves the batch's statistic times the momentum.
            for total, (buffer, momentum) in zip(sums, buffers, strict=True):
                total += buffer.double() / momentum
        for total, (buffer, _) in zip(sums, buffers, strict=True):
            buffer.copy_(total / len(batches))
    network.train(mode)


def _buffers(network: SubNetwork) -> list[tuple[Tensor, float]]:
    """Running means and variances with their momentum."""
    found: dict[str, tuple[Tensor, float]] = {}
    for node in network.graph(training=True).nodes:
        if op_name(node) != "batch_norm" or not node.args[5] or not float(node.args[6]) > 0:
            continue
        for place in node.args[3:5]:
            if isinstance(place, fx.Node) and place.op == "get_attr":
                holder, leaf = holder_of(network, str(place.target))
                found[str(place.target)] = (getattr(holder, leaf), float(node.args[6]))
    return list(found.values())
