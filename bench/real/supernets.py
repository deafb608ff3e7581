"""Three networks with more in them than they need, scaled down from the demonstrations of ASGNAS, on chest X-rays.

Source: Chen et al., Towards Automatic Neural Architecture Search within General Super-Networks (arXiv 2305.18030),
section 4: stacked U-Nets, a demonstration super-network, and the DARTS space with all operations on every edge.
Deviations: a few thousand to a hundred thousand parameters and grey images of 28 × 28 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from real import xrays
from real.task import Arrays, Task

EXAMPLES = 1500


def load(folder: Path, name: str, network: Callable[[], nn.Module]) -> Task:
    """The task of `xrays` with another network and the first examples of the training part."""
    task = xrays.load(folder)
    train = task.parts["train"]
    batch = train.batch(torch.arange(EXAMPLES))
    parts = {**task.parts, "train": Arrays(batch.arguments[0], batch.target)}
    return replace(task, name=name, network=network, parts=parts, note=f"{task.note}; {EXAMPLES} examples to train on")


def unets(folder: Path) -> Task:
    """Two U-Nets in a row."""
    return load(folder, "stacked U-Nets", StackedUNets)


def demo(folder: Path) -> Task:
    """A super-network of branches of all kinds."""
    return load(folder, "demonstration super-network", DemoSuperNet)


def cells(folder: Path) -> Task:
    """DARTS cells with all operations."""
    return load(folder, "DARTS cells, all operations", CellNetwork)


def conv(into: int, out: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and normalisation."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride, padding, dilation, groups, bias=False), nn.BatchNorm2d(out)
    )


class Double(nn.Module):
    """Two convolutions, activated."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first, self.second = conv(into, out, 3), conv(out, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, out, height, width)`."""
        return functional.relu(self.second(functional.relu(self.first(x))))


class UNet(nn.Module):
    """Two levels down and up again, with skips that are concatenated; the size stays."""

    def __init__(self, into: int, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([Double(into, width), Double(width, 2 * width)])
        self.bottom = Double(2 * width, 4 * width)
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(2 * width, width, 2, 2), nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)]
        )
        self.merge = nn.ModuleList([Double(2 * width, width), Double(4 * width, 2 * width)])

    def forward(self, x: Tensor) -> Tensor:
        """`(n, width, height, width)`; sizes divide by four."""
        first = self.down[0](x)
        second = self.down[1](functional.max_pool2d(first, 2))
        y = self.bottom(functional.max_pool2d(second, 2))
        y = self.merge[1](torch.cat([second, self.up[1](y)], 1))
        return self.merge[0](torch.cat([first, self.up[0](y)], 1))  # type: ignore[no-any-return]


class StackedUNets(nn.Module):
    """A stem, two U-Nets with a sum around the second, a classifier."""

    def __init__(self, width: int = 6, classes: int = 2) -> None:
        super().__init__()
        self.stem = conv(1, width, 4, 2)
        self.nets = nn.ModuleList([UNet(width, width), UNet(width, width)])
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, class)`."""
        x = functional.pad(functional.relu(self.stem(x)), (0, 1, 0, 1))[:, :, :12, :12]
        x = self.nets[0](x)
        x = x + self.nets[1](x)
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class DemoSuperNet(nn.Module):
    """Branches that are added, concatenated, nested and skipped, in three stages."""

    def __init__(self, width: int = 12, classes: int = 2) -> None:
        super().__init__()
        self.stem = conv(1, width, 3, 2)
        self.stages = nn.ModuleList(DemoStage(width * 2**k, width * 2 ** (k + 1)) for k in range(2))
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, class)`."""
        x = functional.relu(self.stem(x))
        for stage in self.stages:
            x = functional.max_pool2d(stage(x), 2)
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class DemoStage(nn.Module):
    """Three kernels side by side, one of them with a branch of its own, beside pooling, then mixed."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.small, self.middle, self.large = conv(into, into, 1), conv(into, into, 3), conv(into, into, 5)
        self.inner = nn.Sequential(conv(into, into, 3), nn.ReLU(), conv(into, into, 3))
        self.pooled = conv(into, into, 1)
        self.mix = conv(3 * into, out, 1)
        self.around = conv(into, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, out, height, width)`."""
        middle = functional.relu(self.middle(x))
        parts = [
            functional.relu(self.small(x) + self.large(x)),
            middle + self.inner(middle),
            self.pooled(functional.avg_pool2d(x, 3, 1, 1)),
        ]
        return functional.relu(self.mix(torch.cat(parts, 1)) + self.around(x))


class Separable(nn.Module):
    """Depthwise and pointwise convolution, the first dilated or not."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(
            channels, channels, kernel, 1, dilation * (kernel // 2), dilation, groups=channels, bias=False
        )
        self.point = conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, channel, height, width)`."""
        return self.point(self.depth(functional.relu(x)))  # type: ignore[no-any-return]


class Mixed(nn.Module):
    """The sum of all operations of the DARTS space on one edge."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(Separable(channels, k, d) for k, d in ((3, 1), (5, 1), (3, 2), (5, 2)))
        self.average, self.most = (
            nn.Sequential(pool, nn.BatchNorm2d(channels)) for pool in (nn.AvgPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(n, channel, height, width)`."""
        y = x + self.average(x) + self.most(x)
        for convolution in self.convolutions:
            y = y + convolution(x)
        return y  # type: ignore[no-any-return]


class CellNode(nn.Module):
    """The mean of mixed edges from all values before."""

    def __init__(self, channels: int, edges: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(Mixed(channels) for _ in range(edges))

    def forward(self, values: Sequence[Tensor]) -> Tensor:
        """`(n, channel, height, width)`."""
        y: Tensor = self.edges[0](values[0])
        for edge, value in zip(self.edges[1:], values[1:], strict=True):
            y = y + edge(value)
        return y / len(values)


class Cell(nn.Module):
    """Nodes that read both inputs and all nodes before; their outputs are concatenated."""

    def __init__(self, inputs: tuple[int, int], channels: int, nodes: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(conv(into, channels, 1) for into in inputs)
        self.nodes = nn.ModuleList(CellNode(channels, 2 + k) for k in range(nodes))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """`(n, node · channel, height, width)`."""
        values = [self.inputs[0](a), self.inputs[1](b)]
        for node in self.nodes:
            values.append(node(values))
        return torch.cat(values[2:], 1)


class CellNetwork(nn.Module):
    """Two cells of three nodes between a stem and a classifier, with pooling between them."""

    def __init__(self, channels: int = 8, nodes: int = 3, classes: int = 2) -> None:
        super().__init__()
        out = channels * nodes
        self.stem = conv(1, out, 3, 2)
        self.first, self.second = Cell((out, out), channels, nodes), Cell((out, out), 2 * channels, nodes)
        self.head = nn.Linear(2 * out, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, class)`."""
        x = functional.max_pool2d(self.stem(x), 2)
        y = self.first(x, x)
        return self.head(self.second(x, y).mean((2, 3)))  # type: ignore[no-any-return]
