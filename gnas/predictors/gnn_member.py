"""The network as a member of the stack. torch is imported where it is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gnas.predictors.crossval import folds
from gnas.predictors.members import Design
from gnas.predictors.protocol import Vector
from gnas.space.protocol import Space

if TYPE_CHECKING:
    from gnas.predictors.gnn import GnnPredictor


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
        name: What reports call it.
    """

    space: Space
    seed: int = 0
    name: str = "gnn"
    _last: dict[bytes, FittedGnn] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, design: Design, z: Vector) -> FittedGnn:
        """Fits on labels `z`, `(n,)`; the last fit is remembered."""
        from gnas.predictors.gnn import GnnPredictor

        key = design.codes.tobytes() + z.tobytes()
        if key not in self._last:
            self._last.clear()
            self._last[key] = FittedGnn(GnnPredictor(self.space, seed=self.seed).fit_codes(design.codes, z))
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
