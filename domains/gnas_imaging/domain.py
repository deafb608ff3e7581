"""The imaging domain: the plug-in's door. Light to import; Pillow and torch come with `task`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gnas.checking import suggest
from gnas.domain import Metric
from gnas.errors import MissingExtraError, SpecError
from gnas_imaging.options import ImagingData, TaskKind
from gnas_imaging.template import TEMPLATE

if TYPE_CHECKING:
    from gnas.domain import Task


class ImagingDomain:
    """Medical images and volumes; implements `gnas.domain.Domain`."""

    name = "imaging"
    data_model: type[BaseModel] = ImagingData
    spaces = "gnas_spaces/imaging"

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> Task:
        """Reads, checks and splits.

        Raises:
            DataError: With file, line or array, and the remedy.
            SpecError: The task has no such metric.
            MissingExtraError: A package of the extra `imaging` is absent.
        """
        if find_spec("PIL") is None:
            raise MissingExtraError.of("pillow", "imaging")
        from gnas_imaging.assemble import assemble
        from gnas_imaging.data import load_images

        options = ImagingData.model_validate(data)
        images = load_images(options, base)
        return assemble(images, _metrics(images.labels.kind, metric, options), options)

    def template(self) -> str:
        """A commented spec that runs as it is, on embedded data."""
        return TEMPLATE


def _metrics(kind: TaskKind, objective: str | None, options: ImagingData) -> tuple[Metric, ...]:
    """Metrics of a task, the objective first."""
    from gnas_imaging.metrics import metrics_of

    metrics = metrics_of(kind, options.specificity, options.unit)
    if objective is None:
        return metrics
    names = [metric.name for metric in metrics]
    if objective not in names:
        raise SpecError(
            f"no such metric for a {kind} task",
            place="metric",
            value=objective,
            accepted=", ".join(names),
            remedy=suggest(objective.lower(), names) or None,
        )
    return tuple(sorted(metrics, key=lambda metric: metric.name != objective))


DOMAIN = ImagingDomain()
