"""Costs of a network added up layer by layer; a layer met before is looked up instead of run.

A layer's costs depend on its class, its arguments and the shapes it reads, and the candidates of a search share most of
their layers. The sum is what `count_costs` counts on the whole network, to the byte: what a layer reads lives while it
runs, so its peak stands on top of whatever else is alive then.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gnas.build import Network, NetworkLayer
from gnas.hardware.costs import CostMode, Costs, count_costs, count_params, evaluating
from gnas.hardware.inputs import Example

_MEMO_SIZE = 4096


_Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Size, stride and type of a tensor."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that flows through the network.

    Attributes:
        layout: What the costs of its readers depend on: a model input's name, or size, stride and type.
        storage: Number of its storage; values that share one have the same.
    """

    layout: str | _Layout
    storage: int


@dataclass(frozen=True, slots=True)
class _LayerCosts:
    """What one run of a layer costs and returns.

    Attributes:
        n_params, flops: Parameters and floating-point operations.
        peak: Most bytes it had made and not given back at any moment.
        kept: Bytes it holds when it has returned, beside its result.
        layout: Of the result.
        shares: Position of the argument whose storage the result lies in; −1 where it has its own.
        nbytes: Of the result's own storage, as far as it counts.
    """

    n_params: int
    flops: float
    peak: int
    kept: int
    layout: _Layout
    shares: int
    nbytes: int


class LayerwiseCounter:
    """`count_costs` on one example for many networks.

    Args:
        example: Model inputs by name.
        examples: Of how many examples.
    """

    def __init__(self, example: Example, examples: int) -> None:
        self._example, self._examples = example, examples
        self._memo: OrderedDict[object, _LayerCosts] = OrderedDict()

    def __call__(self, network: Network) -> Costs:
        """Costs of a network, which is left as it was."""
        values = {name: _Value(name, -1 - i) for i, name in enumerate(network.input_names)}
        alive_of: dict[int, int] = {}
        n_params, flops, kept, peak = 0, 0.0, 0, 0
        layers = {layer.name: layer for layer in network.layers}
        for number, (name, arguments, last_used) in enumerate(network.steps):
            read = [values[argument] for argument in arguments]
            costs = self._layer(network, layers[name], read)
            if costs is None:
                return count_costs(network, self._example, examples=self._examples)
            held = {value.storage for value in values.values()}
            alive = kept + sum(alive_of.get(storage, 0) for storage in held)
            peak = max(peak, alive + costs.peak)
            n_params, flops, kept = n_params + costs.n_params, flops + costs.flops, kept + costs.kept
            storage = number if costs.shares < 0 else read[costs.shares].storage
            alive_of.setdefault(storage, costs.nbytes)
            values[name] = _Value(costs.layout, storage)
            for dead in last_used:
                del values[dead]
        return Costs(n_params, flops / 2 / self._examples, peak / self._examples)

    def _layer(self, network: Network, layer: NetworkLayer, read: Sequence[_Value]) -> _LayerCosts | None:
        """Costs of a layer; None where it returns something else than one tensor of floating-point numbers."""
        key = (layer.layer.factory, repr(layer.layer.kwargs), tuple(value.layout for value in read))
        costs = self._memo.get(key)
        if costs is None:
            costs = _run(network, layer, [self._tensor(value) for value in read])
            if costs is None:
                return None
            self._memo[key] = costs
            if len(self._memo) > _MEMO_SIZE:
                self._memo.popitem(last=False)
        return costs

    def _tensor(self, value: _Value) -> Tensor:
        """The model input, or zeros that lie as the value does: costs depend on shapes alone."""
        if isinstance(value.layout, str):
            return self._example[value.layout]
        size, stride, dtype = value.layout
        return torch.empty_strided(size, stride, dtype=dtype).zero_()


def _run(network: Network, layer: NetworkLayer, arguments: Sequence[Tensor]) -> _LayerCosts | None:
    module = network.get_submodule(layer.name)
    mode = CostMode(arguments)
    with evaluating(module), mode:
        out = module(*arguments)
    if not isinstance(out, Tensor) or not out.is_floating_point():
        return None
    storage = out.untyped_storage()._cdata
    shares = next((i for i, a in enumerate(arguments) if a.untyped_storage()._cdata == storage), -1)
    nbytes = mode.nbytes(out)
    return _LayerCosts(
        count_params(module),
        mode.flops,
        mode.peak,
        mode.alive - nbytes,
        (tuple(out.shape), out.stride(), out.dtype),
        shares,
        nbytes,
    )
