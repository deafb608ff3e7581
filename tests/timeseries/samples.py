"""Small series for the tests of the time-series domain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gnas_timeseries.domain import DOMAIN
from gnas_timeseries.options import SeriesData
from gnas_timeseries.task import SeriesTask
from numpy.typing import NDArray

Array = NDArray[Any]
STEPS = 24


def waves(n: int = 60, channels: int = 2, steps: int = STEPS, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Noisy sines `(series, channel, step)` whose pace is their class, `(series,)`."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    phase = rng.uniform(0, 6, (n, channels, 1))
    x = np.sin(phase + (0.4 + 0.5 * y[:, None, None]) * np.arange(steps)) + rng.normal(size=(n, channels, steps)) * 0.2
    return x.astype(np.float32), y


def subjects(n: int, count: int = 10) -> Array:
    """Names of `count` subjects, in turn."""
    return np.array([f"s{i // 3 % count}" for i in range(n)])


def write_npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def write_long(
    path: Path, signals: list[Array], labels: list[Any], *, time: bool = True, extra: dict[str, list[Any]] | None = None
) -> Path:
    """Signals `(channel, step)` as a long CSV: `record`, `t`, `a`, `b`, …, `label`; a label a recording or a step."""
    extra = extra or {}
    names = [chr(ord("a") + channel) for channel in range(len(signals[0]))]
    lines = [",".join(["record", *(["t"] if time else []), *names, "label", *extra])]
    for number, (signal, label) in enumerate(zip(signals, labels, strict=True)):
        for step in range(signal.shape[1]):
            cells = [f"r{number}", *([str(step)] if time else []), *(f"{value:.4f}" for value in signal[:, step])]
            own = label[step] if isinstance(label, list) else label
            lines.append(",".join([*cells, str(own), *(str(column[number]) for column in extra.values())]))
    path.write_text("\n".join(lines).replace("nan", "") + "\n", encoding="utf-8")
    return path


def task_of(folder: Path, x: Array | None = None, y: Array | None = None, **data: Any) -> SeriesTask:
    """The task of arrays written to `folder`; arrays beside `X` and `y` are given as `arrays`."""
    default_x, default_y = waves()
    arrays = {"X": default_x if x is None else x, "y": default_y if y is None else y, **data.pop("arrays", {})}
    metric = data.pop("metric", None)
    path = write_npz(folder / "series.npz", **arrays)
    options = SeriesData.model_validate({"file": path.name, **data})
    return DOMAIN.task(options, metric=metric, base=folder, cache=folder)
