"""Known good networks for masks, as assignments in `imaging/segmentation`. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from gnas.architecture import Value

__all__ = ["RESIDUAL_ENCODER", "STARTING_POINTS", "UNET"]

RESIDUAL_ENCODER: Mapping[str, Value] = {
    "width": 16,
    "stem_stride": 1,
    "levels": 4,
    "block": "residual",
    "kernel": 3,
    "squeeze": False,
    "more0": 0,
    "more1": 2,
    "more2": 3,
    "more3": 4,
    "up": "transposed",
    "decoder": "conv",
    "decoder_more": 0,
    "norm": "instance",
    "activation": "leaky_relu",
    "dropout": 0.0,
}
"""The U-Net with a residual encoder: the deeper a level, the more blocks; one convolution a level on the way up.

Source: Isensee et al., nnU-Net Revisited, MICCAI 2024, arXiv:2404.09556; narrower, with four levels and at most five
blocks in one.
"""

UNET: Mapping[str, Value] = {
    **{name: value for name, value in RESIDUAL_ENCODER.items() if name != "squeeze"},
    "block": "conv",
    "more0": 1,
    "more1": 1,
    "more2": 1,
    "more3": 1,
    "decoder_more": 1,
}
"""Two convolutions a level. Source: Ronneberger et al. 2015, arXiv:1505.04597; a quarter as wide, strides for pools."""

SEPARABLE: Mapping[str, Value] = {
    **UNET,
    "block": "separable_conv",
    "decoder": "separable_conv",
    "up": "linear",
    "width": 24,
}
"""The same of depthwise-separable convolutions, at a fraction of the cost."""

SHALLOW: Mapping[str, Value] = {
    **{name: value for name, value in RESIDUAL_ENCODER.items() if name != "more3"},
    "levels": 3,
    "more1": 1,
    "more2": 1,
    "up": "linear",
}
"""Three levels, for small images."""

STARTING_POINTS: tuple[Mapping[str, Value], ...] = (RESIDUAL_ENCODER, UNET, SHALLOW, SEPARABLE)
