"""Costs without building equal what is counted on built sub-networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_flatten

from gnas.autospace import AutoSpace, space_from_model
from gnas.hardware.costs import CostMode, count_params, evaluating
from gnas.testing.models import KINDS, Plan, build_model, calls_of, plans

CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
SOME = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=CHECKS)


def counted(network: nn.Module, args: tuple[Any, ...]) -> tuple[float, float]:
    """Parameters, and multiply-accumulates per row of the first output."""
    counter = CostMode([a for a in args if isinstance(a, Tensor)])
    with evaluating(network), counter:
        output = tree_flatten(network(*args))[0][0]
    return float(count_params(network)), counter.flops / 2 / output.shape[0]


def agrees(space: AutoSpace, args: tuple[Any, ...], samples: int, seed: int = 0) -> None:
    """The whole, the smallest and random sub-networks cost what they are said to cost.

    Raises:
        AssertionError: One does not.
    """
    rng = np.random.default_rng(seed)
    rows = [space.encode(dict(a.assignment)) for a in (space.full(), space.smallest())]
    codes = np.concatenate([np.stack(rows), space.sample_codes(rng, samples)])
    found = space.costs_of(codes)
    for i, row in enumerate(codes):
        architecture = space.decode(row)
        n_params, macs = counted(space.build(architecture), args)
        assert found["n_params"][i] == n_params, dict(architecture.assignment)
        assert found["macs"][i] == pytest.approx(macs, rel=1e-9), dict(architecture.assignment)
        assert space.costs(architecture) == {"n_params": found["n_params"][i], "macs": found["macs"][i]}


@SOME
@given(plan=plans(KINDS))
def test_random_models(plan: Plan) -> None:
    args = calls_of(plan)[0][0]
    agrees(space_from_model(build_model(plan), args), args, 3, plan.seed)


@SOME
@given(plan=plans(("nodes",)))
def test_random_graph_models(plan: Plan) -> None:
    pytest.importorskip("torch_geometric")
    args = calls_of(plan)[0][0]
    agrees(space_from_model(build_model(plan), args), args, 3, plan.seed)


class Attention(nn.Module):
    """Heads from a fused projection, fused attention, a residual connection and a block to pass by."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(y)
        return self.head((x + self.mlp(x)).mean(1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """A bidirectional recurrent layer of two levels beside a product of letters."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 5, 2, batch_first=True, bidirectional=True)
        self.mix = nn.Parameter(torch.randn(10, 7))
        self.head = nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("btc,cd->btd", self.rnn(x)[0], self.mix)
        return self.head(torch.relu(y)[:, -1])  # type: ignore[no-any-return]


class Planes(nn.Module):
    """Grouped, depthwise and transposed convolutions, squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.grouped, self.depthwise = nn.Conv2d(16, 16, 3, 1, 1, groups=4), nn.Conv2d(16, 16, 5, 1, 2, groups=16)
        self.squeeze, self.excite = nn.Linear(16, 4), nn.Linear(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x + self.grouped(x)
        y = self.depthwise(x)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean((2, 3))))))
        return self.head(torch.relu(self.up(x + y * gate[:, :, None, None])))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "shape"),
    [(Attention, (4, 5, 16)), (Recurrent, (4, 5, 6)), (Planes, (4, 3, 8, 8))],
    ids=["attention", "recurrent", "planes"],
)
def test_known_models(model: type[nn.Module], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    args = (torch.randn(shape),)
    space = space_from_model(model().eval(), args)
    assert len(space.choices) > 1
    agrees(space, args, 12)


def test_choices_not_named_are_whole() -> None:
    torch.manual_seed(0)
    args = (torch.randn(4, 3, 8, 8),)
    space = space_from_model(Planes().eval(), args)
    assert space.costs({}) == space.costs(space.full())
    assert space.costs(space.smallest())["n_params"] < space.costs({})["n_params"]
