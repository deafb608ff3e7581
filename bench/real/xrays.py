"""Pneumonia in chest X-rays of 28×28, and a small residual network with parallel branches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from real.task import Arrays, Task

SEARCH_SHARE = 0.15


def load(folder: Path) -> Task:
    """The task of `imaging/pneumoniamnist.npz` in `folder`."""
    with np.load(folder / "imaging" / "pneumoniamnist.npz") as file:
        train, validation = (_part(file[f"{part}_images"], file[f"{part}_labels"]) for part in ("train", "val"))
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(train)))
    n = round(SEARCH_SHARE * len(train))
    parts = {"search": _rows(train, order[:n]), "train": _rows(train, order[n:]), "validation": validation}
    return Task(
        name="pneumoniamnist, CNN",
        network=BranchedResNet,
        parts={"train": parts["train"], "search": parts["search"], "validation": parts["validation"]},
        loss=functional.cross_entropy,
        scores=_scores,
        epochs=8,
        batch_size=64,
        learning_rate=2e-3,
        note=f"official training and validation parts; {n} training images at random for the search",
    )


class BranchedResNet(nn.Module):
    """A stem and three stages of residual blocks with a 3×3 and a 5×5 branch, input `(n, 1, 28, 28)`."""

    def __init__(self, width: int = 16, blocks: int = 2, classes: int = 2) -> None:
        super().__init__()
        self.stem = _conv(1, width, 3, 2)
        widths = (width, 2 * width, 4 * width)
        pairs = zip((width, *widths), widths, strict=False)
        self.stages = nn.Sequential(
            *(
                Block(into if k == 0 else out, out, 2 if k == 0 and out > width else 1)
                for into, out in pairs
                for k in range(blocks)
            )
        )
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, class)`."""
        return self.head(self.stages(functional.relu(self.stem(x))).mean((2, 3)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Shortcut plus two bottleneck branches of kernel sizes 3 and 5."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                _conv(into, out // 2, 1),
                nn.ReLU(),
                _conv(out // 2, out // 2, kernel, stride),
                nn.ReLU(),
                _conv(out // 2, out, 1),
            )
            for kernel in (3, 5)
        )
        self.shortcut = nn.Identity() if into == out and stride == 1 else _conv(into, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, out, height / stride, width / stride)`."""
        y = self.shortcut(x)
        for branch in self.branches:
            y = y + branch(x)
        return functional.relu(y)


def _conv(into: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out))


def _part(images: np.ndarray, labels: np.ndarray) -> Arrays:
    pixels = torch.from_numpy(images.astype(np.float32) / 255.0 - 0.5) / 0.25
    return Arrays(pixels.unsqueeze(1), torch.from_numpy(labels[:, 0].astype(np.int64)))


def _rows(data: Arrays, rows: Tensor) -> Arrays:
    return Arrays(data.inputs[rows], data.targets[rows])


def _scores(outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
    return {
        "balanced accuracy": float(balanced_accuracy_score(targets.numpy(), outputs.argmax(1).numpy())),
        "AUROC": float(roc_auc_score(targets.numpy(), (outputs[:, 1] - outputs[:, 0]).numpy())),
    }
