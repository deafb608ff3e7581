"""Convolutions on series `(series, channel, step)`. Copied as source into exported models, so it imports torch only.

Where `causal` is true a value depends on no later step; else a kernel is centred on its step. Lengths stay, or are
divided by a stride and rounded up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Module):
    """A convolution that keeps the number of steps, or divides it by its stride, rounded up.

    Args:
        channels, width: Channels of input and output.
        kernel: Steps it spans.
        stride: Steps from one output to the next.
        dilation: Steps from one weight to the next.
        causal: Whether it reads no later step.
        groups: Of channels that do not mix.
        bias: Whether a bias is added.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        causal: bool = False,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.span = dilation * (kernel - 1)
        self.causal = causal
        self.symmetric = not causal and self.span % 2 == 0
        padding = self.span // 2 if self.symmetric else 0
        self.convolution = nn.Conv1d(
            channels, width, kernel, stride=stride, dilation=dilation, padding=padding, groups=groups, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, steps)`."""
        if not self.symmetric:
            before = self.span if self.causal else self.span // 2
            x = functional.pad(x, (before, self.span - before))
        result: Tensor = self.convolution(x)
        return result


class ConvolutionBlock(nn.Module):
    """A convolution, plain or depthwise-separable, then batch normalisation, an activation, dropout.

    Args:
        channels, width, kernel, stride, dilation, causal: Of the convolution.
        separable: Whether each channel is convolved alone first and the channels mixed step by step after.
        activation: A class of `torch.nn` by name, or `Identity`.
        dropout: Probability.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int,
        stride: int,
        dilation: int,
        causal: bool,
        separable: bool,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if separable:
            layers += [Convolution(channels, channels, kernel, stride, dilation, causal, channels)]
            layers += [nn.Conv1d(channels, width, 1, bias=False)]
        else:
            layers += [Convolution(channels, width, kernel, stride, dilation, causal)]
        layers += [nn.BatchNorm1d(width), getattr(nn, activation)()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, steps)`."""
        result: Tensor = self.layers(x)
        return result


class Inception(nn.Module):
    """Inception module: kernels of three lengths and a maximum beside each other, after a bottleneck.

    Source: Ismail Fawaz et al. 2020, InceptionTime, section 3.1, arXiv:1909.04939. Deviation: odd kernels, so that they
    are centred on a step.

    Args:
        channels: Of the input; `width` of the result, a multiple of 4.
        kernel: The longest; the others are a half and a quarter of it.
        bottleneck: Channels before the kernels, 0 for none.
        activation: A class of `torch.nn` by name.
    """

    def __init__(self, channels: int, width: int, kernel: int, bottleneck: int, activation: str) -> None:
        super().__init__()
        part = width // 4
        squeezed = bottleneck if bottleneck and channels > 1 else channels
        self.squeeze = nn.Conv1d(channels, squeezed, 1, bias=False) if squeezed != channels else nn.Identity()
        kernels = [max(1, kernel // divisor) // 2 * 2 + 1 for divisor in (1, 2, 4)]
        self.branches = nn.ModuleList(Convolution(squeezed, part, size) for size in kernels)
        self.pool = nn.MaxPool1d(3, 1, 1)
        self.pooled = nn.Conv1d(channels, part, 1, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.activation = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, steps)`."""
        squeezed = self.squeeze(x)
        found = [branch(squeezed) for branch in self.branches]
        found.append(self.pooled(self.pool(x)))
        result: Tensor = self.activation(self.norm(torch.cat(found, 1)))
        return result


