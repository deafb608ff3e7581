"""Random changes of a batch of training images, on tensors, on whatever device they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gnas_imaging.options import Augment

_FLIPS = {"none": (), "horizontal": (-1,), "vertical": (-2,), "both": (-1, -2), "all": (-1, -2, -3)}


def augmented(
    images: Tensor, options: Augment, generator: torch.Generator, masks: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Images mirrored, turned, shifted, scaled and brightened at random, each in its own way; masks go along.

    All random numbers are drawn on the CPU from `generator`, in one call, so that a seed means the same everywhere.
    Turning and scaling take values between those of pixels, which smooths small noisy images; so only a share of the
    images is turned and scaled, and shifts are by whole pixels.

    Args:
        images: `(example, channel, …, row, column)`, from 0 to 1.
        options: How far.
        generator: On the CPU.
        masks: `(example, class, …, row, column)`, moved in the same way, without brightness.
    """
    if options.nothing:
        return images, masks
    n, dims = len(images), images.dim() - 2
    draws = torch.rand(n, 5 + 2 * dims, generator=generator).to(images.device)
    signed = 2 * draws - 1
    if options.shift or options.rotate or options.scale or options.flip != "none":
        matrix = _moves(draws[:, 5 + dims :], signed, draws[:, 4] < options.warped, images.shape[2:], options)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        images = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        if masks is not None:
            masks = functional.grid_sample(masks, grid, mode="nearest", padding_mode="border", align_corners=False)
    if options.brightness:
        shape = (n, *(1,) * (dims + 1))
        contrast = 1 + options.brightness * signed[:, 0].view(shape)
        offset = options.brightness * signed[:, 1].view(shape) * 0.5
        images = ((images - 0.5) * contrast + 0.5 + offset).clamp(0.0, 1.0)
    return images, masks


def _moves(flips: Tensor, signed: Tensor, warped: Tensor, size: Sequence[int], options: Augment) -> Tensor:
    """Affine matrices `(example, dims, dims + 1)`, x before y as in `affine_grid`; only those `warped` turn."""
    n, dims = flips.shape
    aspect = size[-2] / size[-1]
    angle = signed[:, 2] * warped * math.radians(options.rotate)
    scale = 1 + options.scale * signed[:, 3] * warped
    matrix = torch.zeros(n, dims, dims + 1, device=signed.device)
    matrix[:, 0, 0], matrix[:, 0, 1] = angle.cos() * scale, -angle.sin() * scale * aspect
    matrix[:, 1, 0], matrix[:, 1, 1] = angle.sin() * scale / aspect, angle.cos() * scale
    if dims == 3:
        matrix[:, 2, 2] = scale
    sides = torch.tensor(list(reversed(size)), dtype=signed.dtype, device=signed.device)
    # NOTE: normalised coordinates span 2, so a shift of a fraction of the side is twice that.
    matrix[:, :, dims] = 2 * (options.shift * signed[:, 5 : 5 + dims] * sides).round() / sides
    for axis in _FLIPS[options.flip]:
        row = -axis - 1
        if row < dims:
            sign = torch.where(flips[:, row] < 0.5, -1.0, 1.0)
            matrix[:, row] = matrix[:, row] * sign[:, None]
    return matrix
