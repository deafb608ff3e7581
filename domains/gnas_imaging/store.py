"""Images of one part on a device, as bytes, with their targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageStore:
    """Images with what is to be predicted.

    Attributes:
        images: `(example, channel, …)` uint8.
        labels: `(example, output)` float64 in the data's own units, NaN where missing; for a segmentation
            `(example, row, column)`, or with a depth, uint8 class numbers.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, where: Tensor) -> ImageStore:
        """Some of the examples."""
        return ImageStore(self.images[where], self.labels[where])

    def joined(self, other: ImageStore) -> ImageStore:
        """The examples of both, these first."""
        return ImageStore(torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]))

    def to(self, device: str) -> ImageStore:
        """The same on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))
