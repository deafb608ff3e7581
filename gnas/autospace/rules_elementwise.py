"""Dimensions through ops that work element by element, and through those that leave all dimensions but a few alone."""

from __future__ import annotations

from typing import Any

from torch import fx

from gnas.autospace.atoms import Atoms
from gnas.autospace.dimensions import Dimensions, argument, normalised, rule
from gnas.autospace.functional import op_name

_ELEMENTWISE = frozenset(
    {
        "__and__", "__or__", "__xor__",
        "_to_copy", "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "alpha_dropout", "angle", "asin",
        "asinh", "atan", "atan2", "atanh", "bernoulli", "bfloat16", "bitwise_and", "bitwise_not", "bitwise_or",
        "bitwise_xor", "bool", "ceil", "celu", "clamp", "clamp_max", "clamp_min", "clip", "clone", "complex", "conj",
        "conj_physical", "contiguous", "copy", "copysign", "cos", "cosh", "deg2rad", "detach", "digamma", "div",
        "divide", "double", "dropout", "dropout_", "elu", "empty_like", "eq", "erf", "erfc", "erfinv", "exp", "exp2",
        "expm1", "fake_quantize", "feature_alpha_dropout", "feature_dropout", "fill", "float", "float_power", "floor",
        "floor_divide", "fmax", "fmin", "fmod", "frac", "full_like", "ge", "gelu", "greater", "greater_equal", "gt",
        "half", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "hypot", "imag", "isfinite",
        "isinf", "isnan", "le", "leaky_relu", "lerp", "less", "less_equal", "lgamma", "lift_fresh_copy", "log",
        "log10", "log1p", "log2", "log_sigmoid", "logaddexp", "logical_and", "logical_not", "logical_or",
        "logical_xor", "logit", "lt", "masked_fill", "maximum", "minimum", "mish", "mul", "multiply", "nan_to_num",
        "native_dropout", "ne", "neg", "negative", "nextafter", "not_equal", "ones_like", "polar", "positive", "pow",
        "rad2deg", "rand_like", "randint_like", "randn_like", "real", "reciprocal", "relu", "relu6", "remainder",
        "resolve_conj", "resolve_neg", "round", "rrelu", "rsqrt", "rsub", "selu", "sgn", "sigmoid", "sign", "signbit",
        "silu", "sin", "sinc", "sinh", "softmax_backward", "softplus", "softshrink", "softsign", "special_erf",
        "special_expit", "sqrt", "square", "sub", "subtract", "tan", "tanh", "threshold", "to", "true_divide",
        "trunc", "type_as", "where", "xlogy", "zeros_like",
    }
)  # fmt: skip


@rule(*sorted(_ELEMENTWISE))
def elementwise(d: Dimensions, node: fx.Node) -> None:
    """Dimensions are aligned from the right; where several operands have one of the same size, they are one."""
    sizes = d.sizes(node)
    out: list[Atoms | None] = [None] * len(sizes)
    seen = [False] * len(sizes)
    for source in d.inputs(node):
        dims, shape = d.dims(source), d.sizes(source)
        if len(shape) > len(sizes):
            d.whole(node)
            return
        shift = len(sizes) - len(shape)
        for i, (atoms, size) in enumerate(zip(dims, shape, strict=True)):
            place = i + shift
            if size == 1:
                continue
            out[place] = d.tie(out[place], atoms) if seen[place] else atoms
            seen[place] = True
    if node.meta.get("val") is not None and isinstance(d.none(node), list):
        # NOTE: native_dropout returns the value and its mask, both of the input's shape.
        d.of[node] = [tuple(out) for _ in d.none(node)]
        return
    d.set(node, out)


@rule("getitem")
def getitem(d: Dimensions, node: fx.Node) -> None:
    """One of several tensors."""
    source, index = node.args[0], node.args[1]
    found = d.of.get(source) if isinstance(source, fx.Node) else None
    if isinstance(found, list) and isinstance(index, int) and index < len(found):
        d.set(node, found[index] or d.none(node))
    else:
        d.of[node] = d.none(node)


def _keeping(d: Dimensions, node: fx.Node, dims: list[int] | None) -> None:
    """All dimensions pass but `dims` (all if None), which stay whole; same rank."""
    source = node.args[0]
    given = list(d.dims(source))
    chosen = range(len(given)) if dims is None else [normalised(i, len(given)) for i in dims]
    for i in chosen:
        d.keep(given[i])
        given[i] = None
    for other in d.inputs(node):
        if other is not source:
            d.freeze(other)
    template = d.none(node)
    if isinstance(template, list):
        d.of[node] = [tuple(given) if len(t) == len(given) else t for t in template]
    else:
        d.set(node, given)


@rule("softmax", "log_softmax", "_softmax", "_log_softmax", "cumsum", "cumprod", "logcumsumexp", "sort", "argsort")
def along_one(d: Dimensions, node: fx.Node) -> None:
    """What mixes the places of one dimension keeps that one whole."""
    _keeping(d, node, [int(argument(node, 1, "dim", -1))])


@rule("topk", "kthvalue")
def along_second(d: Dimensions, node: fx.Node) -> None:
    """The dimension is the second number."""
    _keeping(d, node, [int(argument(node, 2, "dim", -1))])


@rule("flip", "roll")
def along_several(d: Dimensions, node: fx.Node) -> None:
    """Places of some dimensions are moved."""
    dims = argument(node, 2 if "roll" in str(node.target) else 1, "dims", ())
    _keeping(d, node, list(dims) if dims else None)


