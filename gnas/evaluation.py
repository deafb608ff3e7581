"""Evaluation: what is known of one architecture after one attempt to evaluate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from gnas.architecture import Assignment
from gnas.numerics import Numerics
from gnas.records import from_json, to_json

Status = Literal["ok", "failed", "infeasible", "pruned"]
Direction = Literal["minimize", "maximize"]
FREE_COSTS = ("n_params", "macs", "memory_bytes")
"""Costs that are counted without training or timing."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What the search optimises: a name in `Evaluation.values` and a direction."""

    name: str
    direction: Direction

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is strictly better than `b`."""
        return a < b if self.direction == "minimize" else a > b

    def sign(self) -> float:
        """+1 when larger is better, −1 when smaller is better."""
        return -1.0 if self.direction == "minimize" else 1.0


@dataclass(frozen=True, slots=True)
class Constraint:
    """An upper limit on a value (`n_params`, `macs`, `memory_bytes`, `latency_ms`)."""

    name: str
    upper: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One attempt to evaluate one architecture.

    Attributes:
        number: Position in the study, from 0.
        digest: Canonical digest of the architecture.
        assignment: The choices it came from.
        status: `ok`, `failed` (raised, diverged, out of memory or time), `infeasible` (a constraint), `pruned`.
        values: Metrics on validation data under their names, and costs: `n_params`, `macs`, `memory_bytes` (peak
            activation memory), `latency_ms` where measured.
        reason: Why it is not `ok`; empty otherwise.
        fidelity: Epochs trained.
        seed: Seed of initialisation and batches.
        seconds: Wall-clock seconds of the evaluation; `cpu_seconds` likewise.
        device: Where it ran.
        versions: Versions of python, torch and gnas.
        curve: Validation value of the objective after each epoch.
        step: The `ask` that proposed it.
        numerics: In which it was trained, where there was a choice; None where there was none.
        estimate: Of a pruned one: what the objective would have come to, by its rank among others at the same epoch.
            Searchers learn from it; it is never the best, nor a finalist.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "constants"}

    number: int
    digest: str
    assignment: Assignment
    status: Status
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    fidelity: float = 0.0
    seed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    step: int = 0
    numerics: Numerics | None = None
    estimate: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; `from_json` gives an equal record back."""
        return to_json(self)

    @classmethod
    def from_json(cls, data: str | bytes | dict[str, Any]) -> Evaluation:
        """The record of `to_json`.

        Raises:
            ValueError: Unknown or missing key, or wrong type; names the key.
        """
        return from_json(cls, data)
