"""Baselines: ResNet-18, which the engine trains as it trains finalists, and gradient boosting on simple features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.trees import BoostingLearner, Config, Fitted, Kind
from gnas.domain import AnyBaseline, Part, Task
from gnas.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from gnas_imaging.task import ImagingTask

Matrix = NDArray[Any]

_LEARNING_RATES = (0.05, 0.1)
_LEAVES = (10, 20)


def resnet(task: ImagingTask) -> nn.Module:
    """ResNet-18 for a task."""
    from gnas_imaging.resnet import ResNet18

    shape, out = task.inputs["image"].shape, task.output.shape[1]
    return ResNet18(int(shape[1]), [int(n) for n in shape[2:]], int(out))


def unet(task: ImagingTask) -> nn.Module:
    """The U-Net for a task, as `imaging/segmentation` has it."""
    from gnas.space import load_space
    from gnas_imaging.known_segmentation import UNET

    space = load_space("imaging/segmentation").bind(task.ops, task.inputs, task.output)
    return space.build(space.decode(space.encode(UNET)))


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A known network; implements `gnas.domain.NetworkBaseline`.

    Attributes:
        name: In tables.
        make: Gives a network for a task, newly initialised.
    """

    name: str
    make: Callable[[ImagingTask], nn.Module]

    def network(self, task: Task) -> nn.Module:
        """The network, newly initialised.

        Raises:
            DataError: The task is not of images.
        """
        return self.make(_imaging(task, self.name))


@dataclass(frozen=True, slots=True)
class _Rows:
    """One part: features `(image, feature)` and labels `(image, output)`."""

    x: Matrix
    labels: Matrix

    @classmethod
    def of(cls, task: ImagingTask, part: Part) -> _Rows:
        from gnas_imaging.features import simple_features

        key = ("simple features", part)
        if key not in task.memo:
            task.memo[key] = simple_features(task.stores[part].images.numpy())
        return cls(task.memo[key], task.targets(part))

    def joined(self, other: _Rows) -> _Rows:
        return _Rows(np.concatenate([self.x, other.x]), np.concatenate([self.labels, other.labels]))

    def targets(self, kind: Kind) -> list[tuple[Matrix, Matrix]]:
        """Features and labels of each model to fit: one for all classes, or one for each label or number."""
        if kind == "multiclass":
            return [(self.x, self.labels.argmax(axis=1))]
        known = [~np.isnan(self.labels[:, j]) for j in range(self.labels.shape[1])]
        return [(self.x[rows], self.labels[rows, j]) for j, rows in enumerate(known)]


@dataclass(frozen=True, slots=True)
class BoostingBaseline:
    """Gradient boosting on histograms, a small copy of the image, and oriented gradients.

    Learning rate and leaf size are chosen on validation, in turn, the number of trees by early stopping.

    Attributes:
        name: In tables.
        learner: Fits one target.
    """

    name: str = "gradient boosting"
    learner: BoostingLearner = field(default_factory=BoostingLearner)

    def evaluate(self, task: Task, seed: int, *, refit: bool = False) -> Mapping[Part, Mapping[str, float]]:
        """Metrics on validation and, where the task is not sealed, on test.

        Args:
            task: An imaging task.
            seed: Of the models.
            refit: Whether the models read on test are fitted anew on training and validation together.

        Raises:
            DataError: The task is not of images.
        """
        imaging = _imaging(task, self.name)
        kind: Kind = "binary" if imaging.kind == "multilabel" else imaging.kind  # type: ignore[assignment]
        train, validation = _Rows.of(imaging, "train"), _Rows.of(imaging, "validation")
        models = self._fit(train, validation, kind, self._chosen(imaging, train, validation, kind), seed)
        scores: dict[Part, Mapping[str, float]] = {"validation": _score(imaging, models, validation)}
        if "test" in imaging.stores:
            if refit:
                rows = train.joined(validation).targets(kind)
                models = [
                    self.learner.fit(x, y, None, kind=kind, config=model.config, seed=seed, draft=False)
                    for model, (x, y) in zip(models, rows, strict=True)
                ]
            scores["test"] = _score(imaging, models, _Rows.of(imaging, "test"))
        return scores

    def _chosen(self, task: ImagingTask, train: _Rows, validation: _Rows, kind: Kind) -> Config:
        """The hyper-parameters, chosen once for all seeds."""
        key = ("boosting", self.name)
        if key not in task.memo:
            objective = task.metrics[0]
            sign = 1.0 if objective.direction == "maximize" else -1.0
            best: Config = {"learning_rate": 0.1, "min_samples_leaf": 20, "l2_regularization": 0.0}

            def value(config: Config) -> float:
                models = self._fit(train, validation, kind, config, 0, draft=True)
                found = sign * _score(task, models, validation)[objective.name]
                return -np.inf if np.isnan(found) else found

            reached = value(best)
            for name, values in (("min_samples_leaf", _LEAVES), ("learning_rate", _LEARNING_RATES)):
                for other in values:
                    candidate = {**best, name: other}
                    if candidate != best and (found := value(candidate)) > reached:
                        best, reached = candidate, found
            task.memo[key] = best
        chosen: Config = task.memo[key]
        return chosen

    def _fit(
        self, train: _Rows, validation: _Rows, kind: Kind, config: Config, seed: int, *, draft: bool = False
    ) -> list[Fitted]:
        pairs = zip(train.targets(kind), validation.targets(kind), strict=True)
        return [
            self.learner.fit(x, y, watched, kind=kind, config=config, seed=seed, draft=draft)
            for (x, y), watched in pairs
        ]


def _score(task: ImagingTask, models: list[Fitted], rows: _Rows) -> dict[str, float]:
    predicted = np.concatenate([model.predict(rows.x).reshape(len(rows.x), -1) for model in models], axis=1)
    return task.score_predictions(rows.labels, predicted)


def _imaging(task: Task, name: str) -> ImagingTask:
    from gnas_imaging.task import ImagingTask

    if not isinstance(task, ImagingTask):
        raise DataError(f"baseline {name!r} reads images only", value=type(task).__name__)
    return task


BASELINES: Mapping[str, AnyBaseline] = {
    baseline.name: baseline for baseline in (KnownNetwork("ResNet-18", resnet), BoostingBaseline())
}
SEGMENTATION_BASELINES: Mapping[str, AnyBaseline] = {"U-Net": KnownNetwork("U-Net", unet)}
