"""Layers for images in two and three dimensions. Copied as source into exported models, so it imports torch only.

Shapes: `(example, channel, row, column)`, or `(example, channel, depth, row, column)`. `stride` has one number for each
dimension, which says how many there are, and lets a short one keep its size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolution(
    channels: int, width: int, kernel: int, stride: list[int], *, dilation: int = 1, groups: int = 1
) -> nn.Module:
    """A convolution without bias that keeps sizes but for its stride."""
    kind: type[nn.Module] = nn.Conv2d if len(stride) == 2 else nn.Conv3d
    padding = dilation * (kernel // 2)
    result: nn.Module = kind(
        channels, width, kernel, tuple(stride), padding, dilation=dilation, groups=groups, bias=False
    )
    return result


def normalisation(kind: str, channels: int, dims: int) -> nn.Module:
    """Batch normalisation, or instance normalisation with weights (a group for each channel), or none."""
    if kind == "batch":
        return nn.BatchNorm2d(channels) if dims == 2 else nn.BatchNorm3d(channels)
    return nn.GroupNorm(channels, channels) if kind == "instance" else nn.Identity()


class ConvolutionBlock(nn.Module):
    """Convolution, normalisation, activation. A stem is one, too.

    Args:
        channels: Of the input.
        width: Channels of the result.
        kernel: Side of the kernel, odd.
        stride: Of each dimension.
        dilation: Distance of the kernel's places.
        norm: `batch`, `instance` or `none`.
        activation: A class of `torch.nn` by name.
    """

    def __init__(
        self, channels: int, width: int, kernel: int, stride: list[int], dilation: int, norm: str, activation: str
    ) -> None:
        super().__init__()
        self.convolution = convolution(channels, width, kernel, stride, dilation=dilation)
        self.norm = normalisation(norm, width, len(stride))
        self.activation = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        result: Tensor = self.activation(self.norm(self.convolution(x)))
        return result


class SeparableBlock(nn.Module):
    """A convolution of each channel by itself and one of single places, each with normalisation and activation.

    Source: Howard et al., MobileNets, 2017, section 3.1, arXiv:1704.04861.
    """

    def __init__(self, channels: int, width: int, kernel: int, stride: list[int], norm: str, activation: str) -> None:
        super().__init__()
        dims = len(stride)
        self.depthwise = convolution(channels, channels, kernel, stride, groups=channels)
        self.first_norm = normalisation(norm, channels, dims)
        self.pointwise = convolution(channels, width, 1, [1] * dims)
        self.norm = normalisation(norm, width, dims)
        self.activation = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        hidden = self.activation(self.first_norm(self.depthwise(x)))
        result: Tensor = self.activation(self.norm(self.pointwise(hidden)))
        return result


class SqueezeExcite(nn.Module):
    """Weighs channels by what their means say.

    Source: Hu et al., Squeeze-and-Excitation Networks, CVPR 2018, section 3, arXiv:1709.01507.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        weight = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.flatten(2).mean(2)))))
        result: Tensor = x * weight.reshape(weight.shape[0], weight.shape[1], *[1] * (x.dim() - 2))
        return result


class Shortcut(nn.Module):
    """What goes around a block: the input, pooled and projected where the block changes its size or width.

    Source: He et al., Bag of Tricks, CVPR 2019, figure 2c (pooling before the projection), arXiv:1812.01187.
    """

    def __init__(self, channels: int, width: int, stride: list[int], norm: str) -> None:
        super().__init__()
        pool: type[nn.Module] = nn.AvgPool2d if len(stride) == 2 else nn.AvgPool3d
        parts: list[nn.Module] = []
        if max(stride) > 1:
            parts.append(pool(tuple(stride), ceil_mode=True, count_include_pad=False))
        if channels != width:
            parts += [convolution(channels, width, 1, [1] * len(stride)), normalisation(norm, width, len(stride))]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        result: Tensor = self.layers(x)
        return result


