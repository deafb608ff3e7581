"""Layers of the toy task: useful ones, and one for each way in which a candidate fails."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn


class Dense(nn.Module):
    """Linear layer and an activation, rows in, rows out."""

    def __init__(self, inputs: int, outputs: int, activation: str = "relu") -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity}[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(row, inputs)` to `(row, outputs)`."""
        out: Tensor = self.activation(self.linear(x))
        return out


class Convolved(Dense):
    """A convolution over a row as an image of one column; batch-normalised."""

    def __init__(self, inputs: int, outputs: int, activation: str = "relu") -> None:
        super().__init__(outputs, outputs, activation)
        self.convolution = nn.Conv2d(1, outputs, (3, 1), padding=(1, 0))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(row, inputs)` to `(row, outputs)`."""
        image: Tensor = self.norm(self.convolution(x[:, None, :, None]))
        return super().forward(image.mean(dim=(2, 3)))


class Raising(Dense):
    """Raises in training, not while costs are counted."""

    def forward(self, x: Tensor) -> Tensor:
        """Raises ValueError in training mode."""
        if self.training:
            raise ValueError("this op raises on purpose")
        return super().forward(x)


class Diverging(Dense):
    """Its output is infinite in training."""

    def forward(self, x: Tensor) -> Tensor:
        """Infinite in training mode."""
        out = super().forward(x)
        return out * torch.inf if self.training else out


class Hungry(Dense):
    """Takes memory for ever in training, a piece at a time."""

    def __init__(self, inputs: int, outputs: int, activation: str = "relu") -> None:
        super().__init__(inputs, outputs, activation)
        self.eaten: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Keeps 48 MB more at each call in training mode: too much at once to come from what the process let go of."""
        if self.training:
            self.eaten.append(torch.ones(12 * 2**20))
        return super().forward(x)


class Huge(Dense):
    """Asks for more memory at once than there is."""

    def forward(self, x: Tensor) -> Tensor:
        """Fails in the allocator in training mode."""
        if self.training:
            torch.empty(2**46, dtype=torch.uint8)
        return super().forward(x)


class Slow(Dense):
    """Sleeps in training."""

    def forward(self, x: Tensor) -> Tensor:
        """Takes 50 ms more in training mode."""
        if self.training:
            time.sleep(0.05)
        return super().forward(x)


class Fatal(Dense):
    """Kills its process in training, as the system's out-of-memory killer would."""

    def forward(self, x: Tensor) -> Tensor:
        """Sends SIGKILL to itself in training mode."""
        if self.training:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
