"""A small task on a table of numbers, with ops and a space, to test engines with: it trains fast, fails on demand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from gnas.architecture import Architecture, Node
from gnas.build import build_network
from gnas.domain import AnyBaseline, Batch, DataSummary, Metric, Part, Task
from gnas.errors import DataError, InvalidShapeError
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Constraint, Objective
from gnas.ops import Layer, Op, Params, TensorType
from gnas.problem import Problem
from gnas.space.protocol import Codes
from gnas.spec import Spec
from gnas.testing import toy_layers
from gnas.testing.chain import ChainSpace

FEATURES = 6
_SIZES: Mapping[Part, int] = {"train": 192, "validation": 96, "test": 96}
_KINDS: Mapping[str, tuple[type[nn.Module], str]] = {
    "relu": (toy_layers.Dense, "relu"),
    "tanh": (toy_layers.Dense, "tanh"),
    "convolved": (toy_layers.Convolved, "relu"),
    "raises": (toy_layers.Raising, "relu"),
    "diverges": (toy_layers.Diverging, "relu"),
    "hungry": (toy_layers.Hungry, "relu"),
    "huge": (toy_layers.Huge, "relu"),
    "slow": (toy_layers.Slow, "relu"),
    "fatal": (toy_layers.Fatal, "relu"),
}
OBJECTIVE = Objective("rmse", "minimize")


@dataclass(frozen=True)
class ToyOp:
    """A dense layer of one kind; `width` is its parameter, 1 for the head."""

    name: str
    factory: type[nn.Module] = toy_layers.Dense
    activation: str = "relu"
    context: tuple[str, ...] = ()

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        """Rows to rows."""
        if len(inputs) != 1 or inputs[0].kind != "rows":
            raise InvalidShapeError(self.name, [str(kind) for kind in inputs], "one value of kind rows")
        return TensorType("rows", ("row", self._width(params)))

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        """The layer."""
        return Layer(
            self.factory,
            {"inputs": inputs[0].shape[1], "outputs": self._width(params), "activation": self.activation},
        )

    def _width(self, params: Params) -> int:
        width = params.get("width", 1)
        if not isinstance(width, int):
            raise InvalidShapeError(self.name, width, "an integer width")
        return width


@dataclass
class Ridge:
    """The toy's baseline: least squares on the features, with a little noise from the seed."""

    name: str = "ridge"

    def evaluate(self, task: Any, seed: int, *, refit: bool = False) -> Mapping[Part, Mapping[str, float]]:
        """Metrics on validation and test."""
        rng = np.random.default_rng(seed)
        x, y = task.data["train"]
        if refit:
            x, y = (torch.cat(pair) for pair in zip((x, y), task.data["validation"], strict=True))
        # Doubles, rounded: the last bits of LAPACK depend on how its buffers happen to be aligned.
        weights = torch.linalg.lstsq(x.double(), y.double()).solution + float(rng.normal(scale=1e-3))
        parts: tuple[Part, ...] = ("validation", "test") if "test" in task.data else ("validation",)
        scores = {part: task.score(part, task.data[part][0].double() @ weights) for part in parts}
        return {part: {name: round(value, 9) for name, value in found.items()} for part, found in scores.items()}


@dataclass(frozen=True, slots=True)
class KnownPerceptron:
    """A network as a baseline, for a toy that lists it."""

    name: str = "known"

    def network(self, task: Any) -> nn.Module:
        """One layer."""
        return nn.Linear(FEATURES, task.output.shape[1])


