"""Ops that know no domain: they act on the last dimension of any floating-point value. Domains add them to theirs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gnas.errors import InvalidShapeError
from gnas.ops import Layer, Op, Params, SimpleOp, TensorType, features, same_type, with_features

__all__ = ["ACTIVATIONS", "GENERIC_OPS", "side_by_side", "whole"]

ACTIVATIONS: Mapping[str, str] = {
    "elu": "ELU",
    "gelu": "GELU",
    "leaky_relu": "LeakyReLU",
    "relu": "ReLU",
    "silu": "SiLU",
    "tanh": "Tanh",
}
"""Names in spaces and the classes of `torch.nn`."""


def side_by_side(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    """Type of the inputs joined along the last dimension; the kind is the first one's.

    Raises:
        InvalidShapeError: The other dimensions or the dtypes differ.
    """
    first = inputs[0]
    for other in inputs[1:]:
        if other.shape[:-1] != first.shape[:-1] or other.dtype != first.dtype:
            expected = f"all {[*first.shape[:-1], '…']}"
            raise InvalidShapeError("inputs", ", ".join(map(str, inputs)), expected)
    return with_features(first, sum(features(value) for value in inputs))


def whole(params: Params, name: str) -> int:
    """A parameter that is a whole number."""
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidShapeError("parameter", f"{name}={value!r}", "a whole number")
    return value


def _floating(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    first = same_type(inputs, params)
    if not first.dtype.startswith(("float", "bfloat")):
        raise InvalidShapeError("inputs", f"{first} of {first.dtype}", "a floating-point value")
    return first


def _widened(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    joined = side_by_side(inputs, params)
    _floating((joined,), params)
    if whole(params, "width") < 1:
        raise InvalidShapeError("parameter", f"width={params['width']}", "1 or more")
    if params.get("depth") == 0:
        return joined
    return with_features(joined, whole(params, "width"))


def _plain(module: str, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas import layers

    return Layer(getattr(layers, module))


def _identity(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    return Layer(nn.Identity)


def _linear(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    return Layer(nn.Linear, {"in_features": features(inputs[0]), "out_features": params["width"]})


def _activation(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    return Layer(getattr(nn, ACTIVATIONS[str(params["kind"])]))


def _layer_norm(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    return Layer(nn.LayerNorm, {"normalized_shape": features(inputs[0])})


def _dropout(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    return Layer(nn.Dropout, {"p": params["rate"]})


def _perceptron(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas.layers import Perceptron

    return Layer(
        Perceptron,
        {
            "channels": features(side_by_side(inputs, params)),
            "width": params["width"],
            "depth": params["depth"],
            "activation": ACTIVATIONS[str(params["activation"])],
            "dropout": params["dropout"],
            "out": None,
            "norm": params["norm"],
        },
    )


def _residual(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas.layers import ResidualPerceptron

    channels = features(inputs[0])
    return Layer(
        ResidualPerceptron,
        {
            "channels": channels,
            "width": whole(params, "expansion") * channels,
            "activation": ACTIVATIONS[str(params["activation"])],
            "dropout": params["dropout"],
        },
    )


_KINDS = tuple(ACTIVATIONS)
_OPS = (
    SimpleOp("identity", same_type, _identity),
    SimpleOp("add", _floating, partial(_plain, "Add"), arity=(1, None)),
    SimpleOp("average", _floating, partial(_plain, "Average"), arity=(1, None)),
    SimpleOp("multiply", _floating, partial(_plain, "Multiply"), arity=(1, None)),
    SimpleOp("maximum", _floating, partial(_plain, "Maximum"), arity=(1, None)),
    SimpleOp("concat", side_by_side, partial(_plain, "Concat"), arity=(1, None)),
    SimpleOp("linear", _widened, _linear, {"width": 64}),
    SimpleOp("activation", _floating, _activation, {"kind": "relu"}, {"kind": _KINDS}),
    SimpleOp("layer_norm", _floating, _layer_norm),
    SimpleOp("dropout", _floating, _dropout, {"rate": 0.1}),
    SimpleOp(
        "mlp",
        _widened,
        _perceptron,
        {"width": 64, "depth": 1, "activation": "relu", "dropout": 0.0, "norm": False},
        {"activation": _KINDS},
        arity=(1, None),
    ),
    SimpleOp(
        "feed_forward",
        _floating,
        _residual,
        {"expansion": 2, "activation": "relu", "dropout": 0.0},
        {"activation": _KINDS},
    ),
)
GENERIC_OPS: Mapping[str, Op] = {op.name: op for op in _OPS}
"""By name: `identity`, `linear`, `mlp`, `feed_forward`, `layer_norm`, `dropout`, `activation`, and five that join."""
