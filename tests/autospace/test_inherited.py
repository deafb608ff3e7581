"""Searchers on inherited weights, with statistics of batch normalisation estimated again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model
from gnas.autospace.batch_norm import reestimate
from gnas.autospace.inherited import search_inherited
from gnas.autospace.network import SubNetwork
from gnas.errors import SpaceError
from gnas.searchers.random_search import RandomSearch


class Net(nn.Module):
    """A residual block with normalisation; its outputs depend on the block."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 4))
        self.norm = nn.BatchNorm1d(4, momentum=0.3)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x + self.block(x)))  # type: ignore[no-any-return]


def batches() -> list[tuple[tuple[Tensor], dict[str, Tensor]]]:
    generator = torch.Generator().manual_seed(3)
    return [((2 + 3 * torch.randn(16, 4, generator=generator),), {}) for _ in range(4)]


def test_statistics_are_means_over_batches() -> None:
    torch.manual_seed(0)
    space = space_from_model(Net().eval(), (torch.randn(4, 4),))
    network = space.build(space.full())
    assert isinstance(network, SubNetwork)
    reestimate(network.eval(), batches())
    values = []
    for (x,), _ in batches():
        hidden = nn.functional.linear(x, *(network.state_dict()[f"block.0.{n}"] for n in ("weight", "bias")))
        values.append((hidden.mean(0), hidden.var(0)))
    state = network.state_dict()
    torch.testing.assert_close(state["block.1.running_mean"], torch.stack([m for m, _ in values]).mean(0))
    torch.testing.assert_close(state["block.1.running_var"], torch.stack([v for _, v in values]).mean(0))
    assert not network.training


def test_evolution_finds_the_best_within_the_limits() -> None:
    torch.manual_seed(0)
    model, x = Net().eval(), batches()[0][0][0]
    space = space_from_model(model, (x,))
    full = space.costs({})["n_params"]
    with torch.no_grad():
        expected = model.train()(x)
    model.eval()

    def evaluate(module: nn.Module) -> float:
        module.train()
        with torch.no_grad():
            score = -float((module(x) - expected).square().mean())
        module.eval()
        return score

    found = search_inherited(space, evaluate, batches(), limits={"n_params": 0.8}, trials=30, seed=1)
    assert len(found.evaluations) > 5
    assert max(e.values["n_params"] for e in found.evaluations) <= 0.8 * full
    assert found.score == max(e.values["score"] for e in found.evaluations)
    assert evaluate(found.module) == found.score
    assert space.contains(found.architecture)
    again = search_inherited(
        space, evaluate, batches(), limits={"n_params": 0.8}, trials=6, seed=1, searcher=RandomSearch()
    )
    assert len(again.evaluations) == 6


@pytest.mark.parametrize(("limits", "problem"), [({"n_params": 3}, "keeps the limits"), ({"size": 3}, "no such cost")])
def test_refusals(limits: dict[str, float], problem: str) -> None:
    space = space_from_model(Net().eval(), (torch.randn(4, 4),))
    with pytest.raises(SpaceError, match=problem):
        search_inherited(space, lambda module: 0.0, batches(), limits=limits, trials=2)
