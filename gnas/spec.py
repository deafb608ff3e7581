"""Spec: the YAML file of a run, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gnas.checking import check, suggest
from gnas.domain import domain_names, load_domain
from gnas.errors import MissingExtraError, SpecError, UserError
from gnas.yamlfile import ManySpecErrors, YamlFile, raise_all, read_yaml

if TYPE_CHECKING:
    from gnas.domain import Domain


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constraints(_Section):
    """Upper limits on every candidate. The first three are counted before training; latency needs a measurement.

    Attributes:
        n_params: Parameters of the network.
        macs: Multiply-accumulates of one prediction.
        memory_bytes: Peak activation memory of one prediction, in bytes.
        latency_ms: Milliseconds of one prediction by ONNX Runtime on one thread.
    """

    n_params: float | None = Field(default=None, gt=0)
    macs: float | None = Field(default=None, gt=0)
    memory_bytes: float | None = Field(default=None, gt=0)
    latency_ms: float | None = Field(default=None, gt=0)


class Budget(_Section):
    """What the search may spend; it ends at whichever comes first.

    Attributes:
        trials: Evaluations, infeasible ones not counted.
        minutes: Wall-clock minutes of the search stage, summed over resumptions.
        cpu_minutes: CPU minutes of the search's trainings: what else runs on the machine then cuts no search short.
        trial_minutes: Wall-clock limit of one evaluation; one that passes it is recorded as failed.
        trial_memory_mb: Memory limit of one evaluation, in mebibytes; likewise. The final comparison allows three times
            as much.
    """

    trials: int | None = Field(default=None, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    cpu_minutes: float | None = Field(default=None, gt=0)
    trial_minutes: float = Field(default=10.0, gt=0)
    trial_memory_mb: float = Field(default=4096.0, gt=0)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.trials is None and self.minutes is None and self.cpu_minutes is None:
            raise ValueError("the search would never end: give trials, minutes or cpu_minutes, or several of them")
        return self


class Search(_Section):
    """How the search proposes architectures.

    Attributes:
        algorithm: `bayes` (Gaussian process), `evolution` (regularised), `local`, `random`, or Optuna's `tpe`, `nsga2`.
        options: Options of the algorithm, checked by it.
        start: `known`: the search first evaluates the field's known networks that its space has; `none`: it does not.
        epochs: Most epochs of a candidate while searching, a cheap first look; by default the recipe's. Finalists are
            always retrained by the recipe.
        measure_latency: Whether the latency of every candidate is measured and recorded.
        pruner: Ends candidates that fall behind after some epochs: `median` where the best value so far is worse than
            the median of finished candidates at that epoch; `hyperband` where it is not among the best third at a few
            epochs. Never in the first ninth of the epochs. They count as trials, and searchers learn from what their
            rank lets expect. Random search prunes alike.
    """

    algorithm: Literal["bayes", "evolution", "local", "random", "tpe", "nsga2"] = "bayes"
    options: dict[str, Any] = Field(default_factory=dict)
    start: Literal["known", "none"] = "known"
    epochs: int | None = Field(default=None, ge=1)
    measure_latency: bool = False
    pruner: Literal["none", "median", "hyperband"] = "none"


class Final(_Section):
    """The final comparison on the locked test split.

    Attributes:
        finalists: Architectures retrained.
        seeds: Retrainings of each.
        baselines: Names, or `all`, or empty for none.
        default_network: Whether the domain's unsearched network is retrained beside them.
        random_search: Whether random search is run at equal cost and its finalists retrained likewise.
        turns: Whether each retraining seed validates on other examples of the learning data (baselines
            too), so that the choice among finalists rests on more of them than one small validation part holds.
        refit: Whether the final trainings join validation to training data (baselines too).
    """

    finalists: int = Field(default=3, ge=1)
    seeds: int = Field(default=3, ge=1)
    baselines: Literal["all"] | tuple[str, ...] = "all"
    default_network: bool = True
    random_search: bool = True
    turns: bool = False
    refit: bool = False


class SpaceRef(_Section):
    """A space with choices narrowed or fixed.

    Attributes:
        name: Name of a space (`gnas space list`), or a `.yaml` file, relative to the spec.
        restrict: Choices and the values they keep; one value fixes a choice.
    """

    name: str
    restrict: dict[str, list[Any]] = Field(default_factory=dict)


class Spec(_Section):
    """A whole spec.

    Attributes:
        domain: The plug-in that reads the data.
        name: Title of the report, and of the run folder where `--out` is not given.
        seed: Of the search, and the first of the retrainings.
        data: The data, checked by the domain's own model.
        metric: What is optimised; by default the task's first metric.
        space: Where to search; by default the domain's space for the task.
        constraints: Upper limits on every candidate.
        budget: What the search may spend; by default 50 trials.
        search: How the search proposes architectures.
        recipe: Changes to the domain's training recipe.
        final: The final comparison on the locked test split.
        device: `cpu`, `cuda`, `cuda:1`.
        workers: Processes that train candidates; `--workers` overrides it.
        executor: Where candidates are trained; `--executor` overrides it.
        storage: Optuna URL of the study; by default a journal file in the run folder.
    """

    domain: str
    name: str = "run"
    seed: int = Field(default=0, ge=0)
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
    storage: str | None = None

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        kind, _, index = value.partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdecimal()) or (kind == "cpu" and index):
            raise ValueError("unknown device: write cpu, cuda or cuda:0")
        return value


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A spec as read and checked, with the places of its values.

    Attributes:
        path: The file.
        file: Its values with their lines.
        spec: The checked spec.
        domain: The domain it names.
        data: The `data:` section, checked by the domain's model.
    """

    path: Path
    file: YamlFile
    spec: Spec
    domain: Domain
    data: BaseModel


