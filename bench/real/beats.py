"""Heart beats of the MIT-BIH arrhythmia database's DS1, patients apart, and a network after InceptionTime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional

from real.task import Arrays, Task

SEARCH = (112, 203, 205, 207, 220)
VALIDATION = (114, 116, 118, 119, 124, 201)
NORMAL_A_PATIENT = 300
CLASSES = ("normal", "supraventricular", "ventricular")
_CLASS_OF_AAMI = np.array([0, 1, 2, 2, -1])


def load(folder: Path) -> Task:
    """The task of `sensors/mitbih_ds1_180hz.npz` in `folder`.

    A beat has two channels at 90 Hz: itself, and its difference from the median of all its patient's beats.
    Fusion beats count as ventricular and the eight unclassifiable ones are left out: nine in ten fusion beats are one
    patient's.

    Source: Llamedo and Martínez, Heartbeat Classification Using Feature Selection Driven by Database Generalization
    Criteria, IEEE Trans. Biomed. Eng. 2011, 58, 616 (doi:10.1109/TBME.2010.2068048), the labels they call AAMI2.
    """
    with np.load(folder / "sensors" / "mitbih_ds1_180hz.npz") as file:
        beats, labels, records = file["X"].astype(np.float32), _CLASS_OF_AAMI[file["y"]], file["record"]
    signals = _signals(beats, records)
    others = sorted(set(records.tolist()) - {*SEARCH, *VALIDATION})
    rows = {
        "train": _rows(records, labels, others, NORMAL_A_PATIENT),
        "search": _rows(records, labels, SEARCH, NORMAL_A_PATIENT),
        "validation": _rows(records, labels, VALIDATION, None),
    }
    data = {
        part: Arrays(signals[torch.from_numpy(chosen)], torch.from_numpy(labels[chosen]))
        for part, chosen in rows.items()
    }
    return Task(
        name="MIT-BIH DS1, InceptionTime",
        network=InceptionTime,
        parts={"train": data["train"], "search": data["search"], "validation": data["validation"]},
        loss=_loss,
        scores=_scores,
        epochs=8,
        batch_size=64,
        learning_rate=2e-3,
        note=f"{len(others)} patients to train, {len(SEARCH)} for the search, {len(VALIDATION)} to validate; at most "
        f"{NORMAL_A_PATIENT} normal beats a patient in the first two",
    )


class InceptionTime(nn.Module):
    """Inception modules with a residual connection around each three; input `(n, channel, time)`.

    Source: Ismail Fawaz et al., InceptionTime (arXiv:1909.04939), section 3.
    """

    def __init__(self, channels: int = 2, width: int = 8, modules: int = 6, classes: int = len(CLASSES)) -> None:
        super().__init__()
        sizes = [channels, *[4 * width] * modules]
        self.inceptions = nn.ModuleList(Inception(size, width) for size in sizes[:-1])
        self.shortcuts = nn.ModuleList(
            nn.Sequential(nn.Conv1d(size, 4 * width, 1, bias=False), nn.BatchNorm1d(4 * width)) for size in sizes[:-1:3]
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, class)`."""
        block = x
        for k, inception in enumerate(self.inceptions):
            x = inception(x)
            if k % 3 == 2:
                x = block = functional.relu(x + self.shortcuts[k // 3](block))
        return self.head(x.mean(-1))  # type: ignore[no-any-return]


class Inception(nn.Module):
    """A bottleneck into three wide convolutions, beside pooling; their outputs concatenated."""

    def __init__(self, into: int, width: int, kernels: Sequence[int] = (19, 9, 5)) -> None:
        super().__init__()
        self.bottleneck = nn.Conv1d(into, width, 1, bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=kernel // 2, bias=False) for kernel in kernels
        )
        self.pooled = nn.Sequential(nn.MaxPool1d(3, 1, 1), nn.Conv1d(into, width, 1, bias=False))
        self.norm = nn.BatchNorm1d((len(kernels) + 1) * width)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 4 · width, time)`."""
        narrow = self.bottleneck(x)
        parts = [*(convolution(narrow) for convolution in self.convolutions), self.pooled(x)]
        return functional.relu(self.norm(torch.cat(parts, 1)))


def _signals(beats: NDArray[np.float32], records: NDArray[np.int16]) -> Tensor:
    """Beats `(beat, 2, time)` of unit scale, at half the rate."""
    slow = beats.reshape(len(beats), -1, 2).mean(2)
    slow = (slow - slow.mean(1, keepdims=True)) / 100.0
    usual = np.empty_like(slow)
    for record in np.unique(records):
        own = records == record
        usual[own] = np.median(slow[own], axis=0)
    return torch.from_numpy(np.stack([slow, slow - usual], 1))


def _rows(
    records: NDArray[np.int16], labels: NDArray[np.int64], patients: Sequence[int], normal: int | None
) -> NDArray[np.intp]:
    """Positions of the patients' beats, with at most `normal` evenly spaced normal ones of each."""
    chosen = []
    for patient in patients:
        own = records == patient
        usual = np.flatnonzero(own & (labels == 0))
        if normal is not None and len(usual) > normal:
            usual = usual[np.linspace(0, len(usual) - 1, normal).astype(int)]
        chosen += [usual, np.flatnonzero(own & (labels > 0))]
    return np.sort(np.concatenate(chosen))


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with smoothed labels: a beat alone often does not tell its class."""
    return functional.cross_entropy(outputs, targets, label_smoothing=0.05)


def _scores(outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
    predicted, known = outputs.argmax(1).numpy(), targets.numpy()
    labels = list(range(len(CLASSES)))
    each = np.asarray(f1_score(known, predicted, labels=labels, average=None, zero_division=0))
    return {"macro-F1": float(each.mean()), **{f"F1 {name}": float(f) for name, f in zip(CLASSES, each, strict=True)}}
