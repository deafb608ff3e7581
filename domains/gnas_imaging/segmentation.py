"""SegmentationTask: images with masks; a class for every place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gnas.data.divided import batch_positions
from gnas.domain import AnyBaseline, Batch, Part
from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from gnas.illustration import Figure
from gnas.ops import Op, TensorType
from gnas_imaging.augment import augmented
from gnas_imaging.metrics import named
from gnas_imaging.overlap import cases, mean_of_defined
from gnas_imaging.task import ImagingTask


@dataclass(frozen=True)
class SegmentationTask(ImagingTask):
    """A task of masks; implements `gnas.domain.Task`. Attributes are those of `ImagingTask`, `names` the classes'.

    Outputs are logits `(example, class, …)`, targets have a 1 for the class of each place, in the same shape.
    """

    @property
    def output(self) -> TensorType:
        """A logit for each class at each place."""
        return TensorType("masks", ("example", len(self.names), *self.stores["train"].labels.shape[1:]))

    @property
    def ops(self) -> Mapping[str, Op]:
        """Ops by name."""
        if "ops" not in self._cache:
            from gnas_imaging.ops_segmentation import segmentation_ops

            self._cache["ops"] = segmentation_ops(len(self.names), tuple(self.stores["train"].labels.shape[1:]))
        ops: Mapping[str, Op] = self._cache["ops"]
        return ops

    @property
    def recipe(self) -> Recipe:
        """Default training recipe."""
        return Recipe(epochs=20, batch_size=16, learning_rate=2e-3, weight_decay=0.01, smoothing=3, keep="last")

    @property
    def default_space(self) -> str:
        """Name of the space searched when the spec names none."""
        return "imaging/segmentation"

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """A U-Net with a residual encoder."""
        from gnas_imaging.known_segmentation import RESIDUAL_ENCODER

        return self.default_space, RESIDUAL_ENCODER

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """U-Nets with residual, plain and separable encoders."""
        from gnas_imaging.known_segmentation import STARTING_POINTS

        return STARTING_POINTS

    @property
    def baselines(self) -> Mapping[str, AnyBaseline]:
        """The U-Net."""
        from gnas_imaging.baselines import SEGMENTATION_BASELINES

        return SEGMENTATION_BASELINES

    def targets(self, part: Part) -> NDArray[np.float64]:
        """Class numbers of each place, `(example, …)`.

        Raises:
            DataError: `test` of a sealed task.
        """
        labels: NDArray[np.float64] = self.store(part).labels.numpy().astype(np.float64)
        return labels

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part; with a generator they are shuffled, and training images are augmented with their masks."""
        store = self._on(part, device)
        for index in batch_positions(self.size(part), batch_size, generator, device):
            images = store.images[index].to(torch.float32) / 255.0
            places = functional.one_hot(store.labels[index].long(), len(self.names)).movedim(-1, 1).float()
            if generator is not None and part == "train":
                images, moved = augmented(images, self.augment, generator, places)
                places = places if moved is None else moved
            yield Batch({"image": self.image_scaler(images)}, places, torch.ones_like(places, dtype=torch.bool))

    def loss(self, outputs: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
        """Cross-entropy of places plus soft Dice loss of the classes but the background; `cross_entropy` without Dice.

        Source: Isensee et al., nnU-Net, Nature Methods 2021 (doi:10.1038/s41592-020-01008-z), methods, with the Dice of
        the whole batch.

        Raises:
            SpecError: The recipe's loss is not one for this task.
        """
        if recipe.loss not in ("auto", "cross_entropy"):
            accepted = "auto, cross_entropy"
            raise SpecError("no loss for a segmentation", place="recipe.loss", value=recipe.loss, accepted=accepted)
        weight = None
        if recipe.class_weights == "balanced":
            share = batch.targets.transpose(0, 1).flatten(1).mean(1)
            weight = 1.0 / (len(self.names) * share.clamp(min=1e-3))
        entropy = functional.cross_entropy(outputs, batch.targets, weight=weight)
        if recipe.loss == "cross_entropy":
            return entropy
        chance = torch.softmax(outputs, 1).transpose(0, 1).flatten(1)[1:]
        truth = batch.targets.transpose(0, 1).flatten(1)[1:]
        overlap = 2 * (chance * truth).sum(1) + 1.0
        return entropy + (1 - overlap / (chance.sum(1) + truth.sum(1) + 1.0)).mean()

    def predictions(self, outputs: Tensor) -> NDArray[np.float64]:
        """Probabilities of the classes from raw network outputs, the same shape."""
        return np.asarray(torch.softmax(outputs.detach().to("cpu", torch.float64), 1).numpy())

    def score(self, part: Part, outputs: Tensor) -> Mapping[str, float]:
        """All metrics from raw network outputs `(example, class, …)` for the whole part in order.

        Dice and HD95 are means over cases; a case without any lesion, in truth and prediction, does not count.

        Raises:
            DataError: `test` of a sealed task.
            DivergedError: An output is NaN or infinite.
        """
        truth = self.store(part).labels.numpy().astype(np.int64)
        expected = (len(truth), len(self.names), *truth.shape[1:])
        if tuple(outputs.shape) != expected:
            raise DataError(f"outputs for the {part} part", value=tuple(outputs.shape), accepted=str(expected))
        if not bool(torch.isfinite(outputs).all()):
            raise DivergedError("an output of the network is NaN or infinite")
        return self.scorer(part, outputs)(np.arange(len(truth)))

    def scorer(self, part: Part, outputs: Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some cases, each case measured once.

        Raises:
            DataError: `test` of a sealed task.
        """
        truth, chance = self.store(part).labels.numpy().astype(np.int64), self.predictions(outputs)
        overlaps, distances = cases(truth, chance.argmax(axis=1), len(self.names))
        chosen = np.clip(np.take_along_axis(chance, truth[:, None], axis=1), 1e-7, 1.0)
        losses = -np.log(chosen).reshape(len(truth), -1).mean(axis=1)

        def score(rows: NDArray[np.int64]) -> Mapping[str, float]:
            found = {
                "dice": mean_of_defined(overlaps[rows]),
                "hd95": mean_of_defined(distances[rows]),
                "log_loss": float(losses[rows].mean()),
            }
            return named(self.metrics, found)

        return score

    def figures(self, part: Part, outputs: Tensor) -> Sequence[Figure]:
        """Images with the borders of truth and prediction, and the Dice of each case."""
        from gnas_imaging.figures_segmentation import figures_of

        return figures_of(self, part, outputs)
