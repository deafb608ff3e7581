"""A graph neural network as a predictor: a small ensemble of flow encoders, trained on labels by rank and by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gnas.architecture import Architecture
from gnas.errors import InvalidShapeError
from gnas.predictors.gnn_flow import FlowEncoder, Scorer
from gnas.predictors.gnn_space import (
    Known,
    Pretraining,
    one_thread,
    outputs,
    parts_of,
    pretrained_encoder,
)
from gnas.predictors.gnn_train import Training, finetune
from gnas.predictors.graphs import Floats, GraphBatch, Singles
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import RankGaussian
from gnas.space.protocol import Codes, Space

_CHUNK = 2048
_LEAST = 8
"""With fewer labels nothing is held out, and the scatter of new labels is taken to be that of all."""
_REFERENCE = 512


@dataclass(frozen=True, slots=True)
class GnnSettings:
    """Sizes and lengths.

    Attributes:
        width: Of the states of nodes.
        rounds: Forward and backward passes over a graph.
        hidden: Width of the layer between embedding and score.
        steps, rate: Of training on labels.
        pretrain_steps, pretrain_rate: Of training on the space; the encoder so made is remembered for later fits.
        tuned_rate: In place of `rate`, once pretrained.
    """

    width: int = 16
    rounds: int = 1
    hidden: int = 64
    steps: int = 400
    rate: float = 1e-2
    pretrain_steps: int = 300
    pretrain_rate: float = 1e-2
    tuned_rate: float = 1e-2


@dataclass(frozen=True, slots=True)
class _State:
    """A fit.

    Attributes:
        scorer: The networks.
        ranks: The scale of labels.
        held_out: What the member that did not see a label said of it, `(n,)`; empty with few labels.
        error: Mean squared error expected of the ensemble's mean.
        scatter: Mean variance between members at architectures they have not seen.
    """

    scorer: Scorer
    ranks: RankGaussian
    held_out: Vector
    error: float
    scatter: float


class GnnPredictor:
    """Flow encoders in an ensemble, trained to rank and to regress; a `Predictor`.

    The mean is that of the members' scores on the rank-Gaussian scale of the labels, in units again. Labels are split
    into as many parts as there are members, and each member leaves one part out: so one fit tells how far new labels
    lie from what members say (a member's squared error less what averaging takes off). That is the mean variance; it
    rises and falls with the variance between members.

    Args:
        space: What codes are rows of, and where architectures without labels come from. None: only `fit` and `predict`,
            and no pretraining.
        seed: Of weights and orders; same seed, same labels, same predictions, bit for bit with one thread.
        members: Networks in the ensemble.
        pretrain: Whether encoders are pretrained on the space before they see labels. What they learn there are the
            features that processes read anyway: in a stack, networks that start from nothing add more.
        settings: Sizes and lengths.
        known: What is known of architectures without labels, for pretraining to learn as well.
    """

    def __init__(
        self,
        space: Space | None,
        *,
        seed: int = 0,
        members: int = 8,
        pretrain: bool = False,
        settings: GnnSettings | None = None,
        known: Known | None = None,
    ) -> None:
        self.space = space
        self.seed = seed
        self.members = members
        self.pretrain = pretrain
        self.settings = settings or GnnSettings()
        self.known = known
        self._fitted: _State | None = None

    def fit(self, architectures: Sequence[Architecture], values: Vector) -> Self:
        """Fits on finite `values`, shape `(n,)`, n ≥ 1.

        Raises:
            InvalidShapeError: No architectures, another number of values, or values that are not finite.
        """
        checked = _checked(values, len(architectures))
        return self._fit(GraphBatch.of([architecture.pruned() for architecture in architectures]), checked)

    def fit_codes(self, codes: Codes, values: Vector) -> Self:
        """The same for rows of codes, `(n, choice)`."""
        checked = _checked(values, len(codes))
        return self._fit(GraphBatch.of_codes(self._space(), codes), checked)

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Vector, Vector]:
        """Mean and standard deviation, `(n,)` each, in the units of the values."""
        state = self._state()
        pruned = [architecture.pruned() for architecture in architectures]
        parts = (GraphBatch.of(pruned[i : i + _CHUNK]) for i in range(0, len(pruned), _CHUNK))
        return state.ranks.moments(*_latent(state, parts))

    def predict_codes(self, codes: Codes) -> tuple[Vector, Vector]:
        """The same for rows of codes, `(n, choice)`."""
        return self._state().ranks.moments(*self.predict_latent(codes))

    def predict_latent(self, codes: Codes) -> tuple[Vector, Vector]:
        """Mean and standard deviation of new labels on the rank-Gaussian scale, `(n,)` each."""
        return _latent(self._state(), parts_of(self._space(), codes))

    def held_out(self) -> Vector:
        """What members say of the labels they did not see, rank-Gaussian scale, `(n,)`; empty below eight labels."""
        return self._state().held_out

    def _fit(self, graphs: GraphBatch, values: Vector) -> Self:
        settings, n = self.settings, len(values)
        ranks = RankGaussian.fit(values)
        pretrained = self.pretrain and self.space is not None
        with one_thread():
            encoder = self._encoder() if pretrained else self._pretraining.fresh()
            scorer = Scorer(encoder, settings.hidden, self.seed)
            weights = _shares(self.members, n, self.seed)
            training = Training(settings.steps, settings.tuned_rate if pretrained else settings.rate)
            finetune(scorer, graphs, ranks.z, weights, training, self.seed)
        scorer.eval()
        seen = _scores(scorer, iter([graphs]))
        held_out = seen[weights.T == 0.0]
        elsewhere = seen if self.space is None else _scores(scorer, parts_of(self.space, self._sampled()))
        scatter = float(elsewhere.var(axis=1, ddof=min(1, self.members - 1)).mean())
        alone = float(((held_out - ranks.z) ** 2).mean()) if len(held_out) else 1.0
        # Averaging takes off most of the variance between members, but some error of the ensemble always remains.
        error = max(alone - scatter * (1.0 - 1.0 / self.members), 0.3 * alone)
        self._fitted = _State(scorer, ranks, held_out, error, scatter)
        return self

    def _encoder(self) -> FlowEncoder:
        return pretrained_encoder(self._space(), self._pretraining, self.known)

    @property
    def _pretraining(self) -> Pretraining:
        chosen = self.settings
        return Pretraining(
            self.members, chosen.width, chosen.rounds, chosen.pretrain_steps, chosen.pretrain_rate, self.seed
        )

    def _sampled(self) -> Codes:
        return self._space().sample_codes(np.random.default_rng((self.seed, 3)), _REFERENCE)

    def _space(self) -> Space:
        if self.space is None:
            raise InvalidShapeError("GnnPredictor", "codes, but no space", "architectures, or a space when made")
        return self.space

    def _state(self) -> _State:
        if self._fitted is None:
            raise InvalidShapeError("GnnPredictor.predict", "no fit", "a call of fit before predict")
        return self._fitted


def _checked(values: Vector, n: int) -> Vector:
    values = np.asarray(values, dtype=np.float64)
    if n == 0 or values.shape != (n,) or not np.isfinite(values).all():
        expected = f"one finite value for each of {n} (at least one) architectures"
        raise InvalidShapeError("GnnPredictor.fit", f"values of shape {values.shape}", expected)
    return values


def _shares(members: int, n: int, seed: int) -> Singles:
    """Weight of each label for each member: 0 for the part that it leaves out, `(member, label)`."""
    weights = np.ones((members, n), dtype=np.float32)
    if n >= _LEAST and members > 1:
        weights[np.random.default_rng((seed, 1)).permutation(n) % members, np.arange(n)] = 0.0
    return weights


def _scores(scorer: Scorer, parts: Iterator[GraphBatch]) -> Floats:
    """Score of each member, `(graph, member)`."""
    return outputs(parts, lambda *what: scorer(*what)[..., None], scorer.encoder.members)


def _latent(state: _State, parts: Iterator[GraphBatch]) -> tuple[Vector, Vector]:
    scores = _scores(state.scorer, parts)
    ratio = scores.var(axis=1) / state.scatter if state.scatter > 1e-12 else np.ones(len(scores))
    return scores.mean(axis=1), np.sqrt(state.error * 0.5 * (1.0 + ratio))