class FixedFilters(nn.Module):
    """Filters that are never trained: for rising, falling and peaking of several lengths, on the sum of the channels.

    Source: Ismail-Fawaz et al. 2023, LITE, section III-B, arXiv:2409.02869; the filters: Ismail-Fawaz et al. 2022,
    hand-crafted convolution filters, doi:10.1109/BigData55660.2022.10020496.

    Args:
        channels: Of the input.
        longest: Lengths are 2, 4, 8, … up to this for rising and falling, 6, 12, 24, … up to it for peaks.
    """

    def __init__(self, channels: int, longest: int) -> None:
        super().__init__()
        filters: list[Tensor] = []
        length = 2
        while length <= longest:
            sign = torch.ones(length)
            sign[::2] = -1
            filters += [sign, -sign]
            length *= 2
        length = 6
        while length <= longest:
            quarter = length // 6
            rise = (torch.arange(quarter) + 1.0) ** 2 / quarter**2
            wing = torch.cat([-rise, -rise.flip(0)])
            filters.append(torch.cat([wing, torch.cat([2 * rise, 2 * rise.flip(0)]), wing]))
            length *= 2
        # Each is centred in a kernel of one odd length, so that one convolution computes them all.
        size = max(len(item) for item in filters) // 2 * 2 + 1
        kernel = torch.zeros(len(filters), channels, size)
        for number, item in enumerate(filters):
            first = (size - len(item)) // 2
            kernel[number, :, first : first + len(item)] = item / item.abs().sum()
        self.register_buffer("kernel", kernel)
        self.kernel: Tensor
        self.norm = nn.BatchNorm1d(len(filters))

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, filter, steps)`."""
        found = functional.conv1d(x, self.kernel, padding=self.kernel.shape[2] // 2)
        result: Tensor = functional.relu(self.norm(found))
        return result


class TemporalBlock(nn.Module):
    """Two dilated causal convolutions with a residual connection.

    Source: Bai, Kolter and Koltun 2018, section 3.3, arXiv:1803.01271. Deviation: batch instead of weight
    normalisation, which folds into the convolutions where a device runs them.

    Args:
        channels, width: Of input and output.
        kernel, dilation: Of both convolutions.
        activation: A class of `torch.nn` by name.
        dropout: Probability.
    """

    def __init__(self, channels: int, width: int, kernel: int, dilation: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.first = ConvolutionBlock(channels, width, kernel, 1, dilation, True, False, activation, dropout)
        self.second = ConvolutionBlock(width, width, kernel, 1, dilation, True, False, activation, dropout)
        self.shortcut = nn.Conv1d(channels, width, 1) if channels != width else nn.Identity()
        self.activation = getattr(nn, activation)()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, width, steps)`."""
        result: Tensor = self.activation(self.second(self.first(x)) + self.shortcut(x))
        return result


class ResidualSum(nn.Module):
    """A value and one from before it, brought to its shape, added, and activated.

    Args:
        channels: Of the earlier value; `width` of the later one.
        stride: Steps of the earlier value for one of the later.
        activation: A class of `torch.nn` by name.
    """

    def __init__(self, channels: int, width: int, stride: int, activation: str) -> None:
        super().__init__()
        same = channels == width and stride == 1
        convolution = nn.Conv1d(channels, width, 1, stride=stride, bias=False)
        self.shortcut = nn.Identity() if same else nn.Sequential(convolution, nn.BatchNorm1d(width))
        self.activation = getattr(nn, activation)()

    def forward(self, later: Tensor, earlier: Tensor) -> Tensor:
        """Shape of `later`."""
        result: Tensor = self.activation(later + self.shortcut(earlier))
        return result


class SqueezeExcite(nn.Module):
    """Channels weighed by a perceptron on their means over time.

    Source: Hu, Shen and Sun 2018, eq. 2 to 4, arXiv:1709.01507.

    Args:
        channels: Of the series.
        reduction: How many times fewer the hidden layer has.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        weight: Tensor = self.layers(x.mean(2))
        return x * weight.unsqueeze(2)


class StackChannels(nn.Module):
    """Series of equal length, channels one after the other."""

    def forward(self, *values: Tensor) -> Tensor:
        """Shape `(series, sum of the channels, steps)`."""
        return torch.cat(values, 1) if len(values) > 1 else values[0]
