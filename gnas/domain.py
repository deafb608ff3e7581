"""The plug-in door: `Domain`, `Task`, `Batch`. Domains register under the entry-point group `gnas.domains`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from gnas.errors import SpecError
from gnas.evaluation import Direction
from gnas.ops import Op, TensorType

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from pydantic import BaseModel
    from torch import nn

    from gnas.architecture import Architecture
    from gnas.evaluate.recipe import Recipe
    from gnas.illustration import Figure

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a task. `unit` is empty for dimensionless ones."""

    name: str
    direction: Direction
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: model inputs by name (those of `Task.inputs`), targets, and `mask` of present labels (same shape)."""

    inputs: Mapping[str, torch.Tensor]
    targets: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class DataSummary:
    """What `plan` and the report tell of the data.

    Attributes:
        rows: Rows read; `used`: rows kept.
        parts: Number of examples per part.
        skipped: `(place, reason)` of the rows left out.
        notes: Remarks (duplicates merged, class balance).
        warnings: Things a reviewer would object to (leaks found, tiny parts).
        facts: Further figures to show, name to text.
    """

    rows: int
    used: int
    parts: Mapping[str, int]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Baseline(Protocol):
    """A strong baseline of the field: fitted on training data, tuned on validation, read once on test."""

    @property
    def name(self) -> str:
        """As tables show it."""
        ...

    def evaluate(self, task: Task, seed: int, *, refit: bool = False) -> Mapping[Part, Mapping[str, float]]:
        """Metrics on validation and, where the task is not sealed, on test.

        Args:
            task: The problem.
            seed: Of the models.
            refit: Whether the model read on test is fitted on training and validation together, once its
                hyper-parameters are chosen on validation.
        """
        ...


@runtime_checkable
class NetworkBaseline(Protocol):
    """A known network of the field: the engine trains it as it trains finalists, by the recipe of the run."""

    @property
    def name(self) -> str:
        """As tables show it."""
        ...

    def network(self, task: Task) -> nn.Module:
        """The network for a task, newly initialised from torch's global random state."""
        ...


AnyBaseline = Baseline | NetworkBaseline


@runtime_checkable
class Task(Protocol):
    """A problem instance: data with its split, ops, metrics, recipe, baselines."""

    @property
    def name(self) -> str:
        """As reports show it."""
        ...

    @property
    def summary(self) -> DataSummary:
        """What was read, kept and split."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics computed by `score`; the first is the default objective."""
        ...

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Model inputs, in the order of the network's forward."""
        ...

    @property
    def output(self) -> TensorType:
        """What the network must return."""
        ...

    @property
    def ops(self) -> Mapping[str, Op]:
        """Ops by name, data-dependent ones (PNA's degrees) already bound to the training part."""
        ...

    @property
    def recipe(self) -> Recipe:
        """Default training recipe of the domain for this task."""
        ...

    @property
    def default_space(self) -> str:
        """Name of the space searched when the spec names none."""
        ...

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """The domain's unsearched strong network: space name and assignment."""
        ...

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """Assignments in `default_space` of known good networks: a search begins with those its space has."""
        ...

    @property
    def baselines(self) -> Mapping[str, AnyBaseline]:
        """Baselines by name."""
        ...

    def sealed(self) -> Task:
        """The same task with the test part physically removed: what searchers, executors and workers get."""
        ...

    def size(self, part: Part) -> int:
        """Number of examples.

        Raises:
            DataError: `test` of a sealed task.
        """
        ...

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part, shuffled if a generator is given. Targets are scaled as the network is trained on them."""
        ...

    def merged(self) -> Task:
        """The same task with validation joined to train (for a final refit where the protocol says so)."""
        ...

    def loss(self, outputs: torch.Tensor, batch: Batch, recipe: Recipe) -> torch.Tensor:
        """Scalar loss; missing labels do not count."""
        ...

    def score(self, part: Part, outputs: torch.Tensor) -> Mapping[str, float]:
        """All metrics, in the data's own units, from raw outputs for the whole part in order `(example, target)`."""
        ...

    def example(self, n: int) -> Mapping[str, torch.Tensor]:
        """Model inputs of `n` training examples: for meters, cost counters and exporters."""
        ...

    def dynamic_axes(self) -> Mapping[str, Mapping[int, str]]:
        """Axes of each input that vary, with their names, for the exporters."""
        ...

    def takeaway(self) -> Mapping[str, str]:
        """Text files beside `model.py` in the export folder (`predict.py`, `preprocess.json`): name to content."""
        ...


