"""Calls whose arguments hold sizes: what they become when dimensions have fewer channels."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import argument, normalised
from gnas.autospace.functional import ATEN, op_name
from gnas.autospace.program import value_of
from gnas.autospace.rules_parts import slice_range
from gnas.autospace.slim import slim_group_norm, slim_layer_norm, slim_rms_norm, slim_var_mean


class Cut(Protocol):
    """What a rewrite sees of the cutter."""

    def kept(self, atoms: Atoms) -> NDArray[np.bool_]:
        """Which indices stay."""
        ...

    def masks(self, node: fx.Node) -> tuple[NDArray[np.bool_] | None, ...]:
        """Which indices of each dimension stay; None for all."""
        ...

    def counts(self, node: fx.Node) -> tuple[int | None, ...]:
        """How many of each dimension stay; None for untracked ones."""
        ...

    def full(self, node: fx.Node) -> tuple[int | None, ...]:
        """Sizes in the original."""
        ...

    def copy(self, node: fx.Node) -> fx.Node:
        """The same call in the new graph."""
        ...

    def call(self, target: Any, *args: Any) -> fx.Node:
        """A new call in the new graph."""
        ...


Rewrite = Callable[[Cut, fx.Node], "fx.Node | None"]
REWRITES: dict[str, Rewrite] = {}
"""By name of op; a rewrite returns None where nothing changes."""


def rewrites(*names: str) -> Callable[[Rewrite], Rewrite]:
    """Register a rewrite."""

    def register(function: Rewrite) -> Rewrite:
        for name in names:
            REWRITES[name] = function
        return function

    return register


def _with(cut: Cut, node: fx.Node, changes: dict[int, Any]) -> fx.Node:
    made = cut.copy(node)
    args = list(made.args)
    for position, value in changes.items():
        args[position] = value
    made.args = tuple(args)
    return made


def _shrunk(cut: Cut, node: fx.Node) -> bool:
    """Whether any tracked dimension of the value has fewer channels."""
    return any(c is not None and c != f for c, f in zip(cut.counts(node), cut.full(node), strict=True))


@rewrites("view", "reshape", "_unsafe_view", "expand", "broadcast_to", "view_copy")
def view(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Sizes in full."""
    made = cut.copy(node)
    sizes = list(made.args[1])  # type: ignore[arg-type]
    for i, count in enumerate(cut.counts(node)):
        if count is not None and isinstance(sizes[i], int) and sizes[i] != -1:
            sizes[i] = count
    # NOTE: a narrowed operand need not be contiguous where the whole one was.
    target = made.target if "expand" in op_name(node) or "broadcast" in op_name(node) else ATEN.reshape.default
    made.target = target
    made.args = (made.args[0], sizes)
    made.kwargs = {}
    return made


