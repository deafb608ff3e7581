"""ImagingTask: images with labels and parts, ready to train on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gnas.data.divided import DividedTask, batch_positions, picked, taken
from gnas.data.parts import Positions
from gnas.data.rotation import validation_blocks
from gnas.data.scaling import TargetScaler
from gnas.domain import AnyBaseline, Batch, DataSummary, Metric, Part
from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from gnas.illustration import Figure
from gnas.ops import Op, TensorType
from gnas_imaging import metrics
from gnas_imaging.augment import augmented
from gnas_imaging.options import Augment, TaskKind
from gnas_imaging.scaling import ImageScaler
from gnas_imaging.store import ImageStore

_LOSSES: Mapping[TaskKind, tuple[str, ...]] = {
    "regression": ("mse", "mae", "huber"),
    "binary": ("bce",),
    "multilabel": ("bce",),
    "multiclass": ("cross_entropy",),
}


@dataclass(frozen=True)
class ImagingTask(DividedTask):
    """A task of classes or numbers on images; implements `gnas.domain.Task`.

    Built by `ImagingTask.of`. Scalers are fitted on the training part, so they follow from `stores`.

    Attributes:
        name: Of the data.
        kind: `binary`, `multiclass`, `multilabel` or `regression`.
        names: Of the classes, or of the targets.
        metrics: The objective first.
        summary: What to tell of the data.
        stores: Images of each part; a sealed task has no `test`.
        places: Where each image of a part came from.
        groups: Of each image of a part, what stays together when learning data are divided anew and is drawn together
            for intervals; empty where that is unknown.
        augment: Changes of training images.
        window: Values that became 0 and 255; None where images were bytes already.
        specificity: Of the sensitivity.
        image_scaler, target_scaler: Fitted on the training part.
    """

    name: str
    kind: TaskKind
    names: tuple[str, ...]
    metrics: tuple[Metric, ...]
    summary: DataSummary
    stores: Mapping[Part, ImageStore]
    places: Mapping[Part, tuple[str, ...]]
    groups: Mapping[Part, tuple[Hashable, ...]]
    augment: Augment
    window: tuple[float, float] | None
    specificity: float
    image_scaler: ImageScaler
    target_scaler: TargetScaler
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """The task of stores, scalers fitted on `stores["train"]`; takes all other attributes by name."""
        train: ImageStore = fields["stores"]["train"]
        numbers = fields["kind"] == "regression"
        labels = train.labels.numpy()
        targets = TargetScaler.fit(labels) if numbers else TargetScaler.identity(labels.shape[1])
        return cls(image_scaler=ImageScaler.fit(train.images), target_scaler=targets, **fields)

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """The image, standardised: `(example, channel, row, column)`, with a depth before the rows in volumes."""
        return {"image": TensorType("image", ("example", *self.stores["train"].images.shape[1:]))}

    @property
    def output(self) -> TensorType:
        """A logit, a logit for each class or label, or a standardised value for each target."""
        return TensorType("examples", ("example", self.stores["train"].labels.shape[1]))

    @property
    def ops(self) -> Mapping[str, Op]:
        """Ops by name."""
        if "ops" not in self._cache:
            from gnas_imaging.ops import imaging_ops

            self._cache["ops"] = imaging_ops(self.stores["train"].labels.shape[1])
        ops: Mapping[str, Op] = self._cache["ops"]
        return ops

    @property
    def recipe(self) -> Recipe:
        """Default training recipe; the last epoch, where the schedule has come to rest, is kept."""
        n = len(self.stores["train"])
        size = 32 if n < 1000 else 64 if n < 10_000 else 128
        return Recipe(epochs=15, batch_size=size, learning_rate=2e-3, weight_decay=0.02, smoothing=3, keep="last")

    @property
    def default_space(self) -> str:
        """Name of the space searched when the spec names none."""
        return "imaging/default"

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """The domain's unsearched strong network: a small residual one."""
        from gnas_imaging.known import DEFAULT_NETWORK

        return self.default_space, DEFAULT_NETWORK

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """Residual, inverted-bottleneck, ConvNeXt-like and plain networks."""
        from gnas_imaging.known import STARTING_POINTS

        return STARTING_POINTS

    @property
    def baselines(self) -> Mapping[str, AnyBaseline]:
        """ResNet-18 and gradient boosting on simple features."""
        from gnas_imaging.baselines import BASELINES

        return BASELINES

    def sealed(self) -> Self:
        """The same task without the test part."""
        return replace(
            self,
            stores={part: store for part, store in self.stores.items() if part != "test"},
            places={part: places for part, places in self.places.items() if part != "test"},
            groups={part: groups for part, groups in self.groups.items() if part != "test"},
            _cache={},
        )

    def _found_blocks(self) -> list[Positions]:
        labels = self.stores["train"].labels.numpy()

        def usable(where: Positions) -> bool:
            inside = labels[where]
            both = (inside == 0).any(axis=0) & (inside == 1).any(axis=0)
            return self.kind == "regression" or bool(both.any())

        keys = self.groups.get("train", ())
        return validation_blocks(keys, self.size("validation"), usable) if keys else []

    def _divided(self, where: Mapping[Part, Positions]) -> Self:
        places = self.places["train"] + self.places["validation"]
        turning = "train" in self.groups and "validation" in where
        groups = picked(self.groups["train"] + self.groups["validation"], where) if turning else {}
        tested = {part: names for part, names in self.groups.items() if part == "test"}
        return type(self).of(
            name=self.name,
            kind=self.kind,
            names=self.names,
            metrics=self.metrics,
            summary=self.summary,
            stores={**self.stores, **taken(self.stores["train"], self.stores["validation"], where)},
            places={**self.places, **picked(places, where)},
            groups={**tested, **groups},
            augment=self.augment,
            window=self.window,
            specificity=self.specificity,
        )

    def targets(self, part: Part) -> NDArray[np.float64]:
        """Labels in data units, `(example, output)`, NaN where missing.

        Raises:
            DataError: `test` of a sealed task.
        """
        labels: NDArray[np.float64] = self.store(part).labels.numpy().copy()
        return labels

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part; with a generator they are shuffled, and training images are augmented."""
        store, mask = self._resident(part, device)
        for index in batch_positions(self.size(part), batch_size, generator, device):
            images = store.images[index].to(torch.float32) / 255.0
            if generator is not None and part == "train":
                images, _ = augmented(images, self.augment, generator)
            yield Batch({"image": self.image_scaler(images)}, store.labels[index], mask[index])

    def loss(self, outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
        """Mean over the labels that are present; `auto` is the first loss of the kind of task.

        Raises:
            SpecError: The recipe's loss is not one for this task.
        """
        name = _LOSSES[self.kind][0] if recipe.loss == "auto" else recipe.loss
        if name not in _LOSSES[self.kind]:
            accepted = ", ".join(("auto", *_LOSSES[self.kind]))
            raise SpecError(f"no loss for a {self.kind} task", place="recipe.loss", value=name, accepted=accepted)
        weight = self._class_weights(outputs) if recipe.class_weights == "balanced" else None
        if name == "cross_entropy":
            return functional.cross_entropy(outputs, batch.targets, weight=weight)
        if name == "bce":
            each = functional.binary_cross_entropy_with_logits(
                outputs, batch.targets, pos_weight=weight, reduction="none"
            )
        elif name == "mse":
            each = functional.mse_loss(outputs, batch.targets, reduction="none")
        else:
            function = functional.l1_loss if name == "mae" else functional.huber_loss
            each = function(outputs, batch.targets, reduction="none")
        mask = batch.mask.to(each.dtype)
        return (each * mask).sum() / mask.sum().clamp(min=1.0)

    def predictions(self, outputs: Tensor) -> NDArray[np.float64]:
        """Values in data units, or probabilities, from raw network outputs, the same shape."""
        raw = outputs.detach().to("cpu", torch.float64)
        if self.kind == "regression":
            return self.target_scaler.restore(raw.numpy())
        chance = torch.softmax(raw, 1) if self.kind == "multiclass" else torch.sigmoid(raw)
        return np.asarray(chance.numpy())

    def score(self, part: Part, outputs: Tensor) -> Mapping[str, float]:
        """All metrics, in data units, from raw network outputs for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
            DivergedError: An output is NaN or infinite.
        """
        truth = self.store(part).labels.numpy()
        if tuple(outputs.shape) != truth.shape:
            raise DataError(f"outputs for the {part} part", value=tuple(outputs.shape), accepted=str(truth.shape))
        predicted = self.predictions(outputs)
        if not np.isfinite(predicted).all():
            raise DivergedError("an output of the network is NaN or infinite")
        return self.score_predictions(truth, predicted)

    def clusters(self, part: Part) -> Sequence[Hashable]:
        """Patients or sites, or each image by itself where they are unknown."""
        return self.groups.get(part) or range(self.size(part))

    def scorer(self, part: Part, outputs: Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some images, from raw network outputs for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
        """
        truth, predicted = self.store(part).labels.numpy(), self.predictions(outputs)
        return lambda rows: self.score_predictions(truth[rows], predicted[rows])

    def score_predictions(self, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
        """All metrics of values in data units, or probabilities, `(example, output)`."""
        found = (
            metrics.score_numbers(truth, predicted)
            if self.kind == "regression"
            else metrics.score_classes(self.kind, truth, predicted, self.specificity)
        )
        return metrics.named(self.metrics, found)

    def example(self, n: int) -> Mapping[str, Tensor]:
        """`n` training images, spread evenly over the part; images repeat if there are fewer."""
        return {"image": self.image_scaler(self.stores["train"].images[self._spread(n)].to(torch.float32) / 255.0)}

    def figures(self, part: Part, outputs: Tensor) -> Sequence[Figure]:
        """Images with their predictions, and how these agree with the labels."""
        from gnas_imaging.figures import figures_of

        return figures_of(self, part, outputs)

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns an image into the model's input and an output into a prediction, as JSON holds it."""
        shape = self.stores["train"].images.shape
        return {
            "task": self.kind,
            "names": list(self.names),
            "unit": next((metric.unit for metric in self.metrics if metric.unit), ""),
            "channels": shape[1],
            "size": list(shape[2:]),
            "window": list(self.window) if self.window is not None else None,
            "image_mean": list(self.image_scaler.mean),
            "image_std": list(self.image_scaler.std),
            "target_mean": self.target_scaler.mean.tolist(),
            "target_std": self.target_scaler.std.tolist(),
        }

    def takeaway(self) -> Mapping[str, str]:
        """Text files beside `model.py` in the export folder."""
        from gnas_imaging.takeaway import takeaway

        files: Mapping[str, str] = takeaway(self)
        return files

    def _on(self, part: Part, device: str) -> ImageStore:
        """A part on a device, brought there once."""
        key = (part, device)
        if key not in self._cache:
            self._cache[key] = self.store(part).to(device)
        found: ImageStore = self._cache[key]
        return found

    def _resident(self, part: Part, device: str) -> tuple[ImageStore, Tensor]:
        """A part on its device with scaled labels, and which of these are present; made once."""
        key = ("scaled", part, device)
        if key not in self._cache:
            store = self._on(part, device)
            scaled = torch.from_numpy(self.target_scaler.scale(self.targets(part))).float()
            present = ~torch.isnan(scaled)
            self._cache[key] = replace(store, labels=scaled.nan_to_num(0.0).to(device)), present.to(device)
        resident: tuple[ImageStore, Tensor] = self._cache[key]
        return resident

    def _class_weights(self, like: Tensor) -> Tensor:
        """Weights of classes, or of the positives of each label, that make rare ones count as much as common ones."""
        key = ("class_weights", str(like.device))
        if key not in self._cache:
            labels = self.stores["train"].labels.numpy()
            positive, negative = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
            usable = (positive > 0) & (negative > 0)
            if self.kind == "multiclass":
                weight = len(labels) / (labels.shape[1] * np.maximum(positive, 1))
            else:
                weight = np.where(usable, negative / np.maximum(positive, 1), 1.0)
            self._cache[key] = torch.tensor(weight, dtype=like.dtype, device=like.device)
        found: Tensor = self._cache[key]
        return found
