"""Features of whole series beside a network: statistics, and random kernels as MiniRocket has them.

Series are `(series, channel, step)`. Nothing here is trained but running means and variances. Copied as source into
exported models, so it imports nothing but torch and layers.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnas_timeseries.layers_sequence import PiecesPool


class RunningStandardisation(nn.Module):
    """Features less their mean, over their spread, both of everything met in training.

    Unlike batch normalisation it does the same in training and afterwards, and a training example does not depend on
    those that share its batch: magnitudes, which a regression reads, stay exact. Means and variances of batches are
    joined as in Chan, Golub and LeVeque 1983 (doi:10.1080/00031305.1983.10483115), equation 2.1.

    Args:
        features: How many.

    Attributes:
        mean, variance: Of each feature, `(feature,)`.
        seen: Number of examples met.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.register_buffer("seen", torch.zeros(()))
        self.mean: Tensor
        self.variance: Tensor
        self.seen: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, `(example, feature)`."""
        if self.training:
            self._meet(x.detach())
        return (x - self.mean) * (self.variance + 1e-5).rsqrt()

    def _meet(self, x: Tensor) -> None:
        seen = self.seen + len(x)
        share = len(x) / seen
        away = x.mean(0) - self.mean
        self.variance.lerp_(x.var(0, unbiased=False), share).add_(away.square() * share * (1 - share))
        self.mean.add_(away * share)
        self.seen.copy_(seen)


class Statistics(nn.Module):
    """What each channel's values and changes are like over the whole series, standardised.

    Mean, spread, least, greatest and last value, slope, mean absolute change, and the means of consecutive pieces.

    Args:
        channels: Of the series.
        pieces: Number of pieces; a series of fewer steps has as many as steps.
    """

    def __init__(self, channels: int, pieces: int) -> None:
        super().__init__()
        self.pieces = PiecesPool(pieces)
        self.norm = RunningStandardisation((7 + pieces) * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, (7 + pieces) * channel)`."""
        steps = x.shape[2]
        mean = x.mean(2, keepdim=True)
        time = torch.linspace(-1.0, 1.0, steps, device=x.device, dtype=x.dtype)
        spread = (x - mean).square().mean(2).add(1e-6).sqrt()
        slope = (x * time).mean(2)
        change = (x[:, :, 1:] - x[:, :, :-1]).abs().sum(2) / max(1, steps - 1)
        found = [mean[:, :, 0], spread, x.amin(2), x.amax(2), x[:, :, -1], slope, change, self.pieces(x)]
        result: Tensor = self.norm(torch.cat(found, 1))
        return result


class RandomKernels(nn.Module):
    """How often, and by how much, convolutions with fixed kernels pass thresholds; standardised.

    The 84 kernels of length 9 with three weights of 2 and six of -1, at dilations of 1, 2, 4, … that a series has room
    for, each on the sum of some channels drawn at random. Of each of these convolutions: the share of steps above each
    of some thresholds, and the mean of what is above.

    Source: Dempster, Schmidt and Webb 2021, MiniRocket, section 3, arXiv:2012.08791; the mean of what is above: Tan et
    al. 2022, MultiRocket, section 3.2, arXiv:2102.00457. Deviations: dilations are powers of two; thresholds are spread
    evenly over the normal distribution that running means and variances of a convolution describe, in the stead of
    quantiles of the training series.

    Args:
        channels: Of the series.
        dilations: How many of 1, 2, 4, …
        thresholds: Of each convolution.
    """

    def __init__(self, channels: int, dilations: int, thresholds: int) -> None:
        super().__init__()
        triples = list(combinations(range(9), 3))
        kernels = torch.full((len(triples), 1, 9), -1.0)
        for row, triple in enumerate(triples):
            kernels[row, 0, list(triple)] = 2.0
        generator = torch.Generator().manual_seed(0)
        masks = []
        for _ in range(dilations):
            # The number of channels is drawn evenly on a logarithmic scale, as in the source.
            most = min(channels, 9)
            counts = (2 ** (torch.rand(len(triples), generator=generator) * torch.tensor(most + 1.0).log2())).long()
            order = torch.rand(len(triples), channels, generator=generator).argsort(1).argsort(1)
            masks.append((order < counts[:, None]).float())
        self.register_buffer("weight", torch.stack([kernels * mask[:, :, None] for mask in masks]))
        places = (torch.arange(thresholds) + 0.5) / thresholds
        self.register_buffer("thresholds", (2 * places - 1).erfinv() * 2**0.5)
        self.weight: Tensor
        self.thresholds: Tensor
        self.norms = nn.ModuleList(nn.BatchNorm1d(len(triples), affine=False) for _ in range(dilations))
        self.norm = nn.BatchNorm1d(2 * len(triples) * dilations * thresholds, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(series, 168 * dilations * thresholds)`."""
        found = []
        for place, norm in enumerate(self.norms):
            dilation = 2**place
            passed = norm(functional.conv1d(x, self.weight[place], padding=4 * dilation, dilation=dilation))
            for threshold in self.thresholds:
                above = functional.relu(passed - threshold)
                found += [above.sign().mean(2), above.mean(2)]
        result: Tensor = self.norm(torch.cat(found, 1))
        return result
