"""The network, and processes on what it knows of the space, as members of the stack. Fits import torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gnas.predictors.crossval import folds
from gnas.predictors.members import Design, FittedProcess, ProcessMember
from gnas.predictors.protocol import Vector
from gnas.space.protocol import Space

if TYPE_CHECKING:
    from gnas.predictors.gnn import GnnPredictor, GnnSettings
    from gnas.predictors.gnn_space import Pretraining, SpaceEmbedding


@dataclass(frozen=True, slots=True)
class FittedGnn:
    """Networks after their fit."""

    predictor: GnnPredictor

    def predict(self, design: Design) -> tuple[Vector, None]:
        """Mean alone: the processes know more of the spread."""
        return self.predictor.predict_latent(design.codes)[0], None


@dataclass(frozen=True)
class GnnMember:
    """An ensemble of flow encoders, which reads the graphs themselves rather than features.

    What is said of held-out labels comes with the fit, as each network leaves a part of the labels out; one network
    said it, so it errs on the side of modesty about the ensemble.

    Attributes:
        space: Whose codes it reads.
        seed: Of the networks.
        members: How many networks.
        settings: Sizes and lengths, by default those of `GnnPredictor`.
        name: What reports call it.
    """

    space: Space
    seed: int = 0
    members: int = 8
    settings: GnnSettings | None = None
    name: str = "gnn"
    _last: dict[bytes, FittedGnn] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, design: Design, z: Vector) -> FittedGnn:
        """Fits on labels `z`, `(n,)`; the last fit is remembered."""
        from gnas.predictors.gnn import GnnPredictor

        key = design.codes.tobytes() + z.tobytes()
        if key not in self._last:
            self._last.clear()
            made = GnnPredictor(self.space, seed=self.seed, members=self.members, settings=self.settings)
            self._last[key] = FittedGnn(made.fit_codes(design.codes, z))
        return self._last[key]

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, None]:
        """What networks say of labels they did not see; by folds where labels are too few for that."""
        said = self.fit(design, z).predictor.held_out()
        if len(said):
            return said, None
        said = np.zeros(len(z))
        for train, test in folds(len(z), self.seed):
            said[test] = self.fit(design.rows(train), z[train]).predict(design.rows(test))[0]
        return said, None


@dataclass(frozen=True, slots=True)
class FittedEmbedded:
    """Processes after their fit, and the embedding they read beside the features."""

    processes: FittedProcess
    embedding: SpaceEmbedding

    def predict(self, design: Design) -> tuple[Vector, Vector]:
        """Mean and variance of a new label."""
        return self.processes.predict(_beside(design, self.embedding))


@dataclass(frozen=True, slots=True)
class EmbeddingMember:
    """Gaussian processes with one block more: what flow encoders learnt of the space without labels, frozen.

    Attributes:
        space: Whose codes the encoders read.
        seed: Of encoders, folds and sparse processes.
        pretraining: How encoders are made, by default as `Pretraining` says.
        name: What reports call it.
    """

    space: Space
    seed: int = 0
    pretraining: Pretraining | None = None
    name: str = "gnn-gp"

    def fit(self, design: Design, z: Vector) -> FittedEmbedded:
        """Fits on labels `z`, `(n,)`."""
        embedding = self._embedding()
        return FittedEmbedded(ProcessMember(seed=self.seed).fit(_beside(design, embedding), z), embedding)

    def held_out(self, design: Design, z: Vector) -> tuple[Vector, Vector]:
        """As `ProcessMember`: the embedding knows no labels, so folds share it."""
        return ProcessMember(seed=self.seed).held_out(_beside(design, self._embedding()), z)

    def _embedding(self) -> SpaceEmbedding:
        from gnas.predictors.gnn_space import Pretraining, embedding_of_space

        return embedding_of_space(self.space, self.pretraining or Pretraining(seed=self.seed))


def _beside(design: Design, embedding: SpaceEmbedding) -> Design:
    """The design with the embedding as its last block."""
    x = np.concatenate([design.x, embedding.features(design.codes)], axis=1)
    spreads = None if design.spreads is None else np.concatenate([design.spreads, np.ones(embedding.width)])
    return Design(x, (*design.slices, slice(design.x.shape[1], x.shape[1])), design.codes, spreads)
