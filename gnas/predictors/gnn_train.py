"""Training of the encoder: on what the space itself tells without a label, then on labels, by rank and by value.

Source: the pairwise loss is that of Burges et al., "Learning to Rank using Gradient Descent", ICML 2005, equation 3.
Pretraining on targets that describe the flow through a graph follows the idea of Kim, Hwang and Shin, "Learning to Flow
from Generative Pretext Tasks for Neural Architecture Encoding", NeurIPS 2025, arXiv:2510.18360; deviation: the targets
are the features of the graph (counts, paths, degrees, a random flow) rather than one flow alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnas.evaluate.flat import FlatParameters
from gnas.evaluate.optimizers import Adam
from gnas.predictors.gnn_flow import FlowEncoder, Scorer
from gnas.predictors.gnn_labels import label_vectors
from gnas.predictors.gnn_plan import FlowPlan
from gnas.predictors.graphs import GraphBatch, Singles

_MOST_GRAPHS, _LEAST_GRAPHS, _NODES = 128, 24, 1024
"""Of a step: as many graphs as have so many nodes together, so that a step costs the same whatever the space."""

_WARM = 20
_LARGEST_GRADIENT = 5.0
_SHARPNESS = 2.0
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Training:
    """How long and how hard.

    Attributes:
        steps: Optimiser steps.
        rate: Peak learning rate: a short linear rise, then a cosine to 0.
        decay: Decoupled weight decay.
        dropout: Share of the hidden layer left out at a step.
        averaged: Share of the steps, the last ones, whose weights are averaged.
    """

    steps: int
    rate: float
    decay: float = 0.01
    dropout: float = 0.1
    averaged: float = 0.3


class _Descent:
    """Adam over all parameters of a network, with the schedule and the average of the last weights."""

    def __init__(self, network: nn.Module, training: Training, members: int) -> None:
        self.flat = FlatParameters(network)
        self.adam = Adam(self.flat.flats, training.decay, decoupled=True)
        self.training, self.members = training, members
        self.done = self.taken = 0
        self.average: Tensor | None = None

    def step(self, loss: Tensor) -> None:
        """One step down `loss`."""
        self.flat.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.flat.clip_grad(_LARGEST_GRADIENT * self.members)
        steps = self.training.steps
        rise = min(1.0, (self.done + 1) / _WARM)
        self.adam.step(self.training.rate * rise * 0.5 * (1.0 + math.cos(math.pi * self.done / steps)))
        self.done += 1
        if self.done > steps * (1.0 - self.training.averaged):
            current = self.flat.flats[0].detach()
            self.taken += 1
            self.average = current.clone() if self.average is None else self.average.lerp_(current, 1.0 / self.taken)

    def finish(self) -> None:
        """Puts the average in place."""
        if self.average is not None:
            self.flat.restore((self.average,))


def _batch_size(graphs: GraphBatch) -> int:
    nodes = graphs.real.sum() / max(graphs.n_graphs, 1)
    return int(np.clip(_NODES / max(nodes, 1.0), _LEAST_GRAPHS, _MOST_GRAPHS))


def _batches(n: int, size: int, steps: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Rows of each step; every row once an epoch, in parts of equal size of at most `size`."""
    parts = math.ceil(n / size)
    done = 0
    while done < steps:
        for rows in np.array_split(rng.permutation(n), parts)[: steps - done]:
            yield np.sort(rows)
            done += 1


def pretrain(encoder: FlowEncoder, graphs: GraphBatch, targets: Singles, training: Training, seed: int) -> float:
    """Teaches an encoder to tell targets of graphs, in place, through a linear head that is then dropped.

    Args:
        encoder: What is trained.
        graphs: A batch of graphs.
        targets: What is told of each, `(graph, target)`; centred, and weighed by their variances.
        training: How.
        seed: Of the order of graphs.

    Returns:
        The share of the variance of targets not told, at the last step.
    """
    rng = np.random.default_rng(seed)
    vectors = torch.from_numpy(label_vectors(graphs.table))
    spread = np.maximum(targets.std(axis=0), 1e-6)
    told, weights = torch.from_numpy(targets / spread), torch.from_numpy(spread**2 / (spread**2).sum())
    head = nn.Module()
    head.encoder = encoder
    members, width = encoder.members, encoder.out_width
    # NOTE: from 0. What a random head says of hundreds of targets is far off, and unlearning it ruins the encoder.
    head.map = nn.Parameter(torch.zeros(members, width, told.shape[1]))
    head.bias = nn.Parameter(torch.zeros(members, 1, told.shape[1]))
    descent, left = _Descent(head, training, members), torch.zeros(())
    for rows in _batches(graphs.n_graphs, _batch_size(graphs), training.steps, rng):
        said = torch.baddbmm(head.bias, encoder(FlowPlan.of(graphs, rows), vectors), head.map)
        left = ((said - told[torch.from_numpy(rows)]) ** 2 @ weights).mean(dim=1)
        descent.step(left.sum())
    descent.finish()
    return float(left.detach().mean())


def finetune(
    scorer: Scorer, graphs: GraphBatch, z: NDArray[np.float64], weights: Singles, training: Training, seed: int
) -> None:
    """Trains a scorer on labels, in place.

    Args:
        scorer: What is trained.
        graphs: The labelled graphs.
        z: Rank-Gaussian labels, `(graph,)`.
        weights: Weight of each label for each member, `(member, graph)`.
        training: How.
        seed: Of the order of labels and of dropout.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    vectors, labels = torch.from_numpy(label_vectors(graphs.table)), torch.from_numpy(z.astype(np.float32))
    weight, members = torch.from_numpy(weights), scorer.encoder.members
    size = _batch_size(graphs)
    whole = FlowPlan.of(graphs) if graphs.n_graphs <= size else None
    descent, keep = _Descent(scorer, training, members), 1.0 - training.dropout
    for rows in _batches(graphs.n_graphs, size, training.steps, rng):
        some = torch.from_numpy(rows)
        plan = whole or FlowPlan.of(graphs, rows)
        drawn = torch.rand(members, len(rows), scorer.outer.shape[1], generator=generator)
        scores = scorer(plan, vectors, (drawn < keep).to(drawn.dtype) / keep)
        descent.step(ranking_loss(scores, labels[some], weight[:, some]))
    descent.finish()


def ranking_loss(scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Squared error plus logistic loss of all pairs with distinct labels, summed over members.

    Args:
        scores: `(member, graph)`.
        labels: `(graph,)`.
        weights: Of each label for each member, `(member, graph)`.
    """
    value = (weights * (scores - labels) ** 2).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
    better, worse = torch.nonzero(labels[:, None] - labels[None, :] > _TIE, as_tuple=True)
    if len(better) == 0:
        return value.sum()
    pair = weights[:, better] * weights[:, worse]
    margin = scores[:, better] - scores[:, worse]
    order = (pair * nn.functional.softplus(-_SHARPNESS * margin)).sum(dim=1) / pair.sum(dim=1).clamp(min=1.0)
    return (value + order).sum()
