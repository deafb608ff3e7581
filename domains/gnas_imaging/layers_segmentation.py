"""Layers of networks that give a class for every place. Copied as source into exported models: imports torch only.

Shapes: `(example, channel, row, column)`, or `(example, channel, depth, row, column)`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UpJoin(nn.Module):
    """A small image brought to the size of a larger one, beside which it is put along the channels.

    Source: Ronneberger et al., U-Net, MICCAI 2015, section 2, arXiv:1505.04597; with `linear` the image is interpolated
    instead of convolved.

    Args:
        channels: Of the small image.
        size: Sides of the larger one.
        scale: How many times as long each side is, rounded up.
        mode: `linear` or `transposed`.
    """

    def __init__(self, channels: int, size: list[int], scale: list[int], mode: str) -> None:
        super().__init__()
        self.size = size
        if mode == "linear":
            kind = "bilinear" if len(size) == 2 else "trilinear"
            self.up: nn.Module = nn.Upsample(size=tuple(size), mode=kind, align_corners=False)
        else:
            transposed: type[nn.Module] = nn.ConvTranspose2d if len(size) == 2 else nn.ConvTranspose3d
            self.up = transposed(channels, channels, tuple(scale), tuple(scale))

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        """Shape `(example, channels of both, …)`, of the larger size."""
        up = self.up(small)
        for axis, n in enumerate(self.size):
            up = up.narrow(axis + 2, 0, n)
        return torch.cat([up, large], 1)


class MaskHead(nn.Module):
    """A number for each class at each place, at the size of the input image.

    Args:
        channels: Of the input.
        out: Number of classes.
        size: Sides of the image; None where the input has its size already.
        dims: 2 or 3.
        dropout: Probability that a whole channel is dropped.
    """

    def __init__(self, channels: int, out: int, size: list[int] | None, dims: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout) if dims == 2 else nn.Dropout3d(dropout)
        self.output = nn.Conv2d(channels, out, 1) if dims == 2 else nn.Conv3d(channels, out, 1)
        kind = "bilinear" if dims == 2 else "trilinear"
        self.up = nn.Identity() if size is None else nn.Upsample(size=tuple(size), mode=kind, align_corners=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, out, …)`."""
        result: Tensor = self.up(self.output(self.dropout(x)))
        return result
