"""Spec: the YAML file of a run, checked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constraints(_Section):
    """Upper limits. The first three are checked before training; latency needs a measurement."""

    n_params: float | None = Field(default=None, gt=0)
    macs: float | None = Field(default=None, gt=0)
    memory_bytes: float | None = Field(default=None, gt=0)
    latency_ms: float | None = Field(default=None, gt=0)


class Budget(_Section):
    """What the search may spend; it ends at whichever comes first.

    Attributes:
        trials: Evaluations, infeasible ones not counted.
        minutes: Wall-clock minutes of the search stage, summed over resumptions.
        trial_minutes, trial_memory_mb: Limits on one evaluation.
    """

    trials: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    trial_minutes: float = Field(default=10.0, gt=0)
    trial_memory_mb: float = Field(default=4096.0, gt=0)


class Search(_Section):
    """Which algorithm, with its options (checked by the searcher)."""

    algorithm: Literal["bayes", "evolution", "local", "random", "tpe", "nsga2"] = "bayes"
    options: dict[str, Any] = Field(default_factory=dict)
    measure_latency: bool = False


class Final(_Section):
    """The final comparison on the locked test split.

    Attributes:
        finalists: Architectures retrained.
        seeds: Retrainings of each.
        baselines: Names, or `all`, or empty for none.
        default_network: Whether the domain's unsearched network is retrained beside them.
        random_search: Whether random search is run at equal cost and its finalists retrained likewise.
        refit: Whether the final trainings join validation to training data (baselines too).
    """

    finalists: int = Field(default=3, ge=1)
    seeds: int = Field(default=3, ge=1)
    baselines: Literal["all"] | tuple[str, ...] = "all"
    default_network: bool = True
    random_search: bool = True
    refit: bool = False


class SpaceRef(_Section):
    """A space by name (`molecular/default`) or file, with choices narrowed or fixed."""

    name: str
    restrict: dict[str, list[Any]] = Field(default_factory=dict)


class Spec(_Section):
    """A whole spec. `data` is checked by the domain's own model."""

    domain: str
    name: str = "run"
    seed: int = 0
    data: dict[str, Any]
    metric: str | None = None
    space: str | SpaceRef | None = None
    constraints: Constraints = Constraints()
    budget: Budget = Budget(trials=50)
    search: Search = Search()
    recipe: dict[str, Any] = Field(default_factory=dict)
    final: Final = Final()
    device: str = "cpu"
    workers: int = Field(default=2, ge=1)
    executor: Literal["processes", "inline", "ray"] = "processes"
