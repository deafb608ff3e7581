"""Tests of the graph neural network as a predictor."""

from __future__ import annotations

from gnas.predictors.gnn import GnnPredictor, GnnSettings
from gnas.testing.predictors import PredictorTestCase

SHORT = GnnSettings(width=8, hidden=16, steps=40, rate=1e-2)


class TestGnn(PredictorTestCase):
    def predictor(self) -> GnnPredictor:
        return GnnPredictor(None, settings=SHORT)
