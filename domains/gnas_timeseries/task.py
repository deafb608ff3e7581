"""SeriesTask: series with labels and parts, ready to train on."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gnas.data.divided import DividedTask, batch_positions, taken
from gnas.data.parts import Positions
from gnas.data.rotation import validation_blocks
from gnas.data.scaling import TargetScaler
from gnas.domain import Baseline, Batch, DataSummary, Metric, Part
from gnas.errors import DataError, DivergedError
from gnas.evaluate.recipe import Recipe
from gnas.illustration import Figure
from gnas.ops import Op, TensorType
from gnas_timeseries import known, metrics
from gnas_timeseries.augment import augmented
from gnas_timeseries.losses import balancing_weights, series_loss
from gnas_timeseries.options import Augment, TaskKind
from gnas_timeseries.predict import capped, probabilities
from gnas_timeseries.scaling import SignalScaler
from gnas_timeseries.store import SeriesStore

_STEPS = 1500
"""Of a training by default: some dozens of series are not learnt in the epochs that thousands need."""
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 300


@dataclass(frozen=True)
class SeriesTask(DividedTask):
    """A problem on time series; implements `gnas.domain.Task`, `TurningTask` and `IllustratedTask`.

    Built by `SeriesTask.of`. Scalers are fitted on the training part, so they follow from `stores`.

    Attributes:
        name: Of the data.
        kind: Classification, regression or multilabel.
        target_names: Names of the targets.
        classes: Names of the classes of a classification; empty otherwise.
        channels: Names of the channels.
        metrics: The objective first.
        summary: What to tell of the data.
        stores: Raw data of each part; a sealed task has no `test`.
        normalise: How signals are scaled.
        mask: Whether a channel tells which steps are there.
        least: Steps of a series that must be there, the missing earlier ones being reflected; None for all.
        cap: Largest value of a target, and so of a prediction; None where there is none.
        turning: Whether the learning data can be divided anew: by `group`, or one group at a time (`each`).
        augment: Changes of training series.
        streaming, mcu_safe: Whether networks may read no later step, or use only what int8 kernels compute.
        signal_scaler, target_scaler: Fitted on the training part.
    """

    name: str
    kind: TaskKind
    target_names: tuple[str, ...]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    metrics: tuple[Metric, ...]
    summary: DataSummary
    stores: Mapping[Part, SeriesStore]
    normalise: str
    mask: bool
    turning: str
    augment: Augment
    streaming: bool
    mcu_safe: bool
    least: int | None
    cap: float | None
    signal_scaler: SignalScaler
    target_scaler: TargetScaler
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        *,
        name: str,
        kind: TaskKind,
        target_names: tuple[str, ...],
        classes: tuple[str, ...],
        channels: tuple[str, ...],
        metrics: tuple[Metric, ...],
        summary: DataSummary,
        stores: Mapping[Part, SeriesStore],
        normalise: str,
        mask: bool,
        turning: str,
        augment: Augment,
        streaming: bool = False,
        mcu_safe: bool = False,
        least: int | None = None,
        cap: float | None = None,
    ) -> SeriesTask:
        """The task of raw stores, scalers fitted on `stores["train"]`."""
        train = stores["train"]
        regression = kind == "regression"
        return cls(
            name=name,
            kind=kind,
            target_names=target_names,
            classes=classes,
            channels=channels,
            metrics=metrics,
            summary=summary,
            stores=stores,
            normalise=normalise,
            mask=mask,
            turning=turning,
            augment=augment,
            streaming=streaming,
            mcu_safe=mcu_safe,
            least=least,
            cap=cap,
            signal_scaler=SignalScaler.fit(normalise, train.values.numpy(), train.steps.numpy(), mask),
            target_scaler=(
                TargetScaler.fit(train.labels.numpy()) if regression else TargetScaler.identity(len(target_names))
            ),
        )

    @property
    def width(self) -> int:
        """Numbers the network returns for a series: one a class, or one a target."""
        return len(self.classes) or len(self.target_names)

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """The series, channels before steps; the last channel is the mask where there is one."""
        _, channels, steps = self.stores["train"].values.shape
        return {"series": TensorType("series", ("example", channels + self.mask, steps))}

    @property
    def output(self) -> TensorType:
        """One number per series and class or target: logit, or standardised value."""
        return TensorType("features", ("example", self.width))

    @property
    def ops(self) -> Mapping[str, Op]:
        """Ops by name."""
        from gnas_timeseries.ops import series_ops
        from gnas_timeseries.restricted import restricted

        return restricted(series_ops(self.width), streaming=self.streaming, mcu_safe=self.mcu_safe)

    @property
    def recipe(self) -> Recipe:
        """Default training recipe: few data are seen more often, in smaller batches; the last epoch is kept."""
        n = len(self.stores["train"])
        batch = 16 if n < 300 else 32 if n < 1500 else 64 if n < 10_000 else 128
        epochs = max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, math.ceil(_STEPS / math.ceil(n / batch))))
        return Recipe(batch_size=batch, epochs=epochs, learning_rate=2e-3, smoothing=3, keep="last", weight_decay=1e-3)

    @property
    def default_space(self) -> str:
        """Name of the space searched when the spec names none."""
        return f"timeseries/{'streaming' if self.streaming else 'mcu' if self.mcu_safe else 'default'}"

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """One InceptionTime network; a causal one, or one for small cores, where the spec asks for these."""
        return self.default_space, self.starting_points[0] if self.streaming or self.mcu_safe else known.INCEPTION_TIME

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """Known good networks of the field."""
        if self.streaming:
            return known.CAUSAL_POINTS
        return known.SMALL_CORE_POINTS if self.mcu_safe else known.STARTING_POINTS

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """Baselines by name: those from aeon only where it is installed."""
        from gnas_timeseries.baselines import baselines_of

        return baselines_of(self.kind, len(self.target_names))

    def sealed(self) -> SeriesTask:
        """The same task without the test part."""
        kept: Mapping[Part, SeriesStore] = {part: store for part, store in self.stores.items() if part != "test"}
        return replace(self, stores=kept, _cache={})

    def _found_blocks(self) -> list[Positions]:
        groups = self.stores["train"].groups
        if self.turning == "each":
            names = np.asarray(groups)
            found = [np.flatnonzero(names == name) for name in dict.fromkeys(groups)]
            return [block for block in found if self._can_validate(block)]
        return validation_blocks(groups, self.size("validation"), self._can_validate) if self.turning else []

    def _can_validate(self, block: NDArray[np.int64]) -> bool:
        """Whether training keeps every class without these, and the metrics are defined on them."""
        labels = self.stores["train"].labels.numpy()
        if self.kind == "regression":
            return True
        if self.kind == "multilabel":
            inside = labels[block]
            return bool(((inside == 0).any(axis=0) & (inside == 1).any(axis=0)).any())
        kept = np.delete(labels[:, 0], block)
        return len(np.unique(kept)) == len(self.classes) and len(np.unique(labels[block, 0])) > 1

    def _divided(self, where: Mapping[Part, Positions]) -> SeriesTask:
        return SeriesTask.of(
            name=self.name,
            kind=self.kind,
            target_names=self.target_names,
            classes=self.classes,
            channels=self.channels,
            metrics=self.metrics,
            summary=self.summary,
            stores={**self.stores, **taken(self.stores["train"], self.stores["validation"], where)},
            normalise=self.normalise,
            mask=self.mask,
            turning=self.turning,
            augment=self.augment,
            streaming=self.streaming,
            mcu_safe=self.mcu_safe,
            least=self.least,
            cap=self.cap,
        )

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part; with a generator they are shuffled, and training series are augmented."""
        values, targets, mask = self._resident(part, device)
        for index in batch_positions(self.size(part), batch_size, generator, device):
            series, labels, present = values[index], targets[index], mask[index]
            if generator is not None and part == "train":
                series, labels, present = augmented(series, labels, present, self.augment, generator, self.mask)
            yield Batch({"series": series}, labels, present)

    def loss(self, outputs: torch.Tensor, batch: Batch, recipe: Recipe) -> torch.Tensor:
        """Mean over the labels that are present; `auto` is `cross_entropy`, `mse` or `bce` by the kind of task.

        Args:
            outputs: Shape `(series, class or target)`.
            batch: The labels, one-hot for a classification.
            recipe: Names the loss.

        Raises:
            SpecError: The recipe's loss is not one for this task.
        """
        weight = self._class_weights(outputs) if recipe.class_weights == "balanced" else None
        return series_loss(self.kind, recipe.loss, outputs, batch, weight)

    def predictions(self, outputs: torch.Tensor) -> NDArray[np.float64]:
        """Values in data units, none above the cap, or probabilities; outputs are raw, `(series, class or target)`."""
        raw = outputs.detach().to("cpu", torch.float64).numpy()
        if self.kind == "regression":
            return capped(self.target_scaler.restore(raw), self.cap)
        return probabilities(raw, self.kind)

    def score(self, part: Part, outputs: torch.Tensor) -> Mapping[str, float]:
        """All metrics, in data units, from raw network outputs `(series, class or target)` for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
            DivergedError: An output is NaN or infinite.
        """
        expected = (len(self.store(part)), self.width)
        if tuple(outputs.shape) != expected:
            raise DataError(f"outputs for the {part} part", value=tuple(outputs.shape), accepted=str(expected))
        predicted = self.predictions(outputs)
        if not np.isfinite(predicted).all():
            raise DivergedError("an output of the network is NaN or infinite")
        return self.score_predictions(part, predicted)

    def score_predictions(self, part: Part, predicted: NDArray[np.float64]) -> Mapping[str, float]:
        """All metrics from values in data units, which are capped, or probabilities, `(series, class or target)`."""
        return self._measured(self.store(part), capped(predicted, self.cap))

    def clusters(self, part: Part) -> Sequence[Hashable]:
        """Subjects or devices; recordings, whose windows belong together; or each series by itself."""
        return self.store(part).groups or range(self.size(part))

    def scorer(self, part: Part, outputs: torch.Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some series, from raw network outputs for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
        """
        store, predicted = self.store(part), self.predictions(outputs)
        return lambda rows: self._measured(store.take(torch.from_numpy(rows)), predicted[rows])

    def _measured(self, store: SeriesStore, predicted: NDArray[np.float64]) -> Mapping[str, float]:
        truth = store.labels.numpy()
        if self.kind == "classification":
            found = metrics.score_classes(truth[:, 0].astype(np.int64), predicted, store.groups)
        elif self.kind == "regression":
            found = metrics.score_values(truth, predicted, store.groups)
        else:
            found = metrics.score_labels(truth, predicted)
        return {metric.name: found[metric.name] for metric in self.metrics}

    def example(self, n: int) -> Mapping[str, torch.Tensor]:
        """Model inputs of `n` training series, spread evenly over the part; series repeat if there are fewer."""
        return {"series": self._resident("train", "cpu")[0][self._spread(n)]}

    def figures(self, part: Part, outputs: torch.Tensor) -> Sequence[Figure]:
        """Series with their predictions, and how these agree with the labels.

        Raises:
            DataError: `test` of a sealed task.
        """
        from gnas_timeseries.figures import figures_of

        return figures_of(self, part, outputs)

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns a signal into model inputs and an output into a prediction, as JSON holds it."""
        return {
            "task": self.kind,
            "targets": list(self.target_names),
            "classes": list(self.classes),
            "channels": list(self.channels),
            "steps": int(self.stores["train"].values.shape[2]),
            "least": self.least,
            "cap": self.cap,
            "unit": next((metric.unit for metric in self.metrics if metric.unit), ""),
            "target_mean": self.target_scaler.mean.tolist(),
            "target_std": self.target_scaler.std.tolist(),
            "signals": self.signal_scaler.as_mapping(),
        }

    def takeaway(self) -> Mapping[str, str]:
        """Text files beside `model.py` in the export folder."""
        from gnas_timeseries.takeaway import takeaway

        files: Mapping[str, str] = takeaway(self)
        return files

    def _resident(self, part: Part, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scaled series, targets and mask of a part on a device, made once."""
        store = self.store(part)
        key = (part, device)
        if key not in self._cache:
            values = torch.from_numpy(self.signal_scaler(store.values.numpy(), store.steps.numpy()))
            if self.kind == "classification":
                targets = functional.one_hot(store.labels[:, 0].long(), self.width).float()
                mask = torch.ones_like(targets, dtype=torch.bool)
            else:
                scaled = self.target_scaler.scale(store.labels.numpy())
                targets = torch.from_numpy(np.nan_to_num(scaled, nan=0.0).astype(np.float32))
                mask = ~torch.isnan(store.labels)
            self._cache[key] = tuple(tensor.to(device) for tensor in (values, targets, mask))
        resident: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = self._cache[key]
        return resident

    def _class_weights(self, like: torch.Tensor) -> torch.Tensor:
        """Weights of classes or positive labels, on the device of `like`."""
        key = ("class_weights", str(like.device))
        if key not in self._cache:
            weight = balancing_weights(self.kind, self.stores["train"].labels.numpy(), self.width)
            self._cache[key] = torch.tensor(weight, dtype=like.dtype, device=like.device)
        found: torch.Tensor = self._cache[key]
        return found
