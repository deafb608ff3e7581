"""Trained models made smaller: budgets are kept, weights inherited, the walk takes what costs least."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gnas.autospace import AutoSpace, shrink, space_from_model
from gnas.autospace.distortion import Distortion, measured, promising
from gnas.autospace.gated import GatedNetwork, nothing
from gnas.autospace.h2spg import H2SPG
from gnas.autospace.job import Method
from gnas.autospace.redundancy import Redundancy
from gnas.autospace.walk import Importance, Rows, reach, regrow, walk, whole
from gnas.errors import SpaceError


class Net(nn.Module):
    """Two residual blocks on vectors; the first half of the inputs tells the class."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, width)) for _ in range(2)
        )
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)  # type: ignore[no-any-return]


ARGS = (torch.zeros(4, 8),)


def examples(seed: int, n: int = 256) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()


def train(module: nn.Module, epochs: int, seed: int) -> None:
    x, y = examples(0)
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(module.parameters(), lr=5e-3)
    module.train()
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(x), generator=generator), 32):
            optimiser.zero_grad()
            functional.cross_entropy(module(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    module.eval()


def evaluate(module: nn.Module) -> float:
    x, y = examples(1)
    module.eval()
    with torch.no_grad():
        return float((module(x).argmax(1) == y).float().mean())


@pytest.fixture(scope="module")
def trained() -> Net:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Net()
        train(net, 20, 0)
    return net


@pytest.fixture(scope="module")
def space(trained: Net) -> AutoSpace:
    return space_from_model(trained, ARGS)


def counts(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def even(space: AutoSpace) -> Importance:
    return Importance(
        tuple(np.ones(g.size) for g in space.groups), np.ones(len(space.units)), np.ones(len(space.bypasses))
    )


METHODS = [Redundancy(), Redundancy(batches=0, rounds=2), H2SPG()]


@pytest.mark.parametrize("method", METHODS, ids=["measured", "gradients", "h2spg"])
def test_half_of_the_parameters(trained: Net, method: Method) -> None:
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    found = shrink(
        trained, ARGS, train=train, evaluate=evaluate, reduce={"n_params": 0.5}, epochs=8, method=method, seed=1
    )
    assert 0.4 * counts(trained) < counts(found.module) <= 0.5 * counts(trained)
    assert found.costs["n_params"] == counts(found.module)
    assert found.score == evaluate(found.module) >= evaluate(trained) - 0.1
    assert sum(stage.epochs for stage in found.history) == 8
    assert found.space.contains(found.architecture)
    assert counts(found.space.build(found.architecture)) == counts(found.module)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_the_same_seed_gives_the_same_weights(trained: Net) -> None:
    first, second = (
        shrink(trained, ARGS, train=train, evaluate=evaluate, reduce={"macs": 400}, epochs=4, seed=3) for _ in range(2)
    )
    assert first.architecture == second.architecture
    assert first.costs["macs"] <= 400
    for a, b in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_walk_is_valid_and_gets_smaller(space: AutoSpace) -> None:
    path = list(walk(space, whole(space), even(space), {"n_params": 1.0}))
    costs = [cost for _, cost in path]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    for row, cost in path:
        assert space.liveness.valid(row.units).all()
        network = space.structure.network(space.structure.removal(row.units[0], row.bypasses[0], row.widths[0]))
        assert counts(network) == cost


def test_what_is_not_important_goes_first(space: AutoSpace) -> None:
    importance = even(space)
    importance.units[1] = 1e-9
    (_, (first, _), *_) = walk(space, whole(space), importance, {"n_params": 1.0})
    assert not first.units[0, 1]
    assert first.units[0].sum() == len(space.units) - 1


def test_whole_blocks_come_first(space: AutoSpace) -> None:
    importance = even(space)
    importance.units[:] = 1e9
    importance.bypasses[:] = 1e9
    path = [row.widths[0] for row, _ in walk(space, whole(space), importance, {"n_params": 1.0}, block=8)]
    broken = [bool((widths % 8 > 0).any()) for widths in path]
    assert broken == sorted(broken)
    assert path[broken.index(True) - 1].tolist() == [8, 8, 8]
    grown = [
        row.widths[0] for row, _ in regrow(space, whole(space), _row(space, 5), importance, {"n_params": 1.0}, block=8)
    ]
    assert all((after[after != before] % 8 == 0).all() for before, after in itertools.pairwise(grown))
    assert grown[-1].tolist() == [group.size for group in space.groups]


def test_blocks_are_kept(trained: Net) -> None:
    found = shrink(trained, ARGS, train=train, evaluate=evaluate, reduce={"n_params": 0.5}, epochs=3, block=8)
    widths = [value for _, value in found.architecture.assignment if isinstance(value, int)]
    assert widths
    assert all(width % 8 == 0 for width in widths)


def test_a_change_that_takes_other_parts_with_it_waits(space: AutoSpace) -> None:
    importance = even(space)
    importance.units[:] = 1e-3
    importance.bypasses[:] = 1e9
    goal = 0.8 * space.costs({})["n_params"]
    jumps = [cost for _, cost in walk(space, whole(space), importance, {"n_params": 1.0}, goal=goal)]
    careless = [cost for _, cost in walk(space, whole(space), importance, {"n_params": 1.0})]
    assert min(cost for cost in jumps if cost > 0.85 * goal) < goal
    assert next(cost for cost in careless if cost <= goal) < 0.85 * goal


def _row(space: AutoSpace, width: int) -> Rows:
    full = whole(space)
    return Rows(full.units, full.bypasses, np.full_like(full.widths, width))


def test_what_a_large_step_leaves_of_the_budget_is_given_back(space: AutoSpace) -> None:
    importance = even(space)
    importance.channels[1][:] = 1e-9
    importance.units[:] = 1e-3
    cost = {"n_params": 1.0}
    full = space.costs({})["n_params"]
    losses = []
    for share in np.linspace(0.3, 0.9, 13).tolist():
        limit = share * full
        first = next(spent for _, spent in walk(space, whole(space), importance, cost) if spent <= limit)
        row = reach(space, whole(space), importance, cost, limit)
        spent = space.cost_table.of(row.units, row.bypasses, row.widths)["n_params"][0]
        assert first <= spent <= limit
        losses.append(spent - first)
    assert max(losses) > 0.05 * full


def test_distortion_is_that_of_outputs(trained: Net, space: AutoSpace) -> None:
    gated, x = GatedNetwork(space.structure), examples(2)[0]
    distortion = Distortion(gated, nothing(space.structure), [((x,), {})])
    assert distortion.of(nothing(space.structure)) == 0.0
    removal = space.removal({space.units[0].name: "drop"})
    network = space.structure.network(removal).train()
    with torch.no_grad():
        expected, got = trained.train()(x), network(x)
    trained.eval()
    spread = (expected - expected.mean(0)).square().mean()
    assert distortion.of(removal) == pytest.approx(float((got - expected).square().mean() / spread), rel=1e-3)


def test_measured_importance_sums_to_what_is_measured(space: AutoSpace) -> None:
    gated, x = GatedNetwork(space.structure), examples(2)[0]
    distortion = Distortion(gated, nothing(space.structure), [((x,), {})])
    rows, scores = whole(space), even(space)
    scores.units[0] = 100.0
    chosen = promising(space, rows, scores, 3)
    assert chosen[0].tolist() == [False, True]
    assert chosen[1].all()
    found = measured(space.structure, rows, scores, chosen, distortion)
    assert found.units[0] == np.inf
    assert found.units[1] == distortion.of(space.removal({space.units[1].name: "drop"}))
    for group, channels in zip(space.groups, found.channels, strict=True):
        width = round(0.75 * group.size)
        assert channels[width:].sum() == pytest.approx(max(distortion.of(space.removal({group.name: width})), 1e-12))
        assert (channels > 0).all()


@pytest.mark.parametrize(
    ("reduce", "epochs", "problem"),
    [
        ({"n_params": 0.001}, 4, "cannot be made that small"),
        ({"n_parms": 0.5}, 4, "one budget"),
        ({"n_params": 0.5, "macs": 0.5}, 4, "one budget"),
        ({"macs": -1.0}, 4, "not a limit"),
        ({"latency": 1.5}, 4, "not a limit"),
        ({"n_params": 0.5}, 2, "too few epochs"),
    ],
)
def test_refusals(trained: Net, reduce: dict[str, float], epochs: int, problem: str) -> None:
    with pytest.raises(SpaceError, match=problem):
        shrink(trained, ARGS, train=train, evaluate=evaluate, reduce=reduce, epochs=epochs)


def test_latency_is_measured(trained: Net) -> None:
    pytest.importorskip("onnxruntime")
    found = shrink(
        trained,
        ARGS,
        train=train,
        evaluate=evaluate,
        reduce={"latency": 0.9},
        epochs=3,
        timed=((torch.zeros(64, 8),), {}),
    )
    assert found.costs["macs"] < space_from_model(trained, ARGS).costs({})["macs"]