@runtime_checkable
class TurningTask(Protocol):
    """A task that can divide its learning data (training and validation) anew, as its split keeps groups together."""

    @property
    def turns(self) -> int:
        """How many divisions there are, the given one among them."""
        ...

    def turned(self, turn: int) -> Task:
        """The same task with other learning data in `validation`, disjoint from turn to turn; `test` stays.

        Turn 0 is the task itself; after the last of `turns` it begins anew.
        """
        ...


def at_turn(task: Task, turn: int) -> Task:
    """A task at one of its turns; itself where it has none."""
    return task.turned(turn) if turn and isinstance(task, TurningTask) else task


@runtime_checkable
class AnsweringTask(Protocol):
    """A task that knows what its architectures reach: a table of trained ones, a simulator. Nothing is built.

    Its space stays unbound, its networks have no weights to take away, and the final comparison asks instead of
    retraining.
    """

    def fingerprint(self) -> str:
        """Digest of what it knows of `validation`: a study refuses to continue with other answers."""
        ...

    def answer(self, part: Part, architecture: Architecture) -> Mapping[str, float]:
        """Metrics on a part.

        Raises:
            CandidateError: It does not know the architecture.
            DataError: `test` of a sealed task.
        """
        ...

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """Costs by the names of constraints (`n_params`, `latency_ms`), as far as it knows them.

        Raises:
            CandidateError: It does not know the architecture.
        """
        ...


@runtime_checkable
class IllustratedTask(Protocol):
    """A task that draws its predictions: examples with what was predicted, a confusion matrix, a calibration curve.

    The run asks once, for the chosen finalist on `test`, and the report shows what comes back. `gnas.illustration` has
    drawings that several domains share.
    """

    def figures(self, part: Part, outputs: torch.Tensor) -> Sequence[Figure]:
        """Figures of raw outputs for a whole part in order, as `Task.score` takes them.

        Raises:
            DataError: `test` of a sealed task.
        """
        ...


@runtime_checkable
class ResamplingTask(Protocol):
    """A task whose metrics can be had of any examples of a part: the run then gives bootstrap intervals on `test`."""

    def clusters(self, part: Part) -> Sequence[Hashable]:
        """Of each example in order, what is drawn together with it: its patient, its device, or a name of its own.

        Raises:
            DataError: `test` of a sealed task.
        """
        ...

    def scorer(self, part: Part, outputs: torch.Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some examples, repeats counted as often as they stand there.

        Args:
            part: Of the examples.
            outputs: Raw, for the whole part in order, as `Task.score` takes them.

        Raises:
            DataError: `test` of a sealed task.
        """
        ...


@runtime_checkable
class Domain(Protocol):
    """A plug-in, one instance per domain, found under the entry-point group `gnas.domains`.

    Attributes:
        name: As specs name it.
        data_model: pydantic model (`extra="forbid"`) of the spec's `data:` section.
        spaces: Package and folder of its spaces, `gnas_spaces/<domain>`.
    """

    name: str
    data_model: type[BaseModel]

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> Task:
        """Reads, checks, splits and featurises.

        Args:
            data: The checked `data:` section.
            metric: The objective the spec names, or None.
            base: Folder against which relative paths are read.
            cache: Folder for featurised data, keyed by content.

        Raises:
            DataError: With file, line or column, and the remedy.
        """
        ...

    def template(self) -> str:
        """A commented spec for `gnas init`."""
        ...


def domain_names() -> Sequence[str]:
    """Names of the installed domains, sorted; imports none of them."""
    return sorted({point.name for point in entry_points(group="gnas.domains")})


def load_domain(name: str) -> Domain:
    """The domain registered under `name`.

    Raises:
        SpecError: No such domain is installed.
        MissingExtraError: Its dependencies are absent.
    """
    for point in entry_points(group="gnas.domains"):
        if point.name == name:
            loaded: Domain = point.load()
            return loaded
    names = domain_names()
    raise SpecError(
        "unknown domain",
        place="domain",
        value=name,
        accepted=", ".join(names) or "none is installed",
        remedy=f"pip install 'gnas[{name}]' if it is one of ours",
    )
