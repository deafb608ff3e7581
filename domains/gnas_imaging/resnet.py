"""ResNet-18 in plain torch, with a stem that suits the size of the images.

Source: He et al., Deep Residual Learning, CVPR 2016, table 1, arXiv:1512.03385.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

_WIDTHS = (64, 128, 256, 512)
_SMALL = 64


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with batch normalisation, and a projected shortcut where the shape changes."""

    def __init__(self, channels: int, width: int, stride: int, dims: int) -> None:
        super().__init__()
        convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.body = nn.Sequential(
            convolution(channels, width, 3, stride, 1, bias=False),
            norm(width),
            nn.ReLU(),
            convolution(width, width, 3, 1, 1, bias=False),
            norm(width),
        )
        same = stride == 1 and channels == width
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(convolution(channels, width, 1, stride, bias=False), norm(width))
        )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Shape `(example, width, …)`."""
        result: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return result


class ResNet18(nn.Module):
    """The network of 18 layers for `(example, channel, …)` in two or three dimensions.

    Images of up to 64 pixels have a 3 × 3 stem of stride 2 without the pool, others the paper's 7 × 7 of stride 2 with
    it: so the first stage works on 14 × 14 places of an image of 28 and on 56 × 56 of one of 224.

    Args:
        channels: Of the image.
        size: Sides of the image.
        out: Numbers for each example.
    """

    def __init__(self, channels: int, size: Sequence[int], out: int) -> None:
        super().__init__()
        dims, small = len(size), max(size) <= _SMALL
        convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        kernel = 3 if small else 7
        stem: list[nn.Module] = [
            convolution(channels, _WIDTHS[0], kernel, 2, kernel // 2, bias=False),
            norm(_WIDTHS[0]),
            nn.ReLU(),
        ]
        if not small:
            stem.append((nn.MaxPool2d if dims == 2 else nn.MaxPool3d)(3, 2, 1))
        self.stem = nn.Sequential(*stem)
        blocks: list[nn.Module] = []
        before = _WIDTHS[0]
        for stage, width in enumerate(_WIDTHS):
            blocks += [BasicBlock(before, width, 1 if stage == 0 else 2, dims), BasicBlock(width, width, 1, dims)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(before, out)

    def forward(self, image: Tensor) -> Tensor:
        """Shape `(example, out)`."""
        result: Tensor = self.output(self.blocks(self.stem(image)).flatten(2).mean(2))
        return result
