"""The `data:` section of a molecular spec, checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SplitKind = Literal["scaffold_balanced", "scaffold", "random", "column", "group", "time"]
TaskKind = Literal["regression", "binary"]


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Split(_Options):
    """How molecules are shared out to training, validation and test.

    Attributes:
        kind: `scaffold_balanced` (seeded, large scaffolds to training), `scaffold` (deterministic, largest first),
            `random`, `column` (parts named in a column), `group` (values of a column stay together), `time` (oldest
            to training).
        fractions: Of training, validation and test; they sum to 1.
        seed: Of the shuffling.
        column: For `column`, `group` and `time`.
        leaks: What happens when the same molecule falls into two parts of a `column`, `group` or `time` split:
            `error`, or `remove` (the copy nearer to training goes).
    """

    kind: SplitKind = "scaffold_balanced"
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = Field(default=0, ge=0)
    column: str | None = None
    leaks: Literal["error", "remove"] = "error"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(f <= 0 for f in self.fractions) or abs(sum(self.fractions) - 1.0) > 1e-6:
            raise ValueError("split.fractions must be positive and sum to 1")
        by_column = self.kind in ("column", "group", "time")
        if by_column and self.column is None:
            raise ValueError(f"split.kind {self.kind!r} needs split.column")
        if not by_column and self.column is not None:
            raise ValueError(f"split.column has no use for split.kind {self.kind!r}; accepted: column, group, time")
        return self


class Standardise(_Options):
    """How molecules are made comparable.

    Attributes:
        salts: Only the largest fragment stays.
        uncharge: Charges are neutralised.
        tautomers: The canonical tautomer is taken; slow.
    """

    salts: bool = True
    uncharge: bool = False
    tautomers: bool = False


class MolecularData(_Options):
    """The `data:` section.

    Attributes:
        file: CSV, CSV.gz, TSV, Parquet or SDF; relative paths count from the spec.
        dataset: One that comes along, `freesolv` or `solubility`, instead of `file`.
        smiles: Column of SMILES; by default the one called so in any spelling. An SDF needs none.
        targets: Columns to predict; an embedded dataset has its own default.
        task: `regression`, `binary` (0 and 1), or `auto`.
        split: See `Split`.
        standardise: See `Standardise`.
        duplicates: Rows of one molecule: `merge` (mean, or majority), `first`, or `error`.
        max_unparsable: Largest fraction of rows left out because their SMILES cannot be read.
        id: Column of names, shown in messages.
        unit: Unit of the targets, shown in the report.
    """

    file: str | None = None
    dataset: str | None = None
    smiles: str | None = None
    targets: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    task: Literal["auto", "regression", "binary"] = "auto"
    split: Split = Split()
    standardise: Standardise = Standardise()
    duplicates: Literal["merge", "first", "error"] = "merge"
    max_unparsable: float = Field(default=0.05, ge=0, le=1)
    id: str | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.file is None) == (self.dataset is None):
            raise ValueError("give either file or dataset")
        if self.file is not None and not self.targets:
            raise ValueError("targets is missing: name the column or columns to predict")
        if len(set(self.targets)) != len(self.targets):
            raise ValueError("targets names a column twice")
        return self
