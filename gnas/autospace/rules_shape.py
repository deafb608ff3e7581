"""Dimensions through ops that move, cut and join them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import Dimensions, argument, normalised, rule
from gnas.autospace.program import value_of

_A, _B = 1009, 2003
"""Two numbers that stand for sizes that vary, so that a product of sizes tells what it is made of."""


def _sizes(value: Any) -> list[tuple[int, int]]:
    """Every size twice: with all that vary replaced by one number and by another."""
    made = []
    for size in value.shape:
        if isinstance(size, torch.SymInt):
            expression = size.node.expr
            symbols = sorted(expression.free_symbols, key=str)
            try:
                made.append(
                    tuple(int(expression.subs({s: base + 2 * i for i, s in enumerate(symbols)})) for base in (_A, _B))
                )
            except (TypeError, ValueError):
                made.append((-1, -1))
        else:
            made.append((size, size))
    return made  # type: ignore[return-value]


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "_reshape_alias", "view_copy")
def view(d: Dimensions, node: fx.Node) -> None:
    """Runs of dimensions with equal products are the same channels: one to many factors them.

    Many to one multiplies them.
    """
    source = node.args[0]
    if not isinstance(source, fx.Node):
        d.whole(node)
        return
    dims, before, after = d.dims(source), _sizes(value_of(source)), _sizes(value_of(node))
    out: list[Atoms | None] = [None] * len(after)
    runs = _runs(before, after)
    if runs is None:
        d.whole(node)
        return
    for left, right in runs:
        _run(d, [dims[i] for i in left], [before[i] for i in left], [after[j] for j in right], right, out)
    d.set(node, out)


@rule("view_as", "reshape_as")
def view_as(d: Dimensions, node: fx.Node) -> None:
    """Reshaping to what another tensor is: both have the same channels."""
    view(d, node)
    d.set(node, [d.tie(a, b) for a, b in zip(d.dims(node), d.dims(node.args[1]), strict=True)])


def _run(
    d: Dimensions,
    given: list[Atoms | None],
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
    places: list[int],
    out: list[Atoms | None],
) -> None:
    big_in = [i for i, s in enumerate(before) if s != (1, 1)]
    big_out = [j for j, s in enumerate(after) if s != (1, 1)]
    if len(big_in) == 1 and len(big_out) == 1:
        out[places[big_out[0]]] = given[big_in[0]]
    elif len(big_in) == 1 and given[big_in[0]] is not None and all(a == b for a, b in after):
        whole = given[big_in[0]]
        factors = tuple(d.table.fresh(after[j][0]) for j in big_out)
        d.table.product(whole.reshape([len(f) for f in factors]), factors)  # type: ignore[union-attr]
        for j, factor in zip(big_out, factors, strict=True):
            out[places[j]] = factor
    elif len(big_out) == 1 and any(a is not None for a in given) and all(a == b for a, b in before):
        factors = tuple(or_frozen(d, given[i], before[i][0]) for i in big_in)
        whole = d.table.fresh(math.prod(len(f) for f in factors))
        d.table.product(whole.reshape([len(f) for f in factors]), factors)
        out[places[big_out[0]]] = whole
    else:
        for atoms in given:
            d.keep(atoms)


def or_frozen(d: Dimensions, atoms: Atoms | None, size: int) -> Atoms:
    """Atoms of a dimension; new ones that stay where it has none."""
    if atoms is not None:
        return atoms
    made = d.table.fresh(size)
    d.table.freeze(made)
    return made


def _runs(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> list[tuple[list[int], list[int]]] | None:
    """Shortest runs of dimensions on both sides with equal products; None if there are none."""
    runs: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left: list[int] = []
        right: list[int] = []
        a = b = (1, 1)
        while not left or not right or a != b:
            if left and right and a == b:
                break
            if i < len(before) and (j >= len(after) or (a[0] <= b[0] and not (left and a[0] == b[0] and a != b))):
                a = (a[0] * before[i][0], a[1] * before[i][1])
                left.append(i)
                i += 1
            elif j < len(after):
                b = (b[0] * after[j][0], b[1] * after[j][1])
                right.append(j)
                j += 1
            else:
                return runs if a == b and not right and all(before[k] == (1, 1) for k in left) else None
            if i >= len(before) and j >= len(after) and a != b:
                return None
            if i >= len(before) and j >= len(after):
                break
        runs.append((left, right))
    return runs


@rule("permute")
def permute(d: Dimensions, node: fx.Node) -> None:
    """Dimensions in another order."""
    dims = d.dims(node.args[0])
    d.set(node, [dims[normalised(i, len(dims))] for i in node.args[1]])  # type: ignore[union-attr, arg-type]


@rule("transpose", "swapaxes", "t", "numpy_T", "mT", "adjoint")
def transpose(d: Dimensions, node: fx.Node) -> None:
    """Two dimensions change places."""
    dims = list(d.dims(node.args[0]))
    if len(dims) < 2:
        d.set(node, dims)
        return
    a, b = (node.args[1], node.args[2]) if len(node.args) == 3 else (-2, -1)
    i, j = normalised(int(a), len(dims)), normalised(int(b), len(dims))  # type: ignore[arg-type]
    dims[i], dims[j] = dims[j], dims[i]
    d.set(node, dims)


@rule("unsqueeze")
def unsqueeze(d: Dimensions, node: fx.Node) -> None:
    """A dimension of one."""
    dims = list(d.dims(node.args[0]))
    dims.insert(normalised(int(node.args[1]), len(dims) + 1), None)  # type: ignore[arg-type]
    d.set(node, dims)


@rule("squeeze")
def squeeze(d: Dimensions, node: fx.Node) -> None:
    """Dimensions of one vanish."""
    dims, sizes = d.dims(node.args[0]), d.sizes(node.args[0])
    chosen = argument(node, 1, "dim", None)
    listed = range(len(dims)) if chosen is None else [chosen] if isinstance(chosen, int) else chosen
    gone = {i for i in (normalised(int(c), len(dims)) for c in listed) if sizes[i] == 1}
    d.set(node, [a for i, a in enumerate(dims) if i not in gone])


@rule("movedim")
def movedim(d: Dimensions, node: fx.Node) -> None:
    """Dimensions to other places."""
    dims = d.dims(node.args[0])
    moves: Any = node.args[1:3]
    source, target = ([a] if isinstance(a, int) else list(a) for a in moves)
    source = [normalised(int(i), len(dims)) for i in source]
    target = [normalised(int(i), len(dims)) for i in target]
    out: list[Any] = [...] * len(dims)
    for i, j in zip(source, target, strict=True):
        out[j] = dims[i]
    rest = iter([a for i, a in enumerate(dims) if i not in source])
    d.set(node, [next(rest) if a is ... else a for a in out])


@rule("expand", "expand_as", "broadcast_to")
def expand(d: Dimensions, node: fx.Node) -> None:
    """A size of one becomes many: new channels, which ops that read them tie to others."""
    dims, before, after = d.dims(node.args[0]), d.sizes(node.args[0]), d.sizes(node)
    like = d.dims(node.args[1]) if "expand_as" in str(node.target) else ()
    shift = len(after) - len(before)
    out: list[Atoms | None] = []
    for j, size in enumerate(after):
        old = before[j - shift] if j >= shift else 1
        if old != 1:
            atoms = dims[j - shift]
            out.append(d.tie(atoms, like[j]) if like else atoms)
        elif like:
            out.append(like[j])
        else:
            out.append(d.new(size))
    d.set(node, out)


@rule("zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "new_empty", "rand", "randn")
def created(d: Dimensions, node: fx.Node) -> None:
    """A new tensor of sizes that can shrink with what it is joined to."""
    d.of[node] = tuple(d.new(s) for s in d.sizes(node))


@rule("arange", "scalar_tensor", "eye", "linspace", "tril_indices", "randperm")
def numbers(d: Dimensions, node: fx.Node) -> None:
    """Numbers with a meaning stay."""
    d.of[node] = d.none(node)


@rule("repeat")
def repeat(d: Dimensions, node: fx.Node) -> None:
    """Dimensions repeated once pass; repeated ones stay whole.

    New ones of size one that are repeated are new channels.
    """
    dims, sizes, times = list(d.dims(node.args[0])), d.sizes(node.args[0]), list(node.args[1])  # type: ignore[arg-type]
    shift = len(times) - len(dims)
    out: list[Atoms | None] = [None] * shift
    for i, atoms in enumerate(dims):
        if times[i + shift] == 1:
            out.append(atoms)
        else:
            d.keep(atoms if sizes[i] != 1 else None)
            out.append(None)
    d.set(node, out)


@rule("pixel_shuffle")
def pixel_shuffle(d: Dimensions, node: fx.Node) -> None:
    """Channels are pairs (channel, pixel of a square), and the pixels go to the plane."""
    dims, r = list(d.dims(node.args[0])), int(node.args[1])  # type: ignore[arg-type]
    d.keep(dims[-1])
    d.keep(dims[-2])
    _factor_channels(d, node, dims, r * r, lead=False)


@rule("pixel_unshuffle")
def pixel_unshuffle(d: Dimensions, node: fx.Node) -> None:
    """Pixels of a square become channels."""
    dims, r = list(d.dims(node.args[0])), int(node.args[1])  # type: ignore[arg-type]
    atoms = dims[-3]
    d.keep(dims[-1])
    d.keep(dims[-2])
    if atoms is not None:
        pixels = or_frozen(d, None, r * r)
        whole = d.table.fresh(len(atoms) * r * r)
        d.table.product(whole.reshape(len(atoms), -1), (atoms, pixels))
        dims[-3] = whole
    d.set(node, [*dims[:-2], None, None])


def _factor_channels(d: Dimensions, node: fx.Node, dims: list[Atoms | None], inner: int, *, lead: bool) -> None:
    atoms = dims[-3]
    out: Atoms | None = None
    if atoms is not None and len(atoms) > inner:
        channels, pixels = d.table.fresh(len(atoms) // inner), or_frozen(d, None, inner)
        d.table.product(atoms.reshape(len(channels), inner), (channels, pixels))
        out = channels
    elif atoms is not None:
        d.keep(atoms)
    d.set(node, [*dims[:-3], out, None, None])


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(d: Dimensions, node: fx.Node) -> None:
    """Pairs (group, place) in the other order."""
    dims, groups = list(d.dims(node.args[0])), int(node.args[1])  # type: ignore[arg-type]
    atoms = dims[1]
    if atoms is not None:
        g, places = d.table.fresh(groups), d.table.fresh(len(atoms) // groups)
        grid = atoms.reshape(groups, -1)
        d.table.product(grid, (g, places))
        node.meta["gnas_groups"] = g
        dims[1] = grid.T.reshape(-1)
    d.set(node, dims)


@rule("view_as_real", "view_as_complex", "alias", "lift_fresh")
def complex_parts(d: Dimensions, node: fx.Node) -> None:
    """Real and imaginary part as a last dimension of two, or back."""
    dims = list(d.dims(node.args[0]))
    name = str(node.target)
    if "view_as_real" in name:
        dims.append(None)
    elif "view_as_complex" in name:
        d.keep(dims.pop())
    d.set(node, dims)
