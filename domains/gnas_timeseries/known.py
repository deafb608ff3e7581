"""Known good networks of the field, as assignments in `timeseries/default`. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from gnas.architecture import Value

__all__ = ["CAUSAL_POINTS", "INCEPTION_TIME", "SMALL_CORE_POINTS", "STARTING_POINTS"]

_PLAIN: Mapping[str, Value] = {
    "width": 128,
    "activation": "relu",
    "dropout": 0.0,
    "stem": "none",
    "groups": 3,
    "depth": 1,
    "dilated": False,
    "residual": False,
    "squeeze_excite": False,
    "shrink": 1,
    "neck": "none",
    "pool": "mean",
    "beside": "none",
    "head_depth": 0,
}


def _with_kernels(*kernels: int) -> dict[str, Value]:
    return {f"groups.{group}.kernel": kernel for group, kernel in enumerate(kernels)}


def _without(assignment: Mapping[str, Value], *names: str) -> dict[str, Value]:
    return {name: value for name, value in assignment.items() if name not in names}


INCEPTION_TIME: Mapping[str, Value] = {
    **_without(_PLAIN, "dilated"),
    "block": "inception",
    "groups": 2,
    "depth": 3,
    "residual": True,
    **_with_kernels(41, 41),
}
"""One network of InceptionTime; the paper joins five. Source: Ismail Fawaz et al. 2020, arXiv:1909.04939."""

FCN: Mapping[str, Value] = {**_PLAIN, "block": "conv", **_with_kernels(9, 5, 3)}
"""Fully convolutional network, here with one width. Source: Wang, Yan and Oates 2017, arXiv:1611.06455."""

RESNET: Mapping[str, Value] = {**FCN, "width": 64, "depth": 3, "residual": True}
"""Residual network, here with one kernel a group. Source: Wang, Yan and Oates 2017, arXiv:1611.06455."""

LITE: Mapping[str, Value] = {
    **_PLAIN,
    "width": 32,
    "stem": "fixed",
    "stem_kernel": 41,
    "block": "separable_conv",
    "groups": 2,
    "dilated": True,
    **_with_kernels(21, 9),
}
"""Fixed filters and separable convolutions. Source: Ismail-Fawaz et al. 2023, arXiv:2409.02869."""

TCN: Mapping[str, Value] = {
    **_PLAIN,
    "width": 32,
    "dropout": 0.1,
    "block": "temporal_block",
    "groups": 2,
    "depth": 3,
    "dilated": True,
    "pool": "last",
    **_with_kernels(5, 5),
}
"""Temporal convolutional network. Source: Bai, Kolter and Koltun 2018, arXiv:1803.01271."""

GRU: Mapping[str, Value] = {
    "width": 64,
    "activation": "relu",
    "dropout": 0.1,
    "stem": "conv",
    "stem_kernel": 9,
    "stem_stride": 2,
    "groups": 0,
    "neck": "gru",
    "neck_depth": 1,
    "bidirectional": True,
    "pool": "mean_max",
    "beside": "none",
    "head_depth": 0,
}
"""A convolution that halves the steps, then a GRU in both directions."""

COMPACT: Mapping[str, Value] = {
    **_PLAIN,
    "width": 64,
    "dropout": 0.2,
    "block": "conv",
    "squeeze_excite": True,
    "shrink": 2,
    "pool": "mean_max",
    "head_depth": 1,
    **_with_kernels(9, 5, 5),
}
"""Convolutions with pools between them, as ECG and motion classifiers have them: cheap and strong."""

PLACED: Mapping[str, Value] = {
    **_PLAIN,
    "width": 32,
    "dropout": 0.2,
    "block": "conv",
    "groups": 2,
    "pool": "pieces",
    "pool_pieces": 8,
    "head_depth": 1,
    **_with_kernels(9, 9),
}
"""Convolutions whose result keeps its place in time, and a perceptron: for windows that all begin or end alike.

Source: Li, Ding and Sun 2018, doi:10.1016/j.ress.2017.11.021. Deviation: means of eight pieces instead of all steps.
"""

_ALONE: Mapping[str, Value] = {
    "width": 64,
    "activation": "relu",
    "dropout": 0.2,
    "stem": "none",
    "groups": 0,
    "neck": "none",
    "pool": "mean",
}

STATISTICS: Mapping[str, Value] = {**_ALONE, "beside": "statistics", "pieces": 4, "head_depth": 1}
"""A perceptron on simple statistics of each channel: where signals are noisy and their trend counts."""

KERNELS: Mapping[str, Value] = {**_ALONE, "beside": "kernels", "head_depth": 0}
"""A linear layer on features of random kernels. Source: Dempster et al. 2021, MiniRocket, arXiv:2012.08791."""

STARTING_POINTS: tuple[Mapping[str, Value], ...] = (
    COMPACT,
    PLACED,
    STATISTICS,
    KERNELS,
    LITE,
    FCN,
    INCEPTION_TIME,
    GRU,
    TCN,
    RESNET,
)
"""The cheaper ones first: a short search does not come to the last."""

_CAUSAL_PLAIN: Mapping[str, Value] = {
    "width": 32,
    "activation": "relu",
    "dropout": 0.1,
    "block": "temporal_block",
    "stem_stride": 1,
    "pool": "last",
}
CAUSAL_POINTS: tuple[Mapping[str, Value], ...] = (
    {**_CAUSAL_PLAIN, "groups": 4, "kernel": 3, "dilated": True, "neck": "none"},
    {**_CAUSAL_PLAIN, "width": 64, "groups": 0, "neck": "gru"},
)
"""In `timeseries/streaming`: a dilated causal network, and a recurrent one.

Sources: Bai, Kolter and Koltun 2018, arXiv:1803.01271; Cho et al. 2014, arXiv:1406.1078.
"""

SMALL_CORE_POINTS: tuple[Mapping[str, Value], ...] = tuple(
    {
        "width": 32,
        "stem_kernel": 9,
        "stem_stride": stride,
        "block": block,
        "groups": 3,
        "depth": 1,
        "residual": True,
        "shrink": 2,
        "shrink_by": "max",
        "pool": "mean",
        **_with_kernels(9, 5, 3),
    }
    for block, stride in (("separable_conv", 1), ("conv", 2))
)
"""In `timeseries/mcu`: stacks of depthwise-separable convolutions and of plain ones.

Source: Zhang et al. 2017, Hello Edge, arXiv:1711.07128.
"""