class ResidualBlock(nn.Module):
    """Two convolutions around which the input passes.

    Source: He et al., Deep Residual Learning, CVPR 2016, figure 2, arXiv:1512.03385. Where it shrinks, the input is
    pooled; with `squeeze`, the channels are weighed before the sum.
    """

    def __init__(
        self, channels: int, width: int, kernel: int, stride: list[int], squeeze: bool, norm: str, activation: str
    ) -> None:
        super().__init__()
        dims = len(stride)
        self.first = convolution(channels, width, kernel, stride)
        self.first_norm = normalisation(norm, width, dims)
        self.second = convolution(width, width, kernel, [1] * dims)
        self.second_norm = normalisation(norm, width, dims)
        self.squeeze = SqueezeExcite(width, max(4, width // 4)) if squeeze else nn.Identity()
        self.shortcut = Shortcut(channels, width, stride, norm)
        self.activation = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        hidden = self.activation(self.first_norm(self.first(x)))
        hidden = self.squeeze(self.second_norm(self.second(hidden)))
        result: Tensor = self.activation(hidden + self.shortcut(x))
        return result


class InvertedBottleneck(nn.Module):
    """MBConv: expansion, a convolution of each channel by itself, projection; the input is added where shapes allow.

    Source: Sandler et al., MobileNetV2, CVPR 2018, section 3, arXiv:1801.04381; with `squeeze` as in Tan and Le,
    EfficientNet, ICML 2019, arXiv:1905.11946.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int,
        stride: list[int],
        expansion: int,
        squeeze: bool,
        norm: str,
        activation: str,
    ) -> None:
        super().__init__()
        dims, hidden, one = len(stride), expansion * channels, [1] * len(stride)
        self.expand = nn.Sequential(
            convolution(channels, hidden, 1, one), normalisation(norm, hidden, dims), getattr(nn, activation)()
        )
        self.depthwise = nn.Sequential(
            convolution(hidden, hidden, kernel, stride, groups=hidden),
            normalisation(norm, hidden, dims),
            getattr(nn, activation)(),
        )
        self.squeeze = SqueezeExcite(hidden, max(4, channels // 4)) if squeeze else nn.Identity()
        self.project = nn.Sequential(convolution(hidden, width, 1, one), normalisation(norm, width, dims))
        self.added = channels == width and max(stride) == 1

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        result: Tensor = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + result if self.added else result


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        result: Tensor = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return result


class ConvNeXtBlock(nn.Module):
    """A large convolution of each channel by itself, then a perceptron for each place, the input added.

    Source: Liu et al., A ConvNet for the 2020s, CVPR 2022, figure 4, arXiv:2201.03545. Where it shrinks or widens, a
    normalised convolution with the stride as its kernel comes first, as between its stages.
    """

    def __init__(self, channels: int, width: int, kernel: int, stride: list[int], expansion: int) -> None:
        super().__init__()
        kind = nn.Conv2d if len(stride) == 2 else nn.Conv3d
        entry: list[nn.Module] = []
        if channels != width or max(stride) > 1:
            # NOTE: ceil-mode pooling and a projection, so that odd sizes lose no border.
            entry = [ChannelNorm(channels), Shortcut(channels, width, stride, "none")]
        self.entry = nn.Sequential(*entry)
        self.depthwise = kind(width, width, kernel, padding=kernel // 2, groups=width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
        )
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        x = self.entry(x)
        places = self.depthwise(x).movedim(1, -1)
        change: Tensor = (self.perceptron(places) * self.scale).movedim(-1, 1)
        return x + change


class Pool(nn.Module):
    """Largest or mean value of each window of the stride's size; a rest at the border makes a window, too.

    Args:
        mode: `max` or `mean`.
        stride: Of each dimension.
    """

    def __init__(self, mode: str, stride: list[int]) -> None:
        super().__init__()
        if mode == "max":
            self.pool: nn.Module = (nn.MaxPool2d if len(stride) == 2 else nn.MaxPool3d)(tuple(stride), ceil_mode=True)
        else:
            average: type[nn.Module] = nn.AvgPool2d if len(stride) == 2 else nn.AvgPool3d
            self.pool = average(tuple(stride), ceil_mode=True, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, channel, …)`, each size divided by its stride and rounded up."""
        result: Tensor = self.pool(x)
        return result


class JoinChannels(nn.Module):
    """Values of one size side by side along their channels."""

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(example, sum of channels, …)`."""
        return torch.cat(values, 1) if len(values) > 1 else values[0]


class ClassifierHead(nn.Module):
    """Means, largest values, or both, over all places; dropout; one linear layer.

    Args:
        channels: Of the input.
        out: Numbers for each example.
        pool: `mean`, `max` or `mean_max`.
        dropout: Probability.
    """

    def __init__(self, channels: int, out: int, pool: str, dropout: float) -> None:
        super().__init__()
        self.pool = pool
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * channels if pool == "mean_max" else channels, out)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, out)`."""
        places = x.flatten(2)
        if self.pool == "mean":
            read = places.mean(2)
        elif self.pool == "max":
            read = places.amax(2)
        else:
            read = torch.cat([places.mean(2), places.amax(2)], 1)
        result: Tensor = self.output(self.dropout(read))
        return result