def load_spec(path: Path) -> Spec:
    """Reads and checks a spec file, nested sections included.

    Raises:
        SpecError: One message (a line each) for everything wrong in the file.
        MissingExtraError: The domain's dependencies are absent.
    """
    return read_spec(path).spec


def read_spec(path: Path) -> SpecFile:
    """Like `load_spec`, with the places of the values and the checked `data:` section.

    Raises:
        SpecError: One message (a line each) for everything wrong in the file.
        MissingExtraError: The domain's dependencies are absent.
    """
    from gnas.evaluate.recipe import Recipe

    file = read_yaml(path)
    spec, complaints = check(Spec, file.values, file)
    errors: list[UserError] = list(complaints)
    domain, data = None, None
    name, raw = file.values.get("domain"), file.values.get("data")
    if isinstance(name, str):
        try:
            domain = _domain(name, file)
        except UserError as error:
            errors.append(error)
    if domain is not None and isinstance(raw, dict):
        data, found = check(domain.data_model, raw, file, ("data",))
        errors += found
    if isinstance(file.values.get("recipe"), dict):
        errors += check(Recipe, file.values["recipe"], file, ("recipe",))[1]
    errors += _search_errors(spec, file)
    raise_all(errors)
    if spec is None or domain is None or data is None:
        raise ManySpecErrors(errors)
    return SpecFile(path, file, spec, domain, data)


def _domain(name: str, file: YamlFile) -> Domain:
    """The named domain, its absence told with the line of the spec."""
    names = list(domain_names())
    if name not in names:
        raise SpecError(
            "unknown domain",
            place=file.place(("domain",)),
            value=name,
            accepted=", ".join(names) or "none is installed",
            remedy=suggest(name, names) or f"install the package that provides it (ours: pip install 'gnas[{name}]')",
        )
    try:
        return load_domain(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or str(error), name) from error


def _search_errors(spec: Spec | None, file: YamlFile) -> list[UserError]:
    """Complaints of the searcher about its options."""
    if spec is None:
        return []
    from gnas.searchers import make_searcher

    try:
        make_searcher(spec.search.algorithm, spec.search.options)
    except UserError as error:
        return [file.relocate(error)]
    return []
