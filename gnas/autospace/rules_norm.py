"""Dimensions through normalisation layers."""

from __future__ import annotations

from torch import fx

from gnas.autospace.dimensions import Dimensions, argument, rule


def _per_channel(d: Dimensions, node: fx.Node, positions: tuple[int, ...]) -> None:
    dims = list(d.dims(node.args[0]))
    for position in positions:
        vector = d.dims(node.args[position]) if len(node.args) > position else ()
        if vector:
            dims[1] = d.tie(dims[1], vector[0])
    if any(isinstance(node.args[p], fx.Node) and not d.dims(node.args[p]) for p in positions if len(node.args) > p):
        d.keep(dims[1])
    d.set(node, dims)


@rule("batch_norm", "instance_norm")
def batch_norm(d: Dimensions, node: fx.Node) -> None:
    """`(x, weight, bias, running mean, running variance, by statistics of x, …)`: one of each a channel (dimension 1).

    Where statistics are those of `x`, the dimensions that they are taken over stay whole.
    """
    _per_channel(d, node, (1, 2, 3, 4))
    if argument(node, 5, "training", True):
        for i, atoms in enumerate(d.dims(node)):
            if i != 1:
                d.keep(atoms)


@rule("layer_norm", "native_layer_norm")
def layer_norm(d: Dimensions, node: fx.Node) -> None:
    """`(x, normalised shape, weight, bias, …)`: exact with fewer channels, as the original count is kept (`slim`)."""
    _trailing(d, node, (2, 3))


@rule("rms_norm", "_fused_rms_norm")
def rms_norm(d: Dimensions, node: fx.Node) -> None:
    """`(x, normalised shape, weight, …)`."""
    _trailing(d, node, (2,))


def _trailing(d: Dimensions, node: fx.Node, positions: tuple[int, ...]) -> None:
    dims = list(d.dims(node.args[0]))
    rank = len(node.args[1])  # type: ignore[arg-type]
    for position in positions:
        vector = d.dims(argument(node, position, "weight" if position == 2 else "bias"))
        for i in range(1, len(vector) + 1):
            if i <= rank:
                dims[-i] = d.tie(dims[-i], vector[-i])
    template = d.none(node)
    if isinstance(template, list):
        d.whole(node)
    else:
        d.set(node, dims)


@rule("group_norm")
def group_norm(d: Dimensions, node: fx.Node) -> None:
    """`(x, groups, weight, bias, …)`: channels are pairs (group, place in it)."""
    dims = list(d.dims(node.args[0]))
    groups = int(node.args[1])  # type: ignore[arg-type]
    for position, name in ((2, "weight"), (3, "bias")):
        vector = d.dims(argument(node, position, name))
        if vector:
            dims[1] = d.tie(dims[1], vector[0])
    if dims[1] is not None and groups > 1:
        g = d.table.fresh(groups)
        node.meta["gnas_groups"] = g
        if len(dims[1]) == groups:
            d.table.tie(dims[1], g)
        else:
            places = d.table.fresh(len(dims[1]) // groups)
            d.table.product(dims[1].reshape(groups, -1), (g, places))
    d.set(node, dims)
