"""Tree baselines on Morgan counts and RDKit descriptors, tuned on validation as networks are.

Each hyper-parameter in turn takes the value that is best on validation, the features first. A task with several targets
has one model per target and one choice of hyper-parameters, made on the targets with the most labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnas.data.trees import BoostingLearner, Config, Fitted, Learner, RandomForestLearner
from gnas.domain import Baseline, Part, Task
from gnas.errors import DataError
from gnas_molecular import metrics
from gnas_molecular.featurise import morgan_counts, parse

if TYPE_CHECKING:
    from gnas_molecular.task import MoleculeTask

Matrix = NDArray[Any]

MORGAN_BITS = 2048
_SELECTION_TARGETS = 3
_CHOICE_SEED = 0
_FEATURES = ("descriptors", "morgan", "both")


@dataclass(frozen=True, slots=True)
class _Rows:
    """One part as matrices.

    Attributes:
        morgan: `(molecule, 2048)` counts; `descriptors`: `(molecule, 217)`, gaps filled.
        labels: `(molecule, target)`, NaN where missing.
    """

    morgan: Matrix
    descriptors: Matrix
    labels: Matrix

    @classmethod
    def of(cls, task: MoleculeTask, part: Part) -> _Rows:
        morgan = morgan_counts([parse(smiles) for smiles in task.smiles[part]], MORGAN_BITS).astype(np.float32)
        raw = task.stores[part].descriptors.numpy()
        filled = np.where(np.isnan(raw), task.descriptor_scaler.fill, raw)
        return cls(morgan, filled.astype(np.float32), task.targets(part))

    def features(self, kind: str) -> Matrix:
        if kind == "both":
            return np.hstack([self.descriptors, self.morgan])
        return self.morgan if kind == "morgan" else self.descriptors

    def joined(self, other: _Rows) -> _Rows:
        return _Rows(
            np.concatenate([self.morgan, other.morgan]),
            np.concatenate([self.descriptors, other.descriptors]),
            np.concatenate([self.labels, other.labels]),
        )

    def labelled(self, kind: str, target: int) -> tuple[Matrix, Matrix]:
        """Features and labels of the molecules that have a label for a target."""
        here = ~np.isnan(self.labels[:, target])
        return self.features(kind)[here], self.labels[here, target]


@dataclass(frozen=True, slots=True)
class TreeBaseline:
    """A baseline; implements `gnas.domain.Baseline`.

    Attributes:
        name: In tables.
        learner: Fits one target.
        start: Hyper-parameters to begin with; `features` is `descriptors`, `morgan` or `both`.
        steps: Hyper-parameters in the order in which they are chosen, with the values tried.
    """

    name: str
    learner: Learner
    start: Mapping[str, Any]
    steps: tuple[tuple[str, tuple[Any, ...]], ...]

    def evaluate(self, task: Task, seed: int, *, refit: bool = False) -> Mapping[Part, Mapping[str, float]]:
        """Metrics on validation and, where the task is not sealed, on test.

        Args:
            task: A molecular task.
            seed: Of the models.
            refit: Whether the model read on test is fitted anew on training and validation together, with what was
                chosen on validation. The validation metrics are those of the choice either way.

        Raises:
            DataError: The task is not molecular.
        """
        from gnas_molecular.task import MoleculeTask

        if not isinstance(task, MoleculeTask):
            raise DataError(f"baseline {self.name!r} reads molecules only", value=type(task).__name__)
        train, validation = _Rows.of(task, "train"), _Rows.of(task, "validation")
        config = self._chosen(task)
        models = [self._fit(task, train, validation, target, config, seed) for target in range(len(task.target_names))]
        scores: dict[Part, Mapping[str, float]] = {"validation": _score(task, models, validation)}
        if "test" in task.stores:
            if refit:
                models = self._refit(task, models, train.joined(validation), seed)
            scores["test"] = _score(task, models, _Rows.of(task, "test"))
        return scores

    def _chosen(self, task: MoleculeTask) -> Config:
        """The hyper-parameters, chosen once for all seeds."""
        key = f"{_CHOICE_SEED} {self.name}"
        if key not in task.memo:
            task.memo[key] = self.choose(task, _CHOICE_SEED)
        found: Config = task.memo[key]
        return found

    def choose(self, task: MoleculeTask, seed: int) -> Config:
        """The configuration that is best on validation, one hyper-parameter after the other."""
        train, validation = _Rows.of(task, "train"), _Rows.of(task, "validation")
        present = (~np.isnan(train.labels)).sum(axis=0)
        targets: list[int] = np.sort(np.argsort(-present, kind="stable")[:_SELECTION_TARGETS]).tolist()
        objective = task.metrics[0]
        sign = 1.0 if objective.direction == "maximize" else -1.0
        watched = replace(validation, labels=validation.labels[:, targets])

        def value(config: Config) -> float:
            models = [self._fit(task, train, validation, j, config, seed, draft=True) for j in targets]
            found = sign * _score(task, models, watched)[objective.name]
            return -np.inf if np.isnan(found) else found

        best: Config = dict(self.start)
        best_value = value(best)
        for key, values in self.steps:
            candidates = [{**best, key: other} for other in values if other != best[key]]
            found = [value(candidate) for candidate in candidates]
            if max(found) > best_value:
                best, best_value = candidates[int(np.argmax(found))], max(found)
        return best

    def _fit(
        self,
        task: MoleculeTask,
        train: _Rows,
        validation: _Rows,
        target: int,
        config: Config,
        seed: int,
        draft: bool = False,
    ) -> Fitted:
        x, y = train.labelled(config["features"], target)
        watched = validation.labelled(config["features"], target)
        return self.learner.fit(x, y, watched, kind=task.kind, config=config, seed=seed, draft=draft)

    def _refit(self, task: MoleculeTask, models: Sequence[Fitted], rows: _Rows, seed: int) -> list[Fitted]:
        refitted = []
        for target, model in enumerate(models):
            x, y = rows.labelled(model.config["features"], target)
            again = self.learner.fit(x, y, None, kind=task.kind, config=model.config, seed=seed, draft=False)
            refitted.append(again)
        return refitted


def _score(task: MoleculeTask, models: Sequence[Fitted], rows: _Rows) -> dict[str, float]:
    predicted = [model.predict(rows.features(model.config["features"])) for model in models]
    found = metrics.score(task.kind, rows.labels, np.stack(predicted, axis=1))
    return {metric.name: found[metric.name] for metric in task.metrics}


RANDOM_FOREST = TreeBaseline(
    name="random forest",
    learner=RandomForestLearner(),
    start={"features": "both", "max_features": 0.33, "min_samples_leaf": 1},
    steps=(
        ("features", _FEATURES),
        ("max_features", ("sqrt", 0.33, 1.0)),
        ("min_samples_leaf", (1, 3)),
    ),
)
GRADIENT_BOOSTING = TreeBaseline(
    name="gradient boosting",
    learner=BoostingLearner(),
    start={"features": "both", "learning_rate": 0.1, "min_samples_leaf": 20, "l2_regularization": 0.0},
    steps=(
        ("features", _FEATURES),
        ("min_samples_leaf", (10, 20)),
        ("l2_regularization", (0.0, 3.0)),
        ("learning_rate", (0.05, 0.1)),
    ),
)
BASELINES: Mapping[str, Baseline] = {baseline.name: baseline for baseline in (RANDOM_FOREST, GRADIENT_BOOSTING)}
