"""Results: what a finished run says, in one record that the report and `--json` read (`DIR/results.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from gnas.errors import StudyError
from gnas.numerics import Numerics
from gnas.records import from_json, to_json

RESULTS = "results.json"
RowKind = Literal["finalist", "ensemble", "baseline", "default_network", "random_search", "random_ensemble"]


@dataclass(frozen=True, slots=True)
class FinalRow:
    """One retraining (or one baseline fit), appended to `DIR/finals.jsonl` as it finishes.

    Attributes:
        kind: What it is. `finalist` rows are networks of the search; `random_search` rows the finalists of random
            search at equal cost; ensembles average the outputs of their members.
        name: `finalist 1`, `random forest`, …
        seed: Retraining seed.
        digest: Of the architecture, empty for baselines.
        trial: Number in its study, −1 if none.
        validation, test: Metrics by name. `test` was read once, for this row.
        costs: `n_params`, `macs`, `memory_bytes`, `latency_ms`, `latency_low_ms`, `latency_high_ms` where measured.
        seconds, cpu_seconds: Of the retraining.
        reason: Why it failed; empty otherwise.
        numerics: In which it was trained, where there was a choice; None where there was none.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "constants"}

    kind: RowKind
    name: str
    seed: int
    digest: str = ""
    trial: int = -1
    validation: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reason: str = ""
    numerics: Numerics | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; `from_json` gives an equal record back."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: str | bytes | dict[str, Any]) -> FinalRow:
        """The record of `to_json`.

        Raises:
            ValueError: Unknown or missing key, or wrong type; names the key.
        """
        return from_json(cls, data)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of one network's metrics.

    Attributes:
        bounds: Lower and upper bound by metric.
        units: How many groups or single examples were drawn from, with replacement.
        examples: In the part.
        draws: How often.
        level: Share of the draws inside.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    units: int = 0
    examples: int = 0
    draws: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class RunResults:
    """Everything the report needs beside the study itself.

    Attributes:
        objective, direction: What was optimised.
        finals: All final rows.
        chosen: Name of the finalist exported to `DIR/best` (chosen on validation, never on test).
        stages: Wall-clock seconds of `search`, `random_search`, `finals`, `export`, summed over resumptions.
        cpu_seconds: CPU seconds of the whole run, workers included.
        energy_kwh: Where it could be measured (RAPL), else None.
        protocol: Facts about split, seeds and what the searcher saw, name to text.
        versions: Of python, torch, gnas and the libraries that matter.
        summary: The task's data summary as a mapping.
        notes: Remarks worth a line in the report.
        intervals: Bootstrap intervals of the exported network on the test part; None where the task gives none.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "constants"}

    objective: str
    direction: str
    finals: tuple[FinalRow, ...]
    chosen: str
    stages: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    energy_kwh: float | None = None
    protocol: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    intervals: Intervals | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; `from_json` gives an equal record back."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: str | bytes | dict[str, Any]) -> RunResults:
        """The record of `to_json`.

        Raises:
            ValueError: Unknown or missing key, or wrong type; names the key.
        """
        return from_json(cls, data)


def read_results(out: Path) -> RunResults | None:
    """The results of a run folder; None where the run has not ended.

    Raises:
        StudyError: The file is damaged.
    """
    path = out / RESULTS
    if not path.is_file():
        return None
    try:
        return RunResults.from_json(path.read_bytes())
    except ValueError as error:
        raise StudyError(
            f"cannot be read ({error})", place=str(path), remedy="remove it and start the same gnas run again"
        ) from error
