"""Baselines: boosted trees on simple features; MiniRocket and MultiRocket-Hydra from aeon.

InceptionTime is none of them: it is the domain's default network, which the final comparison trains as finalists are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.data.trees import BoostingLearner, Config, Fitted, Kind
from gnas.domain import Baseline, Part, Task
from gnas.errors import DataError, MissingExtraError
from gnas_timeseries.options import TaskKind
from gnas_timeseries.statistics import statistics
from gnas_timeseries.store import SeriesStore

if TYPE_CHECKING:
    from gnas_timeseries.task import SeriesTask

Matrix = NDArray[Any]
Model = Callable[[SeriesStore], Matrix]
"""Predicts `(series, class or target)`: probabilities, or values in data units."""


class Fit(Protocol):
    """Fits a model on a part."""

    def __call__(self, task: SeriesTask, train: SeriesStore, watched: SeriesStore | None, seed: int) -> Model:
        """A model of `train`.

        Args:
            task: The problem.
            train: What to fit on.
            watched: Validation data for early stopping, or None after `refit`.
            seed: Of the model.
        """
        ...


@dataclass(frozen=True, slots=True)
class SeriesBaseline:
    """A baseline; implements `gnas.domain.Baseline`.

    Attributes:
        name: In tables.
        fit: How it is fitted.
    """

    name: str
    fit: Fit

    def evaluate(self, task: Task, seed: int, *, refit: bool = False) -> Mapping[Part, Mapping[str, float]]:
        """Metrics on validation and, where the task is not sealed, on test.

        Args:
            task: A task on time series.
            seed: Of the models.
            refit: Whether the model read on test is fitted anew on training and validation together.

        Raises:
            DataError: The task is none on time series.
            MissingExtraError: The baseline needs aeon, which is absent.
        """
        from gnas_timeseries.task import SeriesTask

        if not isinstance(task, SeriesTask):
            raise DataError(f"baseline {self.name!r} reads time series only", value=type(task).__name__)
        train, validation = task.store("train"), task.store("validation")
        model = self.fit(task, train, validation, seed)
        scores: dict[Part, Mapping[str, float]] = {
            "validation": task.score_predictions("validation", model(validation))
        }
        if "test" in task.stores:
            model = self.fit(task, train.joined(validation), None, seed) if refit else model
            scores["test"] = task.score_predictions("test", model(task.store("test")))
        return scores


_CONFIG: Config = {"learning_rate": 0.1, "min_samples_leaf": 5, "l2_regularization": 1.0}


def _boosting(task: SeriesTask, train: SeriesStore, watched: SeriesStore | None, seed: int) -> Model:
    """Trees for each target on simple features; without `watched` as many as were best on validation before."""
    kinds: Mapping[TaskKind, Kind] = {"regression": "regression", "multilabel": "binary"}
    kind: Kind = kinds.get(task.kind, "binary" if len(task.classes) == 2 else "multiclass")
    x, labels = _features(train), train.labels.numpy()
    learner = BoostingLearner(most=300)
    models: list[Fitted] = []
    for target in range(labels.shape[1]):
        here = ~np.isnan(labels[:, target])
        key = ("boosting", target)
        config = {**_CONFIG, "iterations": task.memo.get(key, 100)}
        seen = None
        if watched is not None:
            there = ~np.isnan(watched.labels.numpy()[:, target])
            seen = _features(watched)[there], watched.labels.numpy()[there, target]
        y = labels[here, target]
        fitted = learner.fit(x[here], y, seen, kind=kind, config=config, seed=seed, draft=False)
        if watched is not None:
            task.memo[key] = fitted.config["iterations"]
        models.append(fitted)

    def predict(store: SeriesStore) -> Matrix:
        found = [model.predict(_features(store)) for model in models]
        if kind == "multiclass":
            return found[0]
        columns = np.stack(found, axis=1)
        return np.hstack([1.0 - columns, columns]) if task.kind == "classification" else columns

    return predict


def _features(store: SeriesStore) -> Matrix:
    return statistics(store.values.numpy(), store.steps.numpy())


def _rocket(name: str, task: SeriesTask, train: SeriesStore, watched: SeriesStore | None, seed: int) -> Model:
    """Random kernels and a ridge model, by aeon; classes weigh as they come or all alike, as is better on validation.

    That is tried with the first seed, and where the classes are not equally common.
    """
    if find_spec("aeon") is None:
        raise MissingExtraError.of("aeon", "timeseries")
    key = ("balanced", name)
    if watched is None or key in task.memo or not _uneven(task, train):
        return _kernels(name, task, train, seed, balanced=task.memo.get(key, False))
    objective = task.metrics[0]
    models = [_kernels(name, task, train, seed, balanced=balanced) for balanced in (False, True)]
    plain, balanced = (task.score_predictions("validation", model(watched))[objective.name] for model in models)
    better = balanced > plain if objective.direction == "maximize" else balanced < plain
    task.memo[key] = better
    return models[int(better)]


def _uneven(task: SeriesTask, train: SeriesStore) -> bool:
    """Whether one class is at least three times as common as another."""
    if task.kind != "classification":
        return False
    counts = np.unique(train.labels.numpy()[:, 0], return_counts=True)[1]
    return bool(counts.max() >= _UNEVEN * counts.min())


def _kernels(name: str, task: SeriesTask, train: SeriesStore, seed: int, *, balanced: bool) -> Model:
    from gnas_timeseries.rocket import fitted

    labels = train.labels.numpy()[:, 0]
    here = ~np.isnan(labels)
    model = fitted(name, task.kind, _signals(task, train)[here], labels[here], seed, balanced=balanced)

    def predict(store: SeriesStore) -> Matrix:
        found = model(_signals(task, store))
        return found.astype(np.float64).reshape(len(store), -1)

    return predict


def _signals(task: SeriesTask, store: SeriesStore) -> Matrix:
    """Series scaled as networks read them; kernels are nine steps long, so shorter series get zeros at their end."""
    values = task.signal_scaler(store.values.numpy(), store.steps.numpy())
    short = max(0, _SHORTEST - values.shape[2])
    return np.pad(values, ((0, 0), (0, 0), (0, short))) if short else values


_SHORTEST = 10
_UNEVEN = 3


def _mini_rocket(task: SeriesTask, train: SeriesStore, watched: SeriesStore | None, seed: int) -> Model:
    return _rocket("minirocket", task, train, watched, seed)


def _multi_rocket_hydra(task: SeriesTask, train: SeriesStore, watched: SeriesStore | None, seed: int) -> Model:
    return _rocket("multirocket_hydra", task, train, watched, seed)


GRADIENT_BOOSTING = SeriesBaseline("gradient boosting", _boosting)
MINI_ROCKET = SeriesBaseline("MiniRocket", _mini_rocket)
MULTI_ROCKET_HYDRA = SeriesBaseline("MultiRocket-Hydra", _multi_rocket_hydra)


def baselines_of(kind: TaskKind, n_targets: int = 1) -> Mapping[str, Baseline]:
    """Baselines for a kind of task by name; those from aeon where it is installed and the task has one target."""
    found = [GRADIENT_BOOSTING]
    if find_spec("aeon") is not None and kind != "multilabel" and n_targets == 1:
        found += [MINI_ROCKET, MULTI_ROCKET_HYDRA]
    return {baseline.name: baseline for baseline in found}
