"""Ops of the time-series domain: convolutions, recurrence, attention, poolings, a head, and the generic ones.

Values: `series` (example, channel, step) and, after a global pool, `features` (example, width). Generic ops that act on
the last dimension serve `features`; `add` serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gnas.architecture import Value
from gnas.errors import InvalidShapeError
from gnas.ops import Inference, Layer, Op, Params, SimpleOp, TensorType, features
from gnas.ops_generic import ACTIVATIONS, GENERIC_OPS, side_by_side, whole

__all__ = ["KERNELS", "series_ops"]

KERNELS: tuple[Value, ...] = (3, 5, 7, 9, 11, 15, 21, 31, 41)
"""Kernel lengths that convolutions take."""

_KINDS: tuple[Value, ...] = tuple(ACTIVATIONS)
_POOLS: Mapping[str, tuple[str, ...]] = {
    "mean": ("mean",),
    "max": ("max",),
    "last": ("last",),
    "mean_max": ("mean", "max"),
}


def series_ops(n_outputs: int) -> Mapping[str, Op]:
    """All ops of the domain by name.

    Args:
        n_outputs: Width of what the head returns.
    """
    ops = (*_convolutions(), *_sequence(), *_poolings(), *_heads(n_outputs))
    return {**GENERIC_OPS, **{op.name: op for op in ops}}


def _convolutions() -> tuple[SimpleOp, ...]:
    plain: Params = {"width": 64, "kernel": 9, "stride": 1, "dilation": 1, "causal": False, "activation": "relu"}
    conv: Params = {**plain, "dropout": 0.0}
    kinds = {"kernel": (1, *KERNELS), "activation": ("none", *_KINDS)}
    inception: Params = {"width": 128, "kernel": 41, "bottleneck": 32, "activation": "relu"}
    temporal: Params = {"width": 64, "kernel": 3, "dilation": 1, "activation": "relu", "dropout": 0.0}
    of = {"activation": _KINDS}
    return (
        SimpleOp("conv", _convolved, partial(_conv, False), conv, kinds),
        SimpleOp("separable_conv", _convolved, partial(_conv, True), conv, kinds),
        SimpleOp("inception", partial(_divisible, 4, _widened), _inception, inception, {**of, "kernel": KERNELS}),
        SimpleOp("fixed_filters", _filtered, _fixed_filters, {"longest": 64}),
        SimpleOp("temporal_block", _widened, _temporal_block, temporal, of),
        SimpleOp(
            "residual", _residual_type, _residual, {"activation": "relu"}, {"activation": ("none", *_KINDS)}, (2, 2)
        ),
        SimpleOp("squeeze_excite", _same, _squeeze_excite, {"reduction": 8}),
        SimpleOp("stack", _stacked, _stack, arity=(1, None)),
    )


def _sequence() -> tuple[SimpleOp, ...]:
    recurrent: Params = {"width": 64, "bidirectional": False}
    return (
        SimpleOp("gru", _recurrent_type, partial(_recurrent, "GRU"), recurrent),
        SimpleOp("lstm", _recurrent_type, partial(_recurrent, "LSTM"), recurrent),
        SimpleOp("attention", _attended, _attention, {"heads": 4, "dropout": 0.0}),
        SimpleOp("patch_embedding", _patched, _patch_embedding, {"width": 64, "size": 8}),
    )


def _poolings() -> tuple[SimpleOp, ...]:
    modes: tuple[Value, ...] = (*_POOLS, "attention", "pieces")
    pool: Params = {"kind": "max", "size": 2}
    return (
        SimpleOp("pool", _pooled, _pool, pool, {"kind": ("max", "mean")}),
        SimpleOp("global_pool", _flat, _global_pool, {"mode": "mean", "pieces": 8}, {"mode": modes}),
        SimpleOp("statistics", _statistics_type, _statistics, {"pieces": 4}),
        SimpleOp("random_kernels", _kernels_type, _random_kernels, {"thresholds": 4}),
    )


def _heads(n_outputs: int) -> tuple[SimpleOp, ...]:
    head: Params = {"width": 64, "depth": 0, "activation": "relu", "dropout": 0.0, "norm": False}
    return (
        SimpleOp(
            "head",
            partial(_head_type, n_outputs),
            partial(_head, n_outputs),
            head,
            {"activation": _KINDS},
            (1, None),
        ),
    )


def channels_and_steps(value: TensorType) -> tuple[int, int]:
    """Channels and steps of a series.

    Raises:
        InvalidShapeError: It is something else.
    """
    if value.kind != "series" or len(value.shape) != 3 or value.dtype != "float32":
        raise InvalidShapeError("input", f"{value} of {value.dtype}", "a series: ['example', channel, step] of float32")
    _, channels, steps = value.shape
    if not isinstance(channels, int) or not isinstance(steps, int):
        raise InvalidShapeError("input", value, "a series with a fixed number of channels and steps")
    return channels, steps


def _series(channels: int, steps: int) -> TensorType:
    return TensorType("series", ("example", channels, steps))


def _positive(params: Params, *names: str) -> None:
    for name in names:
        if name in params and whole(params, name) < 1:
            raise InvalidShapeError("parameter", f"{name}={params[name]}", "1 or more")


def _divided(steps: int, by: int) -> int:
    return -(-steps // by)


def _widened(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "width", "kernel", "dilation")
    return _series(whole(params, "width"), channels_and_steps(inputs[0])[1])


def _convolved(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "stride")
    channels, steps = channels_and_steps(_widened(inputs, params))
    return _series(channels, _divided(steps, whole(params, "stride")))


def _divisible(by: int, inference: Inference, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    if whole(params, "width") % by:
        raise InvalidShapeError("parameter", f"width={params['width']}", f"a multiple of {by}")
    return inference(inputs, params)


def _filtered(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    longest = whole(params, "longest")
    if longest < 6:
        raise InvalidShapeError("parameter", f"longest={longest}", "6 or more")
    return _series(_filters(longest), channels_and_steps(inputs[0])[1])


def _filters(longest: int) -> int:
    """Number of fixed filters: two for each length 2, 4, 8, …, one for each 6, 12, 24, …"""
    return 2 * (longest.bit_length() - 1) + (longest // 6).bit_length()


def _residual_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _, later = channels_and_steps(inputs[0])
    _, earlier = channels_and_steps(inputs[1])
    if _divided(earlier, _stride(earlier, later)) != later:
        raise InvalidShapeError(
            "inputs", f"{inputs[0]}, {inputs[1]}", "an earlier series of as many steps, or a multiple"
        )
    return inputs[0]


def _stride(earlier: int, later: int) -> int:
    return _divided(earlier, later)


def _same(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "reduction")
    channels_and_steps(inputs[0])
    return inputs[0]


def _stacked(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    found = [channels_and_steps(value) for value in inputs]
    if len({steps for _, steps in found}) > 1:
        raise InvalidShapeError("inputs", ", ".join(map(str, inputs)), "series of one length")
    return _series(sum(channels for channels, _ in found), found[0][1])


def _recurrent_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    return _divisible(2 if params["bidirectional"] else 1, _widened, inputs, params)


def _attended(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    channels, _ = channels_and_steps(inputs[0])
    heads = whole(params, "heads")
    if heads < 1 or channels % heads:
        raise InvalidShapeError("parameter", f"heads={heads}", f"a divisor of the {channels} channels")
    return inputs[0]


def _patched(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "width", "size")
    return _series(whole(params, "width"), _divided(channels_and_steps(inputs[0])[1], whole(params, "size")))


def _pooled(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "size")
    channels, steps = channels_and_steps(inputs[0])
    return _series(channels, _divided(steps, whole(params, "size")))


def _flat(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "pieces")
    channels, steps = channels_and_steps(inputs[0])
    times = len(_POOLS.get(str(params["mode"]), ("attention",)))
    if params["mode"] == "pieces":
        times = min(whole(params, "pieces"), steps)
    return TensorType("features", ("example", times * channels))


def _statistics_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "pieces")
    channels, steps = channels_and_steps(inputs[0])
    return TensorType("features", ("example", (7 + min(whole(params, "pieces"), steps)) * channels))


def _kernels_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _positive(params, "thresholds")
    _, steps = channels_and_steps(inputs[0])
    return TensorType("features", ("example", 168 * _dilations(steps) * whole(params, "thresholds")))


def _dilations(steps: int) -> int:
    """How many of the dilations 1, 2, 4, … a kernel of nine steps has room for, at least one."""
    return max(1, ((steps - 1) // 8).bit_length())


def _head_type(n_outputs: int, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    joined = side_by_side(inputs, params)
    if joined.kind != "features" or len(joined.shape) != 2:
        raise InvalidShapeError("input", joined, "features: ['example', width], after a global_pool")
    _positive(params, "width")
    return TensorType("features", ("example", n_outputs))


def _activation(params: Params) -> str:
    return ACTIVATIONS.get(str(params["activation"]), "Identity")


def _channels(inputs: tuple[TensorType, ...]) -> int:
    return channels_and_steps(inputs[0])[0]


def _conv(separable: bool, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import ConvolutionBlock

    kwargs = {**params, "activation": _activation(params), "separable": separable}
    return Layer(ConvolutionBlock, {"channels": _channels(inputs), **kwargs})


def _inception(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import Inception

    return Layer(Inception, {"channels": _channels(inputs), **params, "activation": _activation(params)})


def _fixed_filters(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import FixedFilters

    return Layer(FixedFilters, {"channels": _channels(inputs), **params})


def _temporal_block(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import TemporalBlock

    return Layer(TemporalBlock, {"channels": _channels(inputs), **params, "activation": _activation(params)})


def _residual(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import ResidualSum

    (width, later), (channels, earlier) = map(channels_and_steps, inputs)
    stride = _stride(earlier, later)
    kwargs = {"channels": channels, "width": width, "stride": stride, "activation": _activation(params)}
    return Layer(ResidualSum, kwargs)


def _squeeze_excite(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import SqueezeExcite

    return Layer(SqueezeExcite, {"channels": _channels(inputs), **params})


def _stack(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_conv import StackChannels

    return Layer(StackChannels)


def _recurrent(cell: str, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_sequence import Recurrent

    return Layer(Recurrent, {"channels": _channels(inputs), **params, "cell": cell})


def _attention(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_sequence import AttentionBlock

    return Layer(AttentionBlock, {"channels": _channels(inputs), **params})


def _patch_embedding(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_sequence import PatchEmbedding

    channels, steps = channels_and_steps(inputs[0])
    return Layer(PatchEmbedding, {"channels": channels, **params, "patches": _divided(steps, whole(params, "size"))})


def _pool(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_sequence import StridedPool

    return Layer(StridedPool, dict(params))


def _global_pool(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_sequence import AttentionPool, GlobalPool, PiecesPool

    mode = str(params["mode"])
    if mode == "pieces":
        return Layer(PiecesPool, {"pieces": min(whole(params, "pieces"), channels_and_steps(inputs[0])[1])})
    if mode == "attention":
        return Layer(AttentionPool, {"channels": _channels(inputs)})
    return Layer(GlobalPool, {"modes": list(_POOLS[mode])})


def _statistics(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_features import Statistics

    channels, steps = channels_and_steps(inputs[0])
    return Layer(Statistics, {"channels": channels, "pieces": min(whole(params, "pieces"), steps)})


def _random_kernels(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_timeseries.layers_features import RandomKernels

    channels, steps = channels_and_steps(inputs[0])
    return Layer(RandomKernels, {"channels": channels, "dilations": _dilations(steps), **params})


def _head(n_outputs: int, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas.layers import Perceptron

    arguments = {"channels": features(side_by_side(inputs, params)), **params, "activation": _activation(params)}
    return Layer(Perceptron, {**arguments, "out": n_outputs})
