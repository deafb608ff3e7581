"""Random changes of a batch of training series, on tensors, on whatever device they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gnas_timeseries.options import Augment


def augmented(
    series: Tensor, targets: Tensor, present: Tensor, options: Augment, generator: torch.Generator, mask: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Series, targets and which of these are known, after random changes.

    All random numbers are drawn on the CPU from `generator`, so that a seed means the same everywhere.

    Args:
        series: `(series, channel, step)`, standardised.
        targets, present: `(series, class or target)`.
        options: How far.
        generator: On the CPU.
        mask: Whether the last channel tells which steps are there; it is shifted with the others, and not changed.
    """
    if options.mix:
        series, targets, present = _mixed(series, targets, present, options.mix, generator)
    if options.shift:
        series = _shifted(series, options.shift, generator)
    signals = _changed(series[:, :-1] if mask else series, options, generator)
    return (torch.cat([signals, series[:, -1:]], 1) if mask else signals), targets, present


def _changed(series: Tensor, options: Augment, generator: torch.Generator) -> Tensor:
    n, channels, steps = series.shape
    device = series.device
    if options.scale:
        series = series * (1 + options.scale * torch.randn(n, channels, 1, generator=generator).to(device))
    if options.cut:
        start, length = torch.rand(2, n, 1, generator=generator).to(device) * steps
        place = torch.arange(steps, device=device)
        series = series * ((place < start) | (place >= start + options.cut * length))[:, None]
    if options.noise:
        series = series + options.noise * torch.randn(series.shape, generator=generator).to(device)
    return series


def _shifted(series: Tensor, share: float, generator: torch.Generator) -> Tensor:
    n, channels, steps = series.shape
    offset = ((2 * torch.rand(n, 1, generator=generator) - 1) * share * steps).round().long().to(series.device)
    place = (torch.arange(steps, device=series.device) + offset).clamp(0, steps - 1)
    return series.gather(2, place[:, None].expand(-1, channels, -1))


def _mixed(
    series: Tensor, targets: Tensor, present: Tensor, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Each series and its targets joined with another one's; of a pair, targets are known that both know.

    Source: Zhang et al., mixup, ICLR 2018, arXiv:1710.09412, section 2, with one share for each pair.
    """
    n, device = len(series), series.device
    gamma = torch._standard_gamma(torch.full((2, n), alpha), generator=generator)
    drawn = gamma[0] / gamma.sum(0).clamp_min(1e-30)
    share = torch.maximum(drawn, 1 - drawn)[:, None].to(device)
    other = torch.randperm(n, generator=generator).to(device)
    joined = series * share[..., None] + series[other] * (1 - share[..., None])
    return joined, targets * share + targets[other] * (1 - share), present & present[other]
