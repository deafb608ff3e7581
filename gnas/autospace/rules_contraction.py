"""Dimensions through convolutions, linear layers, matrix products, attention and recurrent layers."""

from __future__ import annotations

from typing import Any

from torch import fx

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import Dimensions, argument, rule
from gnas.autospace.functional import op_name


@rule("linear")
def linear(d: Dimensions, node: fx.Node) -> None:
    """`x (…, in)`, `weight (out, in)`, `bias (out,)`."""
    x, weight = d.dims(node.args[0]), d.dims(node.args[1])
    bias = d.dims(argument(node, 2, "bias"))
    if len(weight) == 1:
        d.tie(x[-1], weight[0])
        d.set(node, x[:-1])
        return
    d.tie(x[-1], weight[1])
    out = weight[0]
    if bias:
        out = d.tie(out, bias[0]) if weight[0] is not None else None
    d.set(node, (*x[:-1], out))


@rule("conv1d", "conv2d", "conv3d")
def convolution(d: Dimensions, node: fx.Node) -> None:
    """`weight (out, in / groups, …)`."""
    _convolution(d, node, int(argument(node, 6, "groups", 1)), transposed=False)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(d: Dimensions, node: fx.Node) -> None:
    """`weight (in, out / groups, …)`."""
    _convolution(d, node, int(argument(node, 6, "groups", 1)), transposed=True)


@rule("convolution")
def any_convolution(d: Dimensions, node: fx.Node) -> None:
    """The general form: `(x, weight, bias, stride, padding, dilation, transposed, output padding, groups)`."""
    _convolution(d, node, int(node.args[8]), transposed=bool(node.args[6]))  # type: ignore[arg-type]


def _convolution(d: Dimensions, node: fx.Node, groups: int, *, transposed: bool) -> None:
    x, weight = list(d.dims(node.args[0])), d.dims(node.args[1])
    bias = d.dims(argument(node, 2, "bias"))
    spatial = len(weight) - 2
    channel = len(x) - spatial - 1
    for atoms in (*x[channel + 1 :], *weight[2:]):
        d.keep(atoms)
    n_in, n_out = d.sizes(node.args[0])[channel], d.sizes(node)[channel]
    inner, outer = (weight[0], weight[1]) if transposed else (weight[1], weight[0])
    if groups == 1:
        d.tie(x[channel], inner)
        out = outer
    else:
        out = _grouped(d, node, x[channel], inner, outer, (groups, n_in or 1, n_out or 1), transposed=transposed)
    if bias:
        out = d.tie(out, bias[0])
    result: list[Atoms | None] = [*x[:channel], out, *([None] * spatial)]
    d.set(node, result)


