"""The time-series domain: the plug-in's door. Light to import; torch comes with `task`, aeon where it is needed."""

from __future__ import annotations

import difflib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gnas.domain import Metric
from gnas.errors import SpecError
from gnas_timeseries.options import SeriesData
from gnas_timeseries.template import TEMPLATE

if TYPE_CHECKING:
    from gnas_timeseries.data import Series
    from gnas_timeseries.task import SeriesTask

_WITHOUT_AEON = "aeon is not installed, so MiniRocket and MultiRocket-Hydra are absent: pip install 'gnas[timeseries]'"


class TimeSeriesDomain:
    """Signals in channels over time; implements `gnas.domain.Domain`."""

    name = "timeseries"
    data_model: type[BaseModel] = SeriesData
    spaces = "gnas_spaces/timeseries"

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> SeriesTask:
        """Reads, checks, splits and cuts.

        Raises:
            DataError: With file, line or column, and the remedy.
            SpecError: The task has no such metric.
            MissingExtraError: A file or a data set needs aeon, which is absent.
        """
        from gnas_timeseries.assemble import assemble
        from gnas_timeseries.data import load_series

        options = SeriesData.model_validate(data)
        series = load_series(options, base)
        if find_spec("aeon") is None:
            notes = (*series.summary.notes, _WITHOUT_AEON)
            series = replace(series, summary=replace(series.summary, notes=notes))
        return assemble(series, _metrics(series, metric, options), options)

    def template(self) -> str:
        """A commented spec that runs as it is, on generated data."""
        return TEMPLATE


def _metrics(series: Series, objective: str | None, options: SeriesData) -> tuple[Metric, ...]:
    """Metrics of a task, the objective first."""
    from gnas_timeseries.metrics import IN_UNITS, metrics_of

    kind = series.labels.kind
    found = metrics_of(kind, grouped=series.named_groups, capped=options.cap is not None)
    metrics = [replace(metric, unit=series.unit) if metric.name in IN_UNITS else metric for metric in found]
    if objective is None:
        return tuple(metrics)
    names = [metric.name for metric in metrics]
    if objective not in names:
        near = difflib.get_close_matches(objective.lower(), names, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else None
        if objective.startswith("worst_group") and not series.named_groups:
            remedy = "name the column of subjects or devices with data.group"
        if objective == "phm_score" and kind == "regression":
            remedy = "phm_score is for remaining life: give data.cap"
        raise SpecError(
            f"no such metric for this {kind} task",
            place="metric",
            value=objective,
            accepted=", ".join(names),
            remedy=remedy,
        )
    return tuple(sorted(metrics, key=lambda metric: metric.name != objective))


DOMAIN = TimeSeriesDomain()
