"""Normalisation over fewer channels than the weights were trained for: the removed ones count as zeros, exactly.

With N channels of which k are left, the mean is the sum over N, and each removed channel adds the squared mean to the
variance.
So a slimmed layer equals the original on inputs whose removed channels are zero.
"""

from __future__ import annotations

import torch
from torch import Tensor


def slim_layer_norm(x: Tensor, rank: int, weight: Tensor | None, bias: Tensor | None, eps: float, count: int) -> Tensor:
    """Layer normalisation over the last `rank` dimensions, as if they had `count` elements.

    Source: layer normalisation (Ba et al., arXiv 1607.06450, equation 4), with zeros put back for what was removed.
    """
    axes = list(range(-rank, 0))
    left = 1
    for axis in axes:
        left = left * x.shape[axis]
    mean = x.sum(axes, keepdim=True) / count
    variance = ((x - mean).square().sum(axes, keepdim=True) + (count - left) * mean.square()) / count
    out = (x - mean) * torch.rsqrt(variance + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def slim_rms_norm(x: Tensor, rank: int, weight: Tensor | None, eps: float, count: int) -> Tensor:
    """Root-mean-square normalisation over the last `rank` dimensions, as if they had `count` elements.

    Source: Zhang and Sennrich, arXiv 1910.07467, equation 4.
    """
    axes = list(range(-rank, 0))
    out = x * torch.rsqrt(x.square().sum(axes, keepdim=True) / count + eps)
    return out if weight is None else out * weight


def slim_group_norm(
    x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float, channels: int
) -> Tensor:
    """Group normalisation of `x (n, channel, …)` as if each group had `channels` channels.

    Source: Wu and He, arXiv 1803.08494, equations 1 and 2.
    """
    grouped = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)
    count = channels * grouped.shape[3]
    removed = count - grouped.shape[2] * grouped.shape[3]
    mean = grouped.sum((2, 3), keepdim=True) / count
    variance = ((grouped - mean).square().sum((2, 3), keepdim=True) + removed * mean.square()) / count
    out = ((grouped - mean) * torch.rsqrt(variance + eps)).reshape(x.shape)
    shape = [1, -1] + [1] * (x.dim() - 2)
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


def slim_var_mean(
    x: Tensor, axes: list[int], share: tuple[int, int], correction: float | None, keepdim: bool, root: bool
) -> tuple[Tensor, Tensor]:
    """Variance (its root if `root`) and mean of `x` over `axes`, with zeros put back for what was removed.

    Args:
        x: What is left.
        axes: Dimensions that are reduced.
        share: How many channels along them are left, and of how many.
        correction: Taken from the number of places; 1 if None.
        keepdim: Whether reduced dimensions stay, of size one.
        root: Whether the standard deviation is wanted.
    """
    left = 1
    for axis in axes:
        left = left * x.shape[axis]
    count = left * share[1] // share[0]
    mean = x.sum(axes, keepdim=True) / count
    squares = (x - mean).square().sum(axes, keepdim=True) + (count - left) * mean.square()
    spread = squares / (count - (1 if correction is None else correction))
    if not keepdim:
        spread, mean = spread.squeeze(axes), mean.squeeze(axes)
    return spread.sqrt() if root else spread, mean