@rewrites("unflatten")
def unflatten(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Sizes of the parts of one dimension."""
    axis = normalised(int(node.args[1]), len(cut.full(node.args[0])))  # type: ignore[arg-type]
    counts = cut.counts(node)
    sizes = [
        counts[axis + i] if counts[axis + i] is not None and isinstance(s, int) and s != -1 else s
        for i, s in enumerate(node.args[2])  # type: ignore[arg-type]
    ]
    made = _with(cut, node, {})
    copied = list(made.args[2])  # type: ignore[arg-type]
    made.args = (made.args[0], made.args[1], [s if isinstance(s, int) else copied[i] for i, s in enumerate(sizes)])
    return made


@rewrites("zeros", "ones", "full", "empty", "rand", "randn", "new_zeros", "new_ones", "new_full", "new_empty")
def created(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Sizes of new tensors."""
    position = 1 if op_name(node).startswith("new_") else 0
    made = cut.copy(node)
    sizes = list(made.args[position])  # type: ignore[arg-type]
    for i, count in enumerate(cut.counts(node)):
        if count is not None and isinstance(sizes[i], int):
            sizes[i] = count
    args = list(made.args)
    args[position] = sizes
    made.args = tuple(args)
    return made


@rewrites("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution")
def convolution(cut: Cut, node: fx.Node) -> fx.Node | None:
    """The number of groups."""
    groups = node.meta.get("gnas_groups")
    if groups is None:
        return None
    position = 8 if op_name(node) == "convolution" else 6
    made = cut.copy(node)
    count = int(cut.kept(groups).sum())
    if len(made.args) > position:
        made.args = (*made.args[:position], count, *made.args[position + 1 :])
    else:
        made.kwargs = {**made.kwargs, "groups": count}
    return made


@rewrites("native_channel_shuffle", "channel_shuffle")
def channel_shuffle(cut: Cut, node: fx.Node) -> fx.Node | None:
    """The number of groups."""
    groups = node.meta.get("gnas_groups")
    return None if groups is None else _with(cut, node, {1: int(cut.kept(groups).sum())})


@rewrites("group_norm")
def group_norm(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Fewer groups, and in each fewer channels than its statistics were taken over."""
    if not _shrunk(cut, node):
        return None
    weight, bias, eps = argument(node, 2, "weight"), argument(node, 3, "bias"), argument(node, 4, "eps", 1e-5)
    groups = int(node.args[1])  # type: ignore[arg-type]
    channels = int(cut.full(node)[1] or 0) // groups
    atoms = node.meta.get("gnas_groups")
    left = groups if atoms is None else int(cut.kept(atoms).sum())
    return cut.call(slim_group_norm, node.args[0], left, weight, bias, eps, channels)


@rewrites("layer_norm")
def layer_norm(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Statistics over the original number of channels."""
    shape = [int(s) for s in node.args[1]]  # type: ignore[union-attr, arg-type]
    if all(c is None or c == f for c, f in zip(cut.counts(node)[-len(shape) :], shape, strict=True)):
        return None
    weight, bias, eps = argument(node, 2, "weight"), argument(node, 3, "bias"), argument(node, 4, "eps", 1e-5)
    return cut.call(slim_layer_norm, node.args[0], len(shape), weight, bias, eps, math.prod(shape))


@rewrites("rms_norm")
def rms_norm(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Mean square over the original number of channels."""
    shape = [int(s) for s in node.args[1]]  # type: ignore[union-attr, arg-type]
    if all(c is None or c == f for c, f in zip(cut.counts(node)[-len(shape) :], shape, strict=True)):
        return None
    eps = argument(node, 3, "eps")
    value = value_of(node)
    eps = torch.finfo(value.dtype).eps if eps is None else eps
    return cut.call(slim_rms_norm, node.args[0], len(shape), argument(node, 2, "weight"), eps, math.prod(shape))


@rewrites("slice", "narrow")
def slice_(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Bounds among what is left."""
    source = node.args[0]
    axis = normalised(int(argument(node, 1, "dim", 0)), len(cut.full(source)))  # type: ignore[arg-type]
    mask = cut.masks(source)[axis]  # type: ignore[arg-type]
    if mask is None or mask.all():
        return None
    start, end = slice_range(node, len(mask))
    if start is None or end is None:
        return None
    return cut.call(ATEN.slice.Tensor, source, axis, int(mask[:start].sum()), int(mask[:end].sum()))


@rewrites("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def split(cut: Cut, node: fx.Node) -> fx.Node | None:
    """Sizes of the parts that are left."""
    source = node.args[0]
    axis = normalised(int(argument(node, 2, "dim", 0)), len(cut.full(source)))  # type: ignore[arg-type]
    mask = cut.masks(source)[axis]  # type: ignore[arg-type]
    if mask is None or mask.all():
        return None
    sizes, start = [], 0
    for value in value_of(node):
        size = int(value.shape[axis])
        sizes.append(int(mask[start : start + size].sum()))
        start += size
    return cut.call(ATEN.split_with_sizes.default, source, sizes, axis)


@rewrites("scaled_dot_product_attention")
def attention(cut: Cut, node: fx.Node) -> fx.Node | None:
    """The scale of the original head size."""
    head, left = cut.full(node.args[0])[-1], cut.counts(node.args[0])[-1]  # type: ignore[arg-type]
    if left is None or left == head or argument(node, 6, "scale") is not None or node.kwargs.get("scale") is not None:
        return None
    made = cut.copy(node)
    made.kwargs = {**made.kwargs, "scale": 1.0 / math.sqrt(int(head or 1))}
    return made


@rewrites("mean")
def mean(cut: Cut, node: fx.Node) -> fx.Node | None:
    """A mean over the original number of channels."""
    _, left, whole = _left(cut, node, argument(node, 1, "dim", None))
    return None if left == whole else cut.call(ATEN.mul.Scalar, cut.copy(node), left / whole)


@rewrites("var", "std", "var_mean", "std_mean")
def variance(cut: Cut, node: fx.Node) -> fx.Node | None:
    """A variance over the original number of channels."""
    chosen = argument(node, 1, "dim", None)
    axes, left, whole = _left(cut, node, None if isinstance(chosen, bool) else chosen)
    if left == whole:
        return None
    unbiased = next((a for a in node.args[1:] if isinstance(a, bool)), node.kwargs.get("unbiased", True))
    correction = node.kwargs.get("correction", float(bool(unbiased)))
    name, keep = op_name(node), argument(node, 3, "keepdim", False)
    made = cut.call(slim_var_mean, node.args[0], axes, (left, whole), correction, keep, name.startswith("std"))
    return made if name.endswith("_mean") else cut.call(operator.getitem, made, 0)


def _left(cut: Cut, node: fx.Node, chosen: Any) -> tuple[list[int], int, int]:
    """The chosen dimensions (all if None), and how many channels along them are left and were in the original."""
    source = node.args[0]
    counts, full = cut.counts(source), cut.full(source)  # type: ignore[arg-type]
    listed = range(len(full)) if chosen is None or chosen == [] else [chosen] if isinstance(chosen, int) else chosen
    axes = sorted({normalised(int(c), len(full)) for c in listed})
    shrunk = [i for i in axes if counts[i] is not None]
    return axes, math.prod(int(counts[i] or 0) for i in shrunk), math.prod(int(full[i] or 0) for i in shrunk)
