"""Normalisation of images, fitted on the training part only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageScaler:
    """Standardises each channel.

    Attributes:
        mean, std: Of each channel, of values from 0 to 1; `std` is 1 for a channel that is constant in training.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, images: Tensor) -> ImageScaler:
        """The scaler of training images `(example, channel, …)` uint8."""
        means, stds = [], []
        for channel in range(images.shape[1]):
            # NOTE: counts of the 256 values, exact whatever the number of images and threads.
            counts = torch.bincount(images[:, channel].flatten().int(), minlength=256).double()
            values = torch.arange(256, dtype=torch.float64) / 255.0
            mean = float((counts * values).sum() / counts.sum())
            spread = float(((counts * (values - mean).square()).sum() / counts.sum()).sqrt())
            means.append(mean)
            stds.append(spread if spread > 1e-6 else 1.0)
        return cls(tuple(means), tuple(stds))

    def __call__(self, images: Tensor) -> Tensor:
        """Standardised images from values of 0 to 1, `(example, channel, …)`."""
        shape = (1, -1, *(1,) * (images.dim() - 2))
        mean = torch.tensor(self.mean, dtype=images.dtype, device=images.device).view(shape)
        std = torch.tensor(self.std, dtype=images.dtype, device=images.device).view(shape)
        return (images - mean) / std
