"""From split molecules to a task: featurise, flatten, check that the objective is defined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gnas.data.parts import LEARNT, PARTS
from gnas.domain import Metric
from gnas.errors import DataError
from gnas_molecular import metrics as metric_functions
from gnas_molecular.data import Molecules
from gnas_molecular.features import cached_features
from gnas_molecular.options import Standardise
from gnas_molecular.store import MoleculeStore
from gnas_molecular.task import MoleculeTask


def assemble(molecules: Molecules, metrics: tuple[Metric, ...], standardise: Standardise, cache: Path) -> MoleculeTask:
    """The task of molecules.

    Args:
        molecules: With labels and parts.
        metrics: The objective first.
        standardise: How the molecules were standardised.
        cache: Folder for features.

    Raises:
        DataError: The objective is not defined on validation.
    """
    _check_objective(molecules, metrics[0].name)
    store = MoleculeStore.of(cached_features(molecules.smiles, cache), molecules.labels)
    positions = {part: molecules.parts.of(part) for part in PARTS}
    return MoleculeTask.of(
        name=molecules.name,
        kind=molecules.kind,
        target_names=molecules.targets,
        metrics=metrics,
        summary=molecules.summary,
        standardise=standardise,
        stores={part: store.take(torch.from_numpy(where)) for part, where in positions.items()},
        smiles={part: tuple(molecules.smiles[i] for i in where) for part, where in positions.items()},
        groups={part: tuple(molecules.groups[i] for i in positions[part]) for part in LEARNT if molecules.groups},
    )


def _check_objective(molecules: Molecules, objective: str) -> None:
    """Refuses validation data on which the objective is undefined, and training data with nothing to learn."""
    validation = molecules.labels[molecules.parts.validation]
    rng = np.random.default_rng(0)
    guess = rng.uniform(0.1, 0.9, validation.shape)
    remedy = "use another split kind, other fractions or another seed"
    if np.isnan(metric_functions.score(molecules.kind, validation, guess)[objective]):
        raise DataError(f"{objective} is not defined on the validation part", place="data.split", remedy=remedy)
    train = molecules.labels[molecules.parts.train]
    for j, target in enumerate(molecules.targets):
        values = np.unique(train[~np.isnan(train[:, j]), j])
        if len(values) < 2:
            what = "no label" if not len(values) else "one value only"
            raise DataError(f"target {target!r} has {what} in the training part", place="data.split", remedy=remedy)