def _grouped(
    d: Dimensions,
    node: fx.Node,
    x: Atoms | None,
    inner: Atoms | None,
    outer: Atoms | None,
    counts: tuple[int, int, int],
    *,
    transposed: bool,
) -> Atoms | None:
    """Channels are pairs (group, place in it): the number of groups and both places can shrink apart."""
    groups, n_in, n_out = counts
    if x is None:
        d.keep(inner)
        d.keep(outer)
        return None
    g = d.table.fresh(groups)
    full_in, full_out = (inner, outer) if not transposed else (None, None)
    places_in = (full_in if full_in is not None else d.table.fresh(n_in // groups)) if n_in > groups else None
    _pairs(d, x, g, places_in)
    node.meta["gnas_groups"] = g
    if transposed:
        # weight (in, out / groups): rows are the input channels, columns the places of the output.
        if inner is not None:
            d.tie(inner, x)
        places_out = outer if n_out > groups else None
        out = d.table.fresh(n_out)
        _pairs(d, out, g, places_out)
        return out
    out = full_out if full_out is not None else d.table.fresh(n_out)
    places_out = d.table.fresh(n_out // groups) if n_out > groups else None
    _pairs(d, out, g, places_out)
    return out


def _pairs(d: Dimensions, whole: Atoms, groups: Atoms, places: Atoms | None) -> None:
    if places is None:
        d.table.tie(whole, groups)
    else:
        d.table.product(whole.reshape(len(groups), len(places)), (groups, places))


@rule("matmul", "mm", "bmm", "mv", "dot")
def matrix_product(d: Dimensions, node: fx.Node) -> None:
    """`(…, n, k) @ (…, k, m)`, leading dimensions broadcast."""
    a, b = d.dims(node.args[0]), d.dims(node.args[1])
    d.tie(a[-1], b[-2] if len(b) > 1 else b[0])
    rows = list(a[-2:-1]) if len(a) > 1 else []
    columns = [b[-1]] if len(b) > 1 else []
    rank = len(d.sizes(node)) - len(rows) - len(columns)
    d.set(node, [*_batch(d, node.args[0], a, node.args[1], b, rank), *rows, *columns])


def _batch(
    d: Dimensions, x: Any, a: tuple[Atoms | None, ...], y: Any, b: tuple[Atoms | None, ...], rank: int
) -> list[Atoms | None]:
    """Leading dimensions of two batches of matrices, broadcast to `rank`."""
    out: list[Atoms | None] = [None] * rank
    seen = [False] * rank
    for node, dims in ((x, a), (y, b)):
        lead, sizes = dims[:-2], d.sizes(node)[:-2]
        for i, (atoms, size) in enumerate(zip(lead, sizes, strict=True)):
            place = rank - len(lead) + i
            if size != 1:
                out[place] = d.tie(out[place], atoms) if seen[place] else atoms
                seen[place] = True
    return out


@rule("addmm", "baddbmm", "addbmm")
def add_product(d: Dimensions, node: fx.Node) -> None:
    """`bias + a @ b`."""
    bias, a, b = (d.dims(n) for n in node.args[:3])
    d.tie(a[-1], b[-2])
    out: list[Atoms | None] = [*a[:-1], b[-1]]
    if len(a) == 3:
        out[0] = d.tie(a[0], b[0])
    sizes = d.sizes(node.args[0])
    for i in range(1, len(bias) + 1):
        if sizes[-i] != 1:
            out[-i] = d.tie(out[-i], bias[-i])
    d.set(node, out)


@rule("einsum")
def einsum(d: Dimensions, node: fx.Node) -> None:
    """Every letter is one dimension."""
    equation, operands = str(node.args[0]).replace(" ", ""), list(node.args[1])  # type: ignore[arg-type]
    if "." in equation:
        d.whole(node)
        return
    left, _, right = equation.partition("->")
    if "->" not in equation:
        letters = [c for c in left if c != ","]
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    known: dict[str, Atoms | None] = {}
    for term, operand in zip(left.split(","), operands, strict=True):
        for letter, atoms, size in zip(term, d.dims(operand), d.sizes(operand), strict=True):
            if size == 1:
                continue
            known[letter] = d.tie(known[letter], atoms) if letter in known else atoms
    d.set(node, [known.get(letter) for letter in right])


@rule("scaled_dot_product_attention")
def attention(d: Dimensions, node: fx.Node) -> None:
    """`query (…, L, E)`, `key (…, S, E)`, `value (…, S, Ev)`.

    Heads of all three are one, and of a mask that has them.
    """
    q, k, v = (d.dims(n) for n in node.args[:3])
    mask = argument(node, 3, "attn_mask")
    lead: list[Atoms | None] = list(q[:-2])
    grouped = bool(argument(node, 7, "enable_gqa", False))
    shapes = [d.sizes(n)[:-2] for n in node.args[:3]]
    for other, shape in ((k, shapes[1]), (v, shapes[2])):
        for i, atoms in enumerate(other[:-2]):
            if grouped or shape != shapes[0]:
                d.keep(atoms)
                d.keep(lead[i])
                lead[i] = None
            else:
                lead[i] = d.tie(lead[i], atoms)
    d.tie(q[-1], k[-1])
    d.keep(d.tie(k[-2], v[-2]))
    if isinstance(mask, fx.Node):
        d.freeze(mask)
        sizes = d.sizes(mask)
        for i in range(3, min(len(sizes), len(q)) + 1):
            if sizes[-i] != 1:
                d.keep(lead[len(lead) + 2 - i])
                lead[len(lead) + 2 - i] = None
    d.keep(q[-2])
    d.set(node, [*lead, None, v[-1]])


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent(d: Dimensions, node: fx.Node) -> None:
    """Hidden units are one over gates, and over layers and directions, which share one tensor of first states."""
    name = str(node.target)
    gates = 4 if "lstm" in name else 3 if "gru" in name else 1
    x = node.args[0]
    states = list(node.args[1]) if isinstance(node.args[1], (list, tuple)) else [node.args[1]]
    params = list(node.args[2])  # type: ignore[arg-type]
    has_biases, layers, _, _, bidirectional, _ = (
        node.args[3:9] if len(node.args) >= 9 else (True, 0, 0, 0, False, False)
    )
    directions = 2 if bidirectional else 1
    per = len(params) // max(int(layers or 1) * directions, 1)  # type: ignore[arg-type]
    if ".data" in name or per != (4 if has_biases else 2):
        d.whole(node)
        return
    hidden: Atoms | None = None
    for state in states:
        dims = d.dims(state)
        d.keep(dims[0])
        hidden = dims[-1] if hidden is None else d.tie(hidden, dims[-1])
    given = d.dims(x)[-1]
    if hidden is None:
        d.whole(node)
        return
    for layer in range(int(layers)):  # type: ignore[arg-type]
        for direction in range(directions):
            first = (layer * directions + direction) * per
            _cell(d, params[first : first + per], given, hidden, gates)
        given = _stacked(d, hidden, directions)
    out = [*d.dims(x)[:-1], given]
    template = d.none(node)
    results: list[Any] = [tuple(out)]
    results.extend((None, *d.dims(states[0])[1:-1], hidden) for _ in template[1:])
    d.of[node] = results


@rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def recurrent_cell(d: Dimensions, node: fx.Node) -> None:
    """One step of a recurrent layer: hidden units are one over gates and states."""
    name = op_name(node)
    gates = 4 if name.startswith("lstm") else 3 if name.startswith("gru") else 1
    states = list(node.args[1]) if isinstance(node.args[1], (list, tuple)) else [node.args[1]]
    params = [n for n in (*node.args[2:], *node.kwargs.values()) if isinstance(n, fx.Node)]
    hidden = d.dims(states[0])[-1]
    for state in states[1:]:
        hidden = d.tie(hidden, d.dims(state)[-1])
    if hidden is None:
        d.whole(node)
        return
    _cell(d, params, d.dims(node.args[0])[-1], hidden, gates)
    result = (*d.dims(node.args[0])[:-1], hidden)
    d.of[node] = [result for _ in d.none(node)] if gates == 4 else result


def _cell(d: Dimensions, params: list[Any], given: Atoms | None, hidden: Atoms, gates: int) -> None:
    into, back, *biases = (d.dims(p) for p in params)
    d.tie(into[1], given)
    d.tie(back[1], hidden)
    for rows in (into[0], back[0], *(b[0] for b in biases)):
        if rows is None:
            d.keep(hidden)
            continue
        for gate in range(gates):
            d.tie(rows[gate * len(hidden) : (gate + 1) * len(hidden)], hidden)


def _stacked(d: Dimensions, hidden: Atoms, directions: int) -> Atoms:
    """Outputs of both directions side by side: the same hidden units twice."""
    if directions == 1:
        return hidden
    both = d.table.fresh(2 * len(hidden))
    d.tie(both[: len(hidden)], hidden)
    d.tie(both[len(hidden) :], hidden)
    return both


@rule("embedding")
def embedding(d: Dimensions, node: fx.Node) -> None:
    """`weight (row, feature)`: rows stay, features pass."""
    weight = d.dims(node.args[0])
    d.keep(weight[0])
    d.freeze(node.args[1])  # type: ignore[arg-type]
    d.set(node, [*([None] * (len(d.sizes(node)) - 1)), weight[1]])


@rule("embedding_bag", "_embedding_bag")
def bags(d: Dimensions, node: fx.Node) -> None:
    """`weight (row, feature)`: rows stay, features pass to the bags `(bag, feature)`; other results are counts."""
    weight = d.dims(node.args[0])
    d.keep(weight[0])
    results = list(d.none(node))
    results[0] = (None, weight[1])
    d.of[node] = results


@rule("bilinear")
def bilinear(d: Dimensions, node: fx.Node) -> None:
    """`x (…, left)`, `y (…, right)`, `weight (out, left, right)`, `bias (out,)`; leading sizes are equal."""
    x, y, weight = (d.dims(operand) for operand in node.args[:3])
    bias = d.dims(argument(node, 3, "bias"))
    d.tie(x[-1], weight[1])
    d.tie(y[-1], weight[2])
    out = d.tie(weight[0], bias[0]) if bias else weight[0]
    d.set(node, [*(d.tie(a, b) for a, b in zip(x[:-1], y[:-1], strict=True)), out])


@rule("cdist", "_cdist_forward", "_euclidean_dist")
def distances(d: Dimensions, node: fx.Node) -> None:
    """`x (…, P, M)`, `y (…, R, M)`: distances `(…, P, R)`; what is removed has no share in them."""
    x, y = d.dims(node.args[0]), d.dims(node.args[1])
    order = argument(node, 2, "p", 2.0)
    shared = d.tie(x[-1], y[-1])
    if not isinstance(order, (int, float)) or order <= 0:
        d.keep(shared)
    rank = len(d.sizes(node)) - 2
    d.set(node, [*_batch(d, node.args[0], x, node.args[1], y, rank), x[-2], y[-2]])


@rule("cosine_similarity")
def cosine(d: Dimensions, node: fx.Node) -> None:
    """Both operands broadcast, one dimension is summed over."""
    shapes = [d.sizes(n) for n in node.args[:2]]
    if len(shapes[0]) != len(shapes[1]):
        d.whole(node)
        return
    axis = int(argument(node, 2, "dim", 1)) % len(shapes[0])
    out: list[Atoms | None] = []
    for a, b, m, n in zip(*(d.dims(n) for n in node.args[:2]), *shapes, strict=True):
        out.append(a if n == 1 else b if m == 1 else d.tie(a, b))
    d.set(node, [atoms for i, atoms in enumerate(out) if i != axis])
