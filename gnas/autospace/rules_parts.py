"""Dimensions through ops that take tensors apart, put them together, and pick from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import fx

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import Dimensions, argument, normalised, rule
from gnas.autospace.program import value_of
from gnas.autospace.rules_shape import or_frozen


@rule("cat", "concat", "concatenate")
def cat(d: Dimensions, node: fx.Node) -> None:
    """Side by side along one dimension; the other dimensions are one."""
    parts = [p for p in node.args[0] if isinstance(p, fx.Node)]  # type: ignore[union-attr]
    rank = len(d.sizes(node))
    parts = [p for p in parts if len(d.sizes(p)) == rank]
    axis = normalised(int(argument(node, 1, "dim", 0)), rank)
    out: list[Atoms | None] = []
    for i in range(rank):
        column = [d.dims(p)[i] for p in parts]
        if i == axis:
            out.append(_side_by_side(d, column, [d.sizes(p)[i] for p in parts]))
            continue
        one = column[0]
        for other in column[1:]:
            one = d.tie(one, other)
        out.append(one)
    d.set(node, out)


def _side_by_side(d: Dimensions, column: Sequence[Atoms | None], sizes: Sequence[int | None]) -> Atoms | None:
    if any(s is None for s in sizes):
        for atoms in column:
            d.keep(atoms)
        return None
    joined: Atoms = np.concatenate([or_frozen(d, a, int(s or 0)) for a, s in zip(column, sizes, strict=True)])
    return joined


@rule("stack")
def stack(d: Dimensions, node: fx.Node) -> None:
    """Operands of equal shape along a new dimension, which stays whole."""
    parts = [p for p in node.args[0] if isinstance(p, fx.Node)]  # type: ignore[union-attr]
    axis = normalised(int(argument(node, 1, "dim", 0)), len(d.sizes(node)))
    out = list(d.dims(parts[0]))
    for part in parts[1:]:
        out = [d.tie(a, b) for a, b in zip(out, d.dims(part), strict=True)]
    out.insert(axis, None)
    d.set(node, out)


@rule("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def split(d: Dimensions, node: fx.Node) -> None:
    """Consecutive parts of one dimension."""
    dims, values = d.dims(node.args[0]), value_of(node)
    axis = normalised(int(argument(node, 2, "dim", 0)), len(dims))
    atoms, start = dims[axis], 0
    parts: list[Any] = []
    for value in values:
        size = value.shape[axis]
        if atoms is None or not isinstance(size, int):
            part = None
        else:
            part = atoms[start : start + size]
            start += size
        parts.append(tuple(None if value.shape[i] == 1 else (part if i == axis else a) for i, a in enumerate(dims)))
        if part is not None and len(part) == 1:
            d.keep(part)
    d.of[node] = parts


@rule("unbind")
def unbind(d: Dimensions, node: fx.Node) -> None:
    """One tensor for each place of a dimension, which stays whole."""
    dims = d.dims(node.args[0])
    axis = normalised(int(argument(node, 1, "dim", 0)), len(dims))
    d.keep(dims[axis])
    d.of[node] = [tuple(a for i, a in enumerate(dims) if i != axis) for _ in value_of(node)]


@rule("slice", "narrow")
def slice_(d: Dimensions, node: fx.Node) -> None:
    """A range of one dimension; with a step of more than one the dimension stays whole."""
    dims = list(d.dims(node.args[0]))
    axis = normalised(int(argument(node, 1, "dim", 0)), len(dims))
    atoms, size = dims[axis], d.sizes(node)[axis]
    if atoms is not None:
        start, end = slice_range(node, len(atoms))
        if start is None or end is None or size is None or end - start != size:
            d.keep(atoms)
            dims[axis] = None
        else:
            dims[axis] = atoms[start:end]
            if size == 1:
                d.keep(atoms[start:end])
    d.set(node, dims)


def slice_range(node: fx.Node, size: int) -> tuple[int | None, int | None]:
    """First and last place (excluded) of a slice with constant bounds and a step of one; `(None, None)` for others."""
    if "narrow" in str(node.target):
        start, length = argument(node, 2, "start", 0), argument(node, 3, "length", None)
        end = start + length if isinstance(start, int) and isinstance(length, int) else None
    else:
        start, end = argument(node, 2, "start", None), argument(node, 3, "end", None)
        if argument(node, 4, "step", 1) != 1:
            return None, None
        start = 0 if start is None else start
        end = size if end is None else end
    if not isinstance(start, int) or not isinstance(end, int):
        return None, None
    start = max(start + size, 0) if start < 0 else min(start, size)
    end = max(end + size, 0) if end < 0 else min(end, size)
    return start, end


@rule(
    "select", "index_select", "gather", "take_along_dim", "select_scatter", "slice_scatter", "index_copy", "index_fill"
)
def pick(d: Dimensions, node: fx.Node) -> None:
    """Places of one dimension are picked or written: that dimension stays whole, the others pass."""
    name = str(node.target)
    scatter = "scatter" in name or "index_copy" in name
    axis_position = 2 if "_scatter" in name else 1
    dims = list(d.dims(node.args[0]))
    axis = normalised(int(argument(node, axis_position, "dim", 0)), len(dims))
    d.keep(dims[axis])
    dims[axis] = None
    if "gather" in name or "take_along" in name:
        dims = _same(d, dims, node.args[2], d.sizes(node.args[0]), axis)
    elif scatter:
        value = node.args[3] if "index_copy" in name else node.args[1]
        other = list(d.dims(value))
        if len(other) < len(dims):
            other.insert(axis, None)
        dims = [None if i == axis else d.tie(a, b) for i, (a, b) in enumerate(zip(dims, other, strict=True))]
    if "aten.select." in name:
        dims.pop(axis)
    d.set(node, dims)


def _same(
    d: Dimensions, dims: list[Atoms | None], node: Any, sizes: Sequence[int | None], axis: int
) -> list[Atoms | None]:
    """Dimensions of another operand of the same sizes, `axis` left out, are the same."""
    other, shape = d.dims(node), d.sizes(node)
    out: list[Atoms | None] = []
    for i, atoms in enumerate(dims):
        if i == axis:
            d.keep(other[i])
            out.append(None)
        elif shape[i] == sizes[i]:
            out.append(d.tie(atoms, other[i]))
        else:
            d.keep(atoms)
            d.keep(other[i])
            out.append(None)
    return out


@rule("scatter", "scatter_add", "scatter_reduce", "index_add", "index_reduce")
def scatter(d: Dimensions, node: fx.Node) -> None:
    """`(x, dimension, index, source)`: rows of the source go to places of one dimension; the others are one."""
    name = str(node.target)
    dims = list(d.dims(node.args[0]))
    axis = normalised(int(node.args[1]), len(dims))  # type: ignore[arg-type]
    d.keep(dims[axis])
    dims[axis] = None
    sizes = d.sizes(node.args[0])
    operands = node.args[2:4] if "scatter" in name else node.args[3:4]
    for operand in operands:
        if isinstance(operand, fx.Node) and d.sizes(operand):
            dims = _same(d, dims, operand, sizes, axis)
    d.set(node, dims)


@rule("index")
def index(d: Dimensions, node: fx.Node) -> None:
    """Indexing by one tensor keeps that dimension whole; by several, all."""
    indices = list(node.args[1])  # type: ignore[arg-type]
    used = [i for i, n in enumerate(indices) if n is not None]
    dims = list(d.dims(node.args[0]))
    if len(used) != 1:
        d.whole(node)
        return
    axis = used[0]
    d.keep(dims[axis])
    rank = len(d.sizes(indices[axis]))
    if value_of(indices[axis]).dtype in (torch.bool, torch.uint8):
        d.whole(node)
        return
    d.freeze(indices[axis])
    d.set(node, [*dims[:axis], *([None] * rank), *dims[axis + 1 :]])
