"""`TableTask`: a task that answers from a table instead of training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gnas.architecture import Architecture
from gnas.domain import Baseline, Batch, DataSummary, Metric, Part
from gnas.errors import CandidateError, DataError
from gnas.evaluate.recipe import Recipe
from gnas.ops import Op, TensorType
from gnas_tabular.csvfile import Floats
from gnas_tabular.options import TabularData
from gnas_tabular.table import Table

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TableTask:
    """A column of a table as an objective; implements `gnas.domain.Task` and `gnas.domain.AnsweringTask`.

    Isomorphic rows are one architecture, which answers with their mean.

    Attributes:
        name: Of the table.
        metrics: The target column.
        summary: What to tell of the table.
        default_space: Of the rows.
        values: Target (`validation`) and report (`test`) of each class, `(class,)`; a sealed task has no `test`.
        cost_values: Costs of each class by name.
        classes: Class of each digest.
    """

    name: str
    metrics: tuple[Metric, ...]
    summary: DataSummary
    default_space: str
    values: Mapping[Part, Floats]
    cost_values: Mapping[str, Floats]
    classes: Mapping[str, int]

    @classmethod
    def of(cls, table: Table, options: TabularData) -> TableTask:
        """The task of a table.

        Raises:
            DataError: A column is missing, holds text, or has no value at all.
        """
        target = table.of_classes(options.target)
        report = table.of_classes(options.report or options.target)
        for name, values in ((options.target, target), (options.report or options.target, report)):
            if not np.isfinite(values).any():
                raise DataError("the column holds no value", place=table.source, value=name)
        columns = options.costs.model_dump(exclude_none=True)
        costs = {cost: table.of_classes(column) for cost, column in columns.items()}
        classes = {table.digests[row].decode(): k for k, row in enumerate(table.first_rows)}
        return cls(
            name=f"{table.source}: {options.target}",
            metrics=(Metric(options.target, options.direction),),
            summary=_summary(table, options, target, report),
            default_space=table.space.name,
            values={"validation": target, "test": report},
            cost_values=costs,
            classes=classes,
        )

    def fingerprint(self) -> str:
        """Digest of the name, the classes and their values on validation, to nine digits."""
        content = blake2b(self.name.encode(), digest_size=16)
        for digest, k in sorted(self.classes.items()):
            content.update(f"{digest} {self.values['validation'][k]:.9g}\n".encode())
        return content.hexdigest()

    def answer(self, part: Part, architecture: Architecture) -> Mapping[str, float]:
        """The target column for `validation`, the report column for `test`, under the name of the target.

        Raises:
            CandidateError: The table lacks the architecture, or its value.
            DataError: `test` of a sealed task.
        """
        if part not in self.values:
            raise DataError("this task has no such part", place=self.name, value=part, accepted=", ".join(self.values))
        value = float(self.values[part][self._class_of(architecture)])
        if not np.isfinite(value):
            raise CandidateError(f"the table has no {self.metrics[0].name} of this architecture")
        return {self.metrics[0].name: value}

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """Costs the table holds.

        Raises:
            CandidateError: The table lacks the architecture.
        """
        k = self._class_of(architecture)
        return {name: float(values[k]) for name, values in self.cost_values.items() if np.isfinite(values[k])}

    def _class_of(self, architecture: Architecture) -> int:
        found = self.classes.get(architecture.digest)
        if found is None:
            raise CandidateError(f"the table has no architecture {architecture.digest}; is it one of another space?")
        return found

    def sealed(self) -> TableTask:
        """Without the report column."""
        return replace(self, values={part: values for part, values in self.values.items() if part != "test"})

    def merged(self) -> TableTask:
        """Itself: nothing is trained."""
        return self

    def size(self, part: Part) -> int:
        """Number of classes that have a value."""
        return int(np.isfinite(self.values[part]).sum()) if part in self.values else 0

    @property
    def recipe(self) -> Recipe:
        """The default one; nothing is trained."""
        return Recipe()

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """None."""
        return {}

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """None: searchers start alike."""
        return ()

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """None: no network is built."""
        return {}

    @property
    def ops(self) -> Mapping[str, Op]:
        """None: no network is built."""
        return {}

    def takeaway(self) -> Mapping[str, str]:
        """Nothing: a table holds no weights."""
        return {}

    @property
    def output(self) -> TensorType:
        """One number, the answer."""
        return TensorType("answer", (1,))

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """The space alone: no network of it is the default."""
        return self.default_space, {}

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Not there."""
        self._no_data()

    def loss(self, outputs: torch.Tensor, batch: Batch, recipe: Recipe) -> torch.Tensor:
        """Not there."""
        self._no_data()

    def score(self, part: Part, outputs: torch.Tensor) -> Mapping[str, float]:
        """Not there."""
        self._no_data()

    def example(self, n: int) -> Mapping[str, torch.Tensor]:
        """Not there."""
        self._no_data()

    def dynamic_axes(self) -> Mapping[str, Mapping[int, str]]:
        """Not there."""
        self._no_data()

    def _no_data(self) -> NoReturn:
        raise DataError("a table holds results, no data to train on and no network", place=self.name)


def _summary(table: Table, options: TabularData, target: Floats, report: Floats) -> DataSummary:
    rows, used = len(table.codes), int(np.isfinite(target).sum())
    best = np.nanmax(target) if options.direction == "maximize" else np.nanmin(target)
    notes = []
    if len(target) < rows:
        notes.append(f"{rows} rows are {len(target)} architectures: isomorphic rows answer with their mean")
    if used < len(target):
        notes.append(f"{len(target) - used} architectures have no {options.target}: asked for, they fail")
    warnings = () if options.report else ("no data.report: what is searched is also what is reported",)
    return DataSummary(
        rows=rows,
        used=used,
        parts={"validation": used, "test": int(np.isfinite(report).sum())},
        notes=tuple(notes),
        warnings=warnings,
        facts={
            "searched": options.target,
            "reported as test": options.report or options.target,
            "best in the table": f"{best:g}",
        },
    )