@rule("fft_fft", "fft_ifft", "fft_rfft", "fft_irfft", "fft_hfft", "fft_ihfft")
def fourier(d: Dimensions, node: fx.Node) -> None:
    """The transformed dimension stays whole."""
    _keeping(d, node, [int(argument(node, 2, "dim", -1))])


@rule("fft_rfft2", "fft_irfft2", "fft_fft2", "fft_ifft2")
def fourier2(d: Dimensions, node: fx.Node) -> None:
    """Two transformed dimensions stay whole."""
    _keeping(d, node, list(argument(node, 2, "dim", (-2, -1))))


@rule("constant_pad_nd", "pad", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d")
def pad(d: Dimensions, node: fx.Node) -> None:
    """Padded dimensions stay whole."""
    padding: Any = list(node.args[1]) if isinstance(node.args[1], (list, tuple)) else [1, 1]
    rank = len(d.dims(node.args[0]))
    touched = [rank - 1 - i for i in range(len(padding) // 2) if padding[2 * i] != 0 or padding[2 * i + 1] != 0]
    _keeping(d, node, touched)


_SPATIAL = {"1d": 1, "2d": 2, "3d": 3}


@rule(
    *(f"{kind}_pool{n}" for kind in ("max", "avg", "adaptive_avg", "adaptive_max", "lp") for n in _SPATIAL),
    *(f"max_pool{n}_with_indices" for n in _SPATIAL),
    *(
        f"upsample_{k}"
        for k in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "bicubic2d", "trilinear3d")
    ),
    *(f"_upsample_{k}" for k in ("nearest_exact1d", "nearest_exact2d", "bilinear2d_aa", "bicubic2d_aa")),
    *(f"_adaptive_avg_pool{n}" for n in _SPATIAL),
    "grid_sampler",
    "grid_sampler_2d",
)
def spatial(d: Dimensions, node: fx.Node) -> None:
    """Pooling and resizing: the last one to three dimensions stay whole, channels pass."""
    name = str(node.target)
    count = next((c for key, c in _SPATIAL.items() if key in name), 2)
    rank = len(d.dims(node.args[0]))
    _keeping(d, node, list(range(rank - count, rank)))


@rule("sum", "mean", "amax", "amin", "max", "min", "std", "var", "prod", "argmax", "argmin", "any", "all", "logsumexp",
      "norm", "linalg_vector_norm", "std_mean", "var_mean", "median", "nanmean")  # fmt: skip
def reduce(d: Dimensions, node: fx.Node) -> None:
    """Sums and means go over channels that are left; other reductions keep theirs whole."""
    source = node.args[0]
    given, name = list(d.dims(source)), str(node.target)
    position = 2 if ("norm" in name) else 1
    chosen = argument(node, position, "dim", None)
    if isinstance(chosen, bool) or (chosen is not None and not isinstance(chosen, (int, list, tuple))):
        chosen = None
    listed = (
        list(range(len(given)))
        if chosen is None or chosen == []
        else [chosen]
        if isinstance(chosen, int)
        else list(chosen)
    )
    reduced = {normalised(int(i), len(given)) for i in listed}
    for i in reduced:
        if not _blind_to_zeros(node):
            d.keep(given[i])
    template = d.none(node)
    one = template[0] if isinstance(template, list) else template
    kept = [a for i, a in enumerate(given) if i not in reduced]
    out = [None if i in reduced else a for i, a in enumerate(given)] if len(one) == len(given) and reduced else kept
    if len(out) != len(one):
        d.whole(node)
    elif isinstance(template, list):
        d.of[node] = [tuple(out) for _ in template]
    else:
        d.set(node, out)


def _blind_to_zeros(node: fx.Node) -> bool:
    """Whether a reduction can do with the channels that are left: removed ones count as zeros (means and variances
    are put right by rewrites).
    """
    name = op_name(node)
    if name in {"norm", "linalg_vector_norm"}:
        order = argument(node, 1, "ord" if "linalg" in name else "p", 2)
        return isinstance(order, (int, float)) and order > 0
    return name in {"sum", "mean", "var", "std", "var_mean", "std_mean"}


@rule("prelu")
def prelu(d: Dimensions, node: fx.Node) -> None:
    """One slope a channel (dimension 1), or one for all."""
    x, weight = node.args[0], node.args[1]
    dims = list(d.dims(x))
    slopes = d.dims(weight)
    if slopes and slopes[0] is not None and len(dims) > 1:
        dims[1] = d.tie(dims[1], slopes[0])
    d.set(node, dims)


@rule("glu")
def glu(d: Dimensions, node: fx.Node) -> None:
    """The halves of one dimension are one."""
    dims = list(d.dims(node.args[0]))
    axis = normalised(int(argument(node, 1, "dim", -1)), len(dims))
    atoms = dims[axis]
    if atoms is not None:
        half = len(atoms) // 2
        dims[axis] = d.tie(atoms[:half], atoms[half:])
    d.set(node, dims)


@rule("sym_size", "sym_numel", "ge", "le", "item")
def number(d: Dimensions, node: fx.Node) -> None:
    """A number of the shapes that vary; comparisons of tensors are element by element."""
    if d.sizes(node):
        elementwise(d, node)
    else:
        d.of[node] = d.none(node)