@dataclass(frozen=True)
class ToyTask:
    """Regression of a smooth function of six features, scaled already; implements `gnas.domain.Task`."""

    data: Mapping[Part, tuple[Tensor, Tensor]]
    name: str = "toy"

    @classmethod
    def make(cls, seed: int = 0) -> ToyTask:
        """The task of a seed."""
        rng = np.random.default_rng(seed)
        data: dict[Part, tuple[Tensor, Tensor]] = {}
        for part, n in _SIZES.items():
            x = rng.normal(size=(n, FEATURES))
            y = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=n)
            data[part] = (
                torch.tensor(x, dtype=torch.float32),
                torch.tensor(y[:, None], dtype=torch.float32),
            )
        return cls(data)

    @property
    def summary(self) -> DataSummary:
        """Sizes."""
        parts: dict[str, int] = {part: len(x) for part, (x, _) in self.data.items()}
        return DataSummary(sum(parts.values()), sum(parts.values()), parts, facts={"split": "random"})

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """RMSE and MAE."""
        return (Metric("rmse", "minimize"), Metric("mae", "minimize"))

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """The features."""
        return {"x": TensorType("rows", ("row", FEATURES))}

    @property
    def output(self) -> TensorType:
        """One number a row."""
        return TensorType("rows", ("row", 1))

    @property
    def ops(self) -> Mapping[str, Op]:
        """Dense layers, good and bad, and the head."""
        ops: dict[str, Op] = {name: ToyOp(name, factory, act) for name, (factory, act) in _KINDS.items()}
        return {**ops, "head": ToyOp("head", toy_layers.Dense, "none")}

    @property
    def recipe(self) -> Recipe:
        """A few short epochs."""
        return Recipe(epochs=3, batch_size=64, learning_rate=1e-2)

    @property
    def default_space(self) -> str:
        """There is none by name."""
        return "testing/toy"

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """There is none by name."""
        return "testing/toy", {}

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """There is no field."""
        return ()

    @property
    def baselines(self) -> Mapping[str, AnyBaseline]:
        """Ridge."""
        return {"ridge": Ridge()}

    def sealed(self) -> ToyTask:
        """Without the test part."""
        return replace(self, data={part: pair for part, pair in self.data.items() if part != "test"})

    def merged(self) -> ToyTask:
        """Validation joined to train."""
        x, y = (torch.cat(pair) for pair in zip(self.data["train"], self.data["validation"], strict=True))
        return replace(self, data={**self.data, "train": (x, y)})

    @property
    def turns(self) -> int:
        """The given division, and one for each further set of rows as large as validation."""
        return 1 + len(self.data["train"][0]) // len(self.data["validation"][0])

    def turned(self, turn: int) -> ToyTask:
        """Another set of rows validates."""
        x, y = (torch.cat(pair) for pair in zip(self.data["validation"], self.data["train"], strict=True))
        n = len(self.data["validation"][0])
        rows = torch.arange(len(x))
        inside = rows // n == turn % self.turns
        parts: dict[Part, tuple[Tensor, Tensor]] = {
            "validation": (x[inside], y[inside]),
            "train": (x[~inside], y[~inside]),
        }
        return replace(self, data={**self.data, **parts}) if turn % self.turns else self

    def size(self, part: Part) -> int:
        """Rows of a part."""
        return len(self._part(part)[0])

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part."""
        x, y = self._part(part)
        order = torch.arange(len(x)) if generator is None else torch.randperm(len(x), generator=generator)
        for index in torch.split(order, batch_size):
            targets = y[index].to(device)
            yield Batch({"x": x[index].to(device)}, targets, torch.ones_like(targets, dtype=torch.bool))

    def loss(self, outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
        """Mean squared error."""
        return nn.functional.mse_loss(outputs, batch.targets)

    def score(self, part: Part, outputs: Tensor) -> Mapping[str, float]:
        """RMSE and MAE."""
        error = (outputs - self._part(part)[1]).double()
        return {"rmse": math.sqrt(float(error.square().mean())), "mae": float(error.abs().mean())}

    def example(self, n: int) -> Mapping[str, Tensor]:
        """Training rows."""
        return {"x": self.data["train"][0][:n]}

    def dynamic_axes(self) -> Mapping[str, Mapping[int, str]]:
        """Rows vary."""
        return {"x": {0: "row"}}

    def takeaway(self) -> Mapping[str, str]:
        """No files."""
        return {}

    def _part(self, part: Part) -> tuple[Tensor, Tensor]:
        if part not in self.data:
            raise DataError("the task is sealed: it has no such part", value=part, accepted=", ".join(self.data))
        return self.data[part]


@dataclass(frozen=True)
class ToySpace(ChainSpace):
    """Chains of toy ops with a head; bound."""

    depth: int = 3
    ops: tuple[str, ...] = ("relu", "tanh")
    widths: tuple[int, ...] = (4, 8, 16)
    task: ToyTask = field(default_factory=lambda: ToyTask.make().sealed(), repr=False, compare=False)

    @property
    def name(self) -> str:
        """Name of the space."""
        return "testing/toy"

    def decode(self, code: Codes) -> Architecture:
        """The chain of one row, with its head."""
        chain = super().decode(code)
        head = Node("head", (), (len(chain.nodes) - 1,), "head")
        return Architecture((*chain.nodes, head), (len(chain.nodes),), chain.assignment)

    def build(self, architecture: Architecture) -> nn.Module:
        """The network."""
        return build_network(architecture, self.task.ops, self.task.inputs, self.task.output)


def toy_problem(space: ToySpace | None = None, **spec: Any) -> Problem:
    """A problem on the toy task; `spec` overrides fields of the spec, as `budget={"trials": 5}`."""
    fields: dict[str, Any] = {
        "domain": "toy",
        "data": {},
        "executor": "inline",
        "workers": 1,
        "budget": {"trials": 8},
        "search": {"algorithm": "evolution"},
        "final": {"finalists": 2, "seeds": 2, "default_network": False},
    }
    checked = Spec.model_validate({**fields, **spec})
    task = ToyTask.make()
    limits = checked.constraints.model_dump(exclude_none=True)
    return Problem(
        checked,
        None,
        cast(Task, task),
        space or ToySpace(),
        OBJECTIVE,
        tuple(Constraint(name, float(upper)) for name, upper in limits.items()),
        Recipe.model_validate(task.recipe.model_dump() | checked.recipe),
    )
