"""MoleculeTask: molecules with labels and parts, ready to train on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from gnas.data.divided import DividedTask, batch_positions, picked, taken
from gnas.data.parts import Positions
from gnas.data.rotation import validation_blocks
from gnas.data.scaling import TargetScaler
from gnas.domain import Baseline, Batch, DataSummary, Metric, Part
from gnas.errors import DataError, DivergedError, SpecError
from gnas.evaluate.recipe import Recipe
from gnas.ops import Op, TensorType
from gnas_molecular import featurise, metrics
from gnas_molecular.options import Standardise, TaskKind
from gnas_molecular.scaling import DescriptorScaler
from gnas_molecular.store import MoleculeStore

_LOSSES: Mapping[TaskKind, tuple[str, ...]] = {"regression": ("mse", "mae", "huber"), "binary": ("bce",)}
_PER_LABEL: Mapping[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}


@dataclass(frozen=True)
class MoleculeTask(DividedTask):
    """A molecular problem; implements `gnas.domain.Task`.

    Built by `MoleculeTask.of`. Scalers are fitted on the training part, so they follow from `stores`.

    Attributes:
        name: Of the data.
        kind: Regression or binary.
        target_names: Names of the targets.
        metrics: The objective first.
        summary: What to tell of the data.
        standardise: How molecules were standardised.
        stores: Raw data of each part; a sealed task has no `test`.
        smiles: Of each part.
        groups: Group of each molecule of training and validation, which stay together when these are divided anew;
            empty where the split leaves no choice.
        descriptor_scaler, target_scaler: Fitted on the training part.
    """

    name: str
    kind: TaskKind
    target_names: tuple[str, ...]
    metrics: tuple[Metric, ...]
    summary: DataSummary
    standardise: Standardise
    stores: Mapping[Part, MoleculeStore]
    smiles: Mapping[Part, tuple[str, ...]]
    groups: Mapping[Part, tuple[Hashable, ...]]
    descriptor_scaler: DescriptorScaler
    target_scaler: TargetScaler
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        *,
        name: str,
        kind: TaskKind,
        target_names: tuple[str, ...],
        metrics: tuple[Metric, ...],
        summary: DataSummary,
        standardise: Standardise,
        stores: Mapping[Part, MoleculeStore],
        smiles: Mapping[Part, tuple[str, ...]],
        groups: Mapping[Part, tuple[Hashable, ...]],
    ) -> MoleculeTask:
        """The task of raw stores, scalers fitted on `stores["train"]`."""
        train = stores["train"]
        labels = train.labels.numpy()
        return cls(
            name=name,
            kind=kind,
            target_names=target_names,
            metrics=metrics,
            summary=summary,
            standardise=standardise,
            stores=stores,
            smiles=smiles,
            groups=groups,
            descriptor_scaler=DescriptorScaler.fit(train.descriptors.numpy()),
            target_scaler=(
                TargetScaler.fit(labels) if kind == "regression" else TargetScaler.identity(len(target_names))
            ),
        )

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Model inputs, in the order of the network's forward."""
        return {
            "atoms": TensorType("atoms", ("atom", featurise.ATOM_FEATURES)),
            "bonds": TensorType("bonds", ("bond", featurise.BOND_FEATURES)),
            "edge_index": TensorType("edge_index", (2, "bond"), "int64"),
            "batch": TensorType("batch", ("atom",), "int64"),
            "positional": TensorType("positional", ("atom", featurise.WALK_LENGTH)),
            "descriptors": TensorType("molecules", ("molecule", self.stores["train"].descriptors.shape[1])),
            "fingerprints": TensorType("molecules", ("molecule", featurise.FINGERPRINT_BITS)),
        }

    @property
    def output(self) -> TensorType:
        """One number per molecule and target: standardised value, or logit."""
        return TensorType("molecules", ("molecule", len(self.target_names)))

    @property
    def ops(self) -> Mapping[str, Op]:
        """Ops by name, PNA bound to the degrees of the training part."""
        if "ops" not in self._cache:
            from gnas_molecular.ops import molecular_ops

            self._cache["ops"] = molecular_ops(self.degree_histogram, len(self.target_names))
        ops: Mapping[str, Op] = self._cache["ops"]
        return ops

    @property
    def degree_histogram(self) -> tuple[int, ...]:
        """Number of training atoms with 0, 1, 2, … bonds."""
        train = self.stores["train"]
        target = train.edge_index[1] + torch.repeat_interleave(train.atom_start, train.n_bonds)
        degree = torch.bincount(target, minlength=len(train.atoms))
        return tuple(torch.bincount(degree).tolist())

    @property
    def recipe(self) -> Recipe:
        """Default training recipe: smaller batches for smaller data; the last epoch, not the luckiest, is kept."""
        n = len(self.stores["train"])
        return Recipe(batch_size=32 if n < 1000 else 64 if n < 8000 else 128, smoothing=5, keep="last")

    @property
    def default_space(self) -> str:
        """Name of the space searched when the spec names none."""
        return "molecular/default"

    @property
    def default_network(self) -> tuple[str, Mapping[str, Any]]:
        """The domain's unsearched strong network."""
        from gnas_molecular.known import DEFAULT_NETWORK

        return self.default_space, DEFAULT_NETWORK

    @property
    def starting_points(self) -> Sequence[Mapping[str, Any]]:
        """The default network, perceptrons on descriptors and fingerprints, and convolutions joined to these."""
        from gnas_molecular.known import STARTING_POINTS

        return STARTING_POINTS

    @property
    def baselines(self) -> Mapping[str, Baseline]:
        """Tree baselines by name."""
        from gnas_molecular.baselines import BASELINES

        return BASELINES

    def sealed(self) -> MoleculeTask:
        """The same task without the test part."""
        return replace(
            self,
            stores={part: store for part, store in self.stores.items() if part != "test"},
            smiles={part: smiles for part, smiles in self.smiles.items() if part != "test"},
            _cache={},
        )

    def _found_blocks(self) -> list[Positions]:
        return validation_blocks(self.groups.get("train", ()), self.size("validation"), self._has_classes)

    def _has_classes(self, block: NDArray[np.int64]) -> bool:
        """Whether some target has both classes among these training molecules, or none is needed."""
        labels = self.stores["train"].labels.numpy()[block]
        return self.kind == "regression" or bool(((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any())

    def _divided(self, where: Mapping[Part, Positions]) -> MoleculeTask:
        smiles = self.smiles["train"] + self.smiles["validation"]
        turning = bool(self.groups) and "validation" in where
        groups = picked(self.groups["train"] + self.groups["validation"], where) if turning else {}
        return MoleculeTask.of(
            name=self.name,
            kind=self.kind,
            target_names=self.target_names,
            metrics=self.metrics,
            summary=self.summary,
            standardise=self.standardise,
            stores={**self.stores, **taken(self.stores["train"], self.stores["validation"], where)},
            smiles={**self.smiles, **picked(smiles, where)},
            groups={**self.groups, **groups} if turning else {},
        )

    def targets(self, part: Part) -> NDArray[np.float64]:
        """Labels in data units, `(molecule, target)`, NaN where missing.

        Raises:
            DataError: `test` of a sealed task.
        """
        labels: NDArray[np.float64] = self.store(part).labels.numpy().copy()
        return labels

    def batches(
        self, part: Part, batch_size: int, *, generator: torch.Generator | None = None, device: str = "cpu"
    ) -> Iterator[Batch]:
        """Batches of a part, shuffled if a generator is given."""
        store = self._resident(part, device)
        for index in batch_positions(self.size(part), batch_size, generator, device):
            yield Batch(store.inputs(index), store.labels[index], store.mask[index])

    def loss(self, outputs: torch.Tensor, batch: Batch, recipe: Recipe) -> torch.Tensor:
        """Mean over the labels that are present; `auto` is `mse` for regression and `bce` for binary tasks.

        Args:
            outputs: Shape `(molecule, target)`, or `(molecule, member, target)` from a head training several members,
                whose losses are averaged.
            batch: The labels.
            recipe: Names the loss.

        Raises:
            SpecError: The recipe's loss is not one for this task.
        """
        name = _LOSSES[self.kind][0] if recipe.loss == "auto" else recipe.loss
        if name not in _LOSSES[self.kind]:
            accepted = ", ".join(("auto", *_LOSSES[self.kind]))
            raise SpecError(f"no loss for a {self.kind} task", place="recipe.loss", value=name, accepted=accepted)
        targets, mask = batch.targets, batch.mask
        if outputs.dim() > targets.dim():
            targets, mask = targets.unsqueeze(1).expand_as(outputs), mask.unsqueeze(1).expand_as(outputs)
        if name == "bce":
            weight = self._positive_weight(outputs) if recipe.class_weights == "balanced" else None
            each = functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight, reduction="none")
        else:
            each = _PER_LABEL[name](outputs, targets, reduction="none")
        mask = mask.to(each.dtype)
        return (each * mask).sum() / mask.sum().clamp(min=1.0)

    def predictions(self, outputs: torch.Tensor) -> NDArray[np.float64]:
        """Values in data units, or probabilities, from raw network outputs `(molecule, target)`."""
        raw = outputs.detach().to("cpu", torch.float64).numpy()
        if self.kind == "regression":
            return self.target_scaler.restore(raw)
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -500, 500))))

    def score(self, part: Part, outputs: torch.Tensor) -> Mapping[str, float]:
        """All metrics, in data units, from raw network outputs `(molecule, target)` for the whole part in order.

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
        return self._measured(truth, predicted)

    def clusters(self, part: Part) -> Sequence[Hashable]:
        """Each molecule by itself."""
        return range(self.size(part))

    def scorer(self, part: Part, outputs: torch.Tensor) -> Callable[[NDArray[np.int64]], Mapping[str, float]]:
        """All metrics of some molecules, from raw network outputs for the whole part in order.

        Raises:
            DataError: `test` of a sealed task.
        """
        truth, predicted = self.store(part).labels.numpy(), self.predictions(outputs)
        return lambda rows: self._measured(truth[rows], predicted[rows])

    def _measured(self, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Mapping[str, float]:
        found = metrics.score(self.kind, truth, predicted)
        return {metric.name: found[metric.name] for metric in self.metrics}

    def example(self, n: int) -> Mapping[str, torch.Tensor]:
        """Model inputs of `n` training molecules, spread evenly over the part; molecules repeat if there are fewer."""
        return self._resident("train", "cpu").inputs(self._spread(n))

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """Everything that turns a SMILES into model inputs and an output into a prediction, as JSON holds it."""
        return {
            "task": self.kind,
            "targets": list(self.target_names),
            "unit": next((metric.unit for metric in self.metrics if metric.unit), ""),
            "target_mean": self.target_scaler.mean.tolist(),
            "target_std": self.target_scaler.std.tolist(),
            "standardise": self.standardise.model_dump(),
            "descriptor_names": list(featurise.descriptor_names()),
            "descriptors": self.descriptor_scaler.as_mapping(),
            "inputs": list(self.inputs),
        }

    def takeaway(self) -> Mapping[str, str]:
        """Text files beside `model.py` in the export folder."""
        from gnas_molecular.takeaway import takeaway

        files: Mapping[str, str] = takeaway(self)
        return files

    def _resident(self, part: Part, device: str) -> MoleculeStore:
        """A part scaled and on its device, made once."""
        store = self.store(part)
        key = (part, device)
        if key not in self._cache:
            scaled = self.target_scaler.scale(store.labels.numpy())
            self._cache[key] = replace(
                store,
                descriptors=torch.from_numpy(self.descriptor_scaler(store.descriptors.numpy())),
                labels=torch.from_numpy(np.nan_to_num(scaled, nan=0.0).astype(np.float32)),
            ).to(device)
        resident: MoleculeStore = self._cache[key]
        return resident

    def _positive_weight(self, like: torch.Tensor) -> torch.Tensor:
        """Negatives per positive in training, per target, 1 where a class is absent."""
        key = ("positive_weight", str(like.device))
        if key not in self._cache:
            labels = self.stores["train"].labels.numpy()
            positive, negative = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
            usable = (positive > 0) & (negative > 0)
            weight = np.where(usable, negative / np.maximum(positive, 1), 1.0)
            self._cache[key] = torch.tensor(weight, dtype=like.dtype, device=like.device)
        found: torch.Tensor = self._cache[key]
        return found
