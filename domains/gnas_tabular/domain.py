"""The tabular domain: the plug-in's door."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gnas.errors import SpecError
from gnas_tabular.options import TabularData
from gnas_tabular.template import TEMPLATE

if TYPE_CHECKING:
    from gnas_tabular.table import Table
    from gnas_tabular.task import TableTask


class TabularDomain:
    """Tables of trained architectures; implements `gnas.domain.Domain`."""

    name = "tabular"
    data_model: type[BaseModel] = TabularData
    spaces = "gnas_spaces/benchmarks"

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> TableTask:
        """Reads the table.

        Raises:
            DataError: It cannot be read, or lacks a column that is named.
            SpecError: `metric` names another column than `data.target`.
            MissingExtraError: The package nas-bench-graph is named and absent.
        """
        from gnas_tabular.task import TableTask

        options = TabularData.model_validate(data)
        if metric is not None and metric != options.target:
            raise SpecError(
                "the metric of a table is its target column",
                place="metric",
                value=metric,
                accepted=options.target,
                remedy="leave metric out, and name the column in data.target",
            )
        return TableTask.of(_table(options, base), options)

    def template(self) -> str:
        """A commented spec that runs as it is."""
        return TEMPLATE


def _table(options: TabularData, base: Path) -> Table:
    from gnas_tabular.pickles import installed_bench
    from gnas_tabular.table import read_table
    from gnas_tabular.toy import toy_table

    if options.benchmark == "toy":
        return toy_table()
    path = installed_bench(options.dataset or "") if options.file is None else base / options.file
    return read_table(path, options.layout)


DOMAIN = TabularDomain()
