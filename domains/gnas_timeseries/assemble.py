"""From split series to a task: stores of each part, and a check that the objective is defined."""

from __future__ import annotations

import numpy as np
import torch

from gnas.data.parts import PARTS
from gnas.domain import Metric
from gnas.errors import DataError
from gnas_timeseries.data import Series
from gnas_timeseries.options import SeriesData
from gnas_timeseries.store import SeriesStore
from gnas_timeseries.task import SeriesTask


def assemble(series: Series, metrics: tuple[Metric, ...], options: SeriesData) -> SeriesTask:
    """The task of series.

    Args:
        series: With labels and parts.
        metrics: The objective first.
        options: How signals are scaled, and what fills up shorter ones.

    Raises:
        DataError: The objective is not defined on validation.
    """
    windows = series.windows
    store = SeriesStore(
        torch.from_numpy(windows.values),
        torch.from_numpy(windows.steps),
        torch.from_numpy(np.ascontiguousarray(windows.labels)),
        series.groups,
    )
    positions = {part: torch.from_numpy(series.parts.of(part)) for part in PARTS}
    turning = "" if not series.free else "each" if series.split == "leave_one_out" else "group"
    task = SeriesTask.of(
        name=series.name,
        kind=series.labels.kind,
        target_names=series.targets,
        classes=series.labels.classes,
        channels=series.channels,
        metrics=metrics,
        summary=series.summary,
        stores={part: store.take(where) for part, where in positions.items()},
        normalise=options.normalise,
        mask=options.unequal == "pad",
        turning=turning,
        augment=options.augment,
        streaming=options.streaming,
        mcu_safe=options.mcu_safe,
        least=options.window.least if options.window else None,
        cap=options.cap,
    )
    _check_objective(task)
    return task


def _check_objective(task: SeriesTask) -> None:
    """Refuses validation data on which the objective is undefined."""
    guess = torch.from_numpy(np.random.default_rng(0).normal(size=(task.size("validation"), task.width)))
    objective = task.metrics[0].name
    if not np.isfinite(task.score("validation", guess)[objective]):
        remedy = "use another split kind, other fractions or another seed"
        raise DataError(f"{objective} is not defined on the validation part", place="data.split", remedy=remedy)
