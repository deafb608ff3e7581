"""Ops of the imaging domain: convolutions, blocks, pools and a head, for two dimensions and three.

Values: `image` (example, channel, row, column) or (example, channel, depth, row, column). An op takes its dimension
from its input. A stride of 2 halves the sides, but for those shorter than 4, which stay: so small images suit every
space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gnas.architecture import Value
from gnas.errors import InvalidShapeError
from gnas.ops import Layer, Op, Params, SimpleOp, TensorType, same_type
from gnas.ops_generic import ACTIVATIONS, GENERIC_OPS, whole

if TYPE_CHECKING:
    from torch import nn

__all__ = ["imaging_ops"]

_SHORTEST = 4
_NORMS: tuple[Value, ...] = ("batch", "instance", "none")
_KINDS: tuple[Value, ...] = tuple(ACTIVATIONS)
_PLACEWISE = ("identity", "add", "multiply", "maximum", "activation", "dropout")
"""Generic ops that make sense on images: those that act number by number."""


def imaging_ops(n_outputs: int) -> Mapping[str, Op]:
    """All ops of the domain by name.

    Args:
        n_outputs: Numbers for each image that the head returns.
    """
    generic = {name: GENERIC_OPS[name] for name in _PLACEWISE}
    return {**generic, **{op.name: op for op in (*_blocks(), *_others(n_outputs))}}


def _blocks() -> tuple[SimpleOp, ...]:
    """Ops that take a width, a stride and a kernel."""
    plain: Params = {"width": None, "stride": 1, "kernel": 3}
    normed: Params = {**plain, "norm": "batch", "activation": "relu"}
    accepted: Mapping[str, tuple[Value, ...]] = {
        "norm": _NORMS,
        "activation": _KINDS,
        "kernel": (1, 3, 5, 7, 9),
        "stride": (1, 2, 4),
    }
    few = {name: accepted[name] for name in ("kernel", "stride")}
    return (
        SimpleOp("conv", _convolved, _Block("ConvolutionBlock"), {**normed, "dilation": 1}, accepted),
        SimpleOp("dilated_conv", _convolved, _Block("ConvolutionBlock"), {**normed, "dilation": 2}, accepted),
        SimpleOp("separable_conv", _convolved, _Block("SeparableBlock"), normed, accepted),
        SimpleOp("residual", _convolved, _Block("ResidualBlock"), {**normed, "squeeze": False}, accepted),
        SimpleOp(
            "mbconv", _convolved, _Block("InvertedBottleneck"), {**normed, "expansion": 3, "squeeze": False}, accepted
        ),
        SimpleOp("convnext", _convolved, _Block("ConvNeXtBlock"), {**plain, "kernel": 7, "expansion": 4}, few),
    )


def _others(n_outputs: int) -> tuple[SimpleOp, ...]:
    stride = {"stride": (1, 2, 4)}
    return (
        SimpleOp("max_pool", _pooled, partial(_pool, "max"), {"stride": 2}, stride),
        SimpleOp("mean_pool", _pooled, partial(_pool, "mean"), {"stride": 2}, stride),
        SimpleOp("join", _joined, _join, arity=(1, None)),
        SimpleOp("norm", _normed, _norm, {"kind": "batch"}, {"kind": ("batch", "instance")}),
        SimpleOp(
            "head",
            partial(_headed, n_outputs),
            partial(_head, n_outputs),
            {"pool": "mean", "dropout": 0.0},
            {"pool": ("mean", "max", "mean_max")},
        ),
    )


def channels_of(value: TensorType) -> int:
    """Channels of an image.

    Raises:
        InvalidShapeError: It is none.
    """
    if len(value.shape) not in (4, 5) or not all(isinstance(n, int) for n in value.shape[1:]):
        raise InvalidShapeError("input", value, "an image ['example', channels, (depth,) rows, columns]")
    if not value.dtype.startswith(("float", "bfloat")):
        raise InvalidShapeError("input", f"{value} of {value.dtype}", "floating-point values")
    return int(value.shape[1])


def strides(value: TensorType, stride: int) -> list[int]:
    """The stride of each dimension: short ones keep their size."""
    return [stride if int(n) >= max(_SHORTEST, stride) else 1 for n in value.shape[2:]]


def shrunk(value: TensorType, width: int, stride: int) -> TensorType:
    """The type of an image after a strided op."""
    sides = [-(-int(n) // s) for n, s in zip(value.shape[2:], strides(value, stride), strict=True)]
    return TensorType(value.kind, (value.shape[0], width, *sides), value.dtype)


def _width(inputs: tuple[TensorType, ...], params: Params) -> int:
    channels = channels_of(inputs[0])
    if params.get("width") is None:
        return channels
    width = whole(params, "width")
    if width < 1:
        raise InvalidShapeError("parameter", f"width={width}", "1 or more")
    return width


def _convolved(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    for name in ("expansion", "dilation"):
        if name in params and whole(params, name) < 1:
            raise InvalidShapeError("parameter", f"{name}={params[name]}", "1 or more")
    result = shrunk(inputs[0], _width(inputs, params), whole(params, "stride"))
    _check_norm(result, params.get("norm"))
    return result


def _check_norm(value: TensorType, norm: Value) -> None:
    if norm == "instance" and all(n == 1 for n in value.shape[2:]):
        raise InvalidShapeError("input", value, "more than one place for instance normalisation")


def _pooled(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    return shrunk(inputs[0], channels_of(inputs[0]), whole(params, "stride"))


def _joined(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    first = inputs[0]
    for other in inputs[1:]:
        if other.shape[2:] != first.shape[2:] or len(other.shape) != len(first.shape):
            raise InvalidShapeError("inputs", ", ".join(map(str, inputs)), "images of one size")
    width = sum(channels_of(value) for value in inputs)
    return TensorType(first.kind, (first.shape[0], width, *first.shape[2:]), first.dtype)


def _normed(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    channels_of(inputs[0])
    _check_norm(inputs[0], params["kind"])
    return same_type(inputs, params)


def _headed(n_outputs: int, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    channels_of(inputs[0])
    return TensorType("examples", (inputs[0].shape[0], n_outputs))


@dataclass(frozen=True, slots=True)
class _Block:
    """Construction of a layer of `gnas_imaging.layers` by name, with the op's parameters as arguments."""

    layer: str

    def __call__(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        arguments: dict[str, object] = {"channels": channels_of(inputs[0]), **params}
        arguments["width"] = _width(inputs, params)
        arguments["stride"] = strides(inputs[0], whole(params, "stride"))
        if "activation" in params:
            arguments["activation"] = ACTIVATIONS[str(params["activation"])]
        return Layer(_class(self.layer), arguments)


def _class(name: str) -> type[nn.Module]:
    from gnas_imaging import layers

    found: type[nn.Module] = getattr(layers, name)
    return found


def _pool(mode: str, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    return Layer(_class("Pool"), {"mode": mode, "stride": strides(inputs[0], whole(params, "stride"))})


def _join(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    return Layer(_class("JoinChannels"))


def _norm(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch import nn

    channels = channels_of(inputs[0])
    if params["kind"] == "instance":
        return Layer(nn.GroupNorm, {"num_groups": channels, "num_channels": channels})
    return Layer(nn.BatchNorm2d if len(inputs[0].shape) == 4 else nn.BatchNorm3d, {"num_features": channels})


def _head(n_outputs: int, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    return Layer(_class("ClassifierHead"), {"channels": channels_of(inputs[0]), "out": n_outputs, **params})
