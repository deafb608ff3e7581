"""The molecular domain: the plug-in's door. Light to import; RDKit and torch come with `task`."""

from __future__ import annotations

import difflib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gnas.domain import Metric
from gnas.errors import MissingExtraError, SpecError
from gnas_molecular.options import MolecularData, TaskKind
from gnas_molecular.template import TEMPLATE

if TYPE_CHECKING:
    from gnas_molecular.task import MoleculeTask

_PACKAGES = ("rdkit", "torch_geometric", "pyarrow")


class MolecularDomain:
    """Molecules as graphs; implements `gnas.domain.Domain`."""

    name = "molecular"
    data_model: type[BaseModel] = MolecularData
    spaces = "gnas_spaces/molecular"

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> MoleculeTask:
        """Reads, checks, splits and featurises.

        Raises:
            DataError: With file, line or column, and the remedy.
            SpecError: The task has no such metric.
            MissingExtraError: A package of the extra `molecular` is absent.
        """
        for package in _PACKAGES:
            if find_spec(package) is None:
                raise MissingExtraError.of(package, "molecular")
        from gnas_molecular.assemble import assemble
        from gnas_molecular.data import load_molecules

        options = MolecularData.model_validate(data)
        molecules = load_molecules(options, base)
        metrics = _metrics(molecules.kind, metric, molecules.unit)
        return assemble(molecules, metrics, options.standardise, cache)

    def template(self) -> str:
        """A commented spec that runs as it is, on embedded data."""
        return TEMPLATE


def _metrics(kind: TaskKind, objective: str | None, unit: str) -> tuple[Metric, ...]:
    """Metrics of a task, the objective first."""
    from gnas_molecular.metrics import IN_UNITS, METRICS

    metrics = [replace(metric, unit=unit) if metric.name in IN_UNITS else metric for metric in METRICS[kind]]
    if objective is None:
        return tuple(metrics)
    names = [metric.name for metric in metrics]
    if objective not in names:
        near = difflib.get_close_matches(objective.lower(), names, n=1)
        raise SpecError(
            f"no such metric for a {kind} task",
            place="metric",
            value=objective,
            accepted=", ".join(names),
            remedy=f"did you mean {near[0]!r}?" if near else None,
        )
    return tuple(sorted(metrics, key=lambda metric: metric.name != objective))


DOMAIN = MolecularDomain()
