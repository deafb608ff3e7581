"""Multiply-accumulates of the ops of a program as products of sizes, so that they are known for any widths.

Counted is what `gnas.hardware.costs` counts of a running network: matrix products, convolutions, attention, recurrent
layers; no element-wise arithmetic, and no product of a matrix and a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_map

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import RULES, Dimensions
from gnas.autospace.functional import op_name
from gnas.autospace.islands import island_of
from gnas.autospace.program import value_of
from gnas.hardware.costs import CostMode

Size = int | Atoms
"""A fixed size, or the channels of a dimension."""


@dataclass(frozen=True, slots=True)
class Product:
    """A number of multiply-accumulates.

    Attributes:
        factor: What is fixed.
        channels: Dimensions whose kept channels it is multiplied with.
        summed: Dimensions of which one must keep two channels or more, else nothing is summed and nothing counts;
            none where that does not matter.
    """

    factor: int
    channels: tuple[Atoms, ...]
    summed: tuple[Atoms, ...] = ()

    @classmethod
    def of(cls, *sizes: Size) -> Product:
        """The product of sizes."""
        factor = 1
        for size in sizes:
            factor *= size if isinstance(size, int) else 1
        return cls(factor, tuple(size for size in sizes if not isinstance(size, int)))


Formula = Callable[[Dimensions, fx.Node], list[Product]]
_FORMULAS: dict[str, Formula] = {}


def _formula(*names: str) -> Callable[[Formula], Formula]:
    def register(function: Formula) -> Formula:
        for name in names:
            _FORMULAS[name] = function
        return function

    return register


def macs_of(dimensions: Dimensions, node: fx.Node) -> list[Product]:
    """Multiply-accumulates of one op on the traced example; their sum counts."""
    name = op_name(node)
    if name in _FORMULAS:
        return _FORMULAS[name](dimensions, node)
    return _measured(node) if name == "island" or (name and name not in RULES) else []


def hint(size: Any) -> int:
    """A size on the traced example."""
    if isinstance(size, int):
        return size
    found = size.node.hint
    return int(found) if found is not None else 1


def sizes(d: Dimensions, node: Any) -> list[Size]:
    """Sizes of a tensor: channels where they are tracked."""
    shape = [hint(s) for s in value_of(node).shape]
    return [s if a is None else a for s, a in zip(shape, d.dims(node) or [None] * len(shape), strict=True)]


@_formula("linear")
def _linear(d: Dimensions, node: fx.Node) -> list[Product]:
    weight = sizes(d, node.args[1])
    return [Product.of(*sizes(d, node.args[0])[:-1], *weight)] if len(weight) == 2 else []


@_formula("bilinear")
def _bilinear(d: Dimensions, node: fx.Node) -> list[Product]:
    return [Product.of(*sizes(d, node.args[0])[:-1], *sizes(d, node.args[2]))]


@_formula("conv1d", "conv2d", "conv3d")
def _convolution(d: Dimensions, node: fx.Node) -> list[Product]:
    return _convolved(d, node, node)


@_formula("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(d: Dimensions, node: fx.Node) -> list[Product]:
    return _convolved(d, node, node.args[0])


@_formula("convolution", "_convolution")
def _any_convolution(d: Dimensions, node: fx.Node) -> list[Product]:
    return _convolved(d, node, node.args[0] if node.args[6] else node)


def _convolved(d: Dimensions, node: fx.Node, places: Any) -> list[Product]:
    """One application of the weight `(out, in / groups, …)` at each place of a plane."""
    weight, plane = sizes(d, node.args[1]), sizes(d, places)
    spatial = len(weight) - 2
    return [Product.of(*plane[: len(plane) - spatial - 1], *plane[len(plane) - spatial :], *weight)]


@_formula("matmul", "mm", "bmm")
def _matrix_product(d: Dimensions, node: fx.Node) -> list[Product]:
    if len(sizes(d, node.args[1])) < 2:
        return []
    return [Product.of(*sizes(d, node), sizes(d, node.args[0])[-1])]


@_formula("addmm", "baddbmm")
def _added_product(d: Dimensions, node: fx.Node) -> list[Product]:
    return [Product.of(*sizes(d, node), sizes(d, node.args[1])[-1])]


@_formula("mv", "dot", "addmv", "outer")
def _none(d: Dimensions, node: fx.Node) -> list[Product]:
    del d, node
    return []


@_formula("scaled_dot_product_attention")
def _attention(d: Dimensions, node: fx.Node) -> list[Product]:
    """Queries with keys, then weights with values."""
    query, value = sizes(d, node.args[0]), sizes(d, node.args[2])
    keys = value[-2]
    return [Product.of(*query, keys), Product.of(*query[:-1], keys, value[-1])]


@_formula("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(d: Dimensions, node: fx.Node) -> list[Product]:
    """Every weight of the gates once for each step of each sequence."""
    steps = sizes(d, node.args[0])[:-1]
    weights = [sizes(d, p) for p in node.args[2]]  # type: ignore[union-attr]
    return [Product.of(*steps, *weight) for weight in weights if len(weight) == 2]


@_formula("einsum")
def _einsum(d: Dimensions, node: fx.Node) -> list[Product]:
    """Pairs of operands in turn, each a product of all their letters but those that only one of them sums away."""
    equation, operands = str(node.args[0]).replace(" ", ""), list(node.args[1])  # type: ignore[arg-type]
    if "." in equation:
        return _measured(node)
    left, _, right = equation.partition("->")
    if "->" not in equation:
        right = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    known: dict[str, Size] = {}
    terms = left.split(",")
    for term, operand in zip(terms, operands, strict=True):
        for letter, size in zip(term, sizes(d, operand), strict=True):
            if not isinstance(size, int) or size != 1 or letter not in known:
                known[letter] = size
    path = list(node.kwargs.get("path") or (node.args[2] if len(node.args) > 2 else None) or [])  # type: ignore[arg-type]
    found = []
    while len(terms) > 1:
        i, j = (path.pop(0), path.pop(0)) if path else (0, 1)
        a, b = set(terms[i]), set(terms[j])
        terms = [t for k, t in enumerate(terms) if k not in (i, j)]
        later = set(right).union(*terms)
        summed = {c for c in (a & b) - later if not isinstance(known[c], int) or known[c] != 1}
        kept = (a | b) & later
        if summed and kept:
            product = Product.of(*(known[c] for c in sorted(kept | summed)))
            varying = tuple(size for c in sorted(summed) if not isinstance(size := known[c], int))
            found.append(replace(product, summed=varying if len(varying) == len(summed) else ()))
        terms.append("".join(sorted(kept)))
    return found


def _measured(node: fx.Node) -> list[Product]:
    """What an op whose dimensions stay whole counts on tensors of its shapes, without their values."""
    counter = CostMode(())
    try:
        with torch.no_grad(), counter:
            _call(node)
    except Exception:
        # NOTE: an op that does not run on tensors without values is counted as element-wise.
        return []
    return [Product.of(int(counter.flops / 2))]


def _call(node: fx.Node) -> None:
    if op_name(node) == "island":
        island = island_of(int(node.args[1]))  # type: ignore[arg-type]
        listed: Sequence[Any] = node.args[0]  # type: ignore[assignment]
        island.call([torch.zeros([hint(s) for s in value_of(n).shape], dtype=value_of(n).dtype) for n in listed])
        return
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: tree_map(_without_values, value_of(n)))
    node.target(*args, **kwargs)  # type: ignore[operator]


def _without_values(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty([hint(s) for s in value.shape], dtype=value.dtype, device="meta")
    return hint(value) if isinstance(value, torch.SymInt) else value
