"""The `data:` section of a tabular spec, checked."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnas.evaluation import Direction


class Costs(BaseModel):
    """Columns that hold costs, so that they can be constraints and stand in the report.

    Attributes:
        n_params: Column of the parameters of each network.
        macs: Column of multiply-accumulates.
        memory_bytes: Column of the peak activation memory, in bytes.
        latency_ms: Column of milliseconds of one prediction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_params: str | None = None
    macs: str | None = None
    memory_bytes: str | None = None
    latency_ms: str | None = None


class TabularData(BaseModel):
    """The `data:` section.

    Attributes:
        file: Table of architectures that were trained: CSV, plain or gzip; NAS-Bench-101 as `.npz`; a `.bench` file.
            Relative paths count from the spec.
        benchmark: One found without a file: `nas-bench-graph`, from the installed package of that name, or `toy`, made
            up on the cells of NAS-Bench-201.
        dataset: Of `nas-bench-graph` (`cora`).
        target: Column that the search sees.
        report: Column that only the final comparison reads; by default `target`.
        direction: Whether a larger value of `target` is better.
        layout: Space of the rows, by name; by default that of the published layout. A table with one column for each
            choice needs it.
        costs: Columns that hold costs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = None
    benchmark: Literal["nas-bench-graph", "toy"] | None = None
    dataset: str | None = None
    target: str = Field(min_length=1)
    report: str | None = None
    direction: Direction = "maximize"
    layout: str | None = None
    costs: Costs = Costs()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.benchmark is None):
            raise ValueError("give either file or benchmark")
        if (self.benchmark == "nas-bench-graph") != (self.dataset is not None):
            raise ValueError("dataset belongs to benchmark nas-bench-graph, which needs one (cora)")
        return self
