"""Gates: open ones change nothing, closed ones leave the sub-network's outputs, gradients are those of losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model
from gnas.autospace.gated import GatedNetwork, Pull
from gnas.testing.model_values import Value
from gnas.testing.models import Plan, Step, build_model, calls_of


class Branches(nn.Module):
    """A residual block with two branches, one of them pooling, and a block of equal width."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.branch = nn.Sequential(nn.Conv2d(8, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, 1, 1))
        self.pool = nn.AvgPool2d(3, 1, 1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x + self.branch(x) + self.pool(x)
        return self.head(torch.relu(self.block(x)).mean((2, 3)))  # type: ignore[no-any-return]


PLANS = (
    Plan(Value("map", 4, 4), (Step("branches", (0,), 6, 1), Step("squeeze-excite", (1,), 4, 2)), 0, 3),
    Plan(Value("sequence", 4, 5), (Step("attention", (0,), 8, 0), Step("residual", (1,), 6, 1)), 1, 4),
    Plan(Value("vector", 6), (Step("dense", (0,), 4, 1), Step("mixture", (1,), 6, 3)), 2, 5),
)


def randomised(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand_like(tensor))
    return model.eval()


@pytest.mark.parametrize("mode", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.steps[0].op)
def test_open_gates_change_nothing(plan: Plan, mode: bool) -> None:
    model, args = build_model(plan), calls_of(plan)[0][0]
    space = space_from_model(model, args)
    gated = GatedNetwork(space.structure).train(mode)
    whole = space.build(space.full()).train(mode)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = torch.utils._pytree.tree_flatten(whole(*args))[0]
        torch.manual_seed(0)
        got = torch.utils._pytree.tree_flatten(gated(*args))[0]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_closed_gates_leave_the_sub_network() -> None:
    torch.manual_seed(0)
    args = (torch.randn(4, 2, 6, 6),)
    space = space_from_model(randomised(Branches()), args)
    rng = np.random.default_rng(0)
    for architecture in (space.smallest(), *(space.sample(rng) for _ in range(6))):
        gated = GatedNetwork(space.structure)
        gated.close(space.removal(architecture.assignment), 0)
        gated.eval()
        with torch.no_grad():
            torch.testing.assert_close(gated(*args), space.build(architecture).eval()(*args), rtol=1e-5, atol=1e-5)


def test_gates_close_step_by_step_to_exact_zeros() -> None:
    torch.manual_seed(0)
    args = (torch.randn(4, 2, 6, 6),)
    space = space_from_model(randomised(Branches()), args)
    gated = GatedNetwork(space.structure).train()
    architecture = space.smallest()
    gated.close(space.removal(architecture.assignment), 4)
    distances = []
    for _ in range(5):
        gated.eval()
        with torch.no_grad():
            distances.append(float((gated(*args) - space.build(architecture).eval()(*args)).abs().max()))
            torch.testing.assert_close(gated(*args), gated(*args))
        gated.train()
        frozen = {name: tensor.clone() for name, tensor in gated.tensors().items()}
        gated(*args)
        with torch.no_grad():
            for name, tensor in gated.tensors().items():
                tensor.copy_(frozen[name])
    assert distances[0] > 1e-3
    assert distances[-1] < 1e-5


def test_the_model_is_left_as_it_is() -> None:
    torch.manual_seed(0)
    model, args = randomised(Branches()), (torch.randn(4, 2, 6, 6),)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gated = GatedNetwork(space_from_model(model, args).structure).train()
    gated(*args).square().sum().backward()
    with torch.no_grad():
        for parameter in gated.parameters():
            parameter.sub_(parameter.grad if parameter.grad is not None else 0.0)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_pulls_are_derivatives_of_the_loss() -> None:
    torch.manual_seed(0)
    args = (torch.randn(4, 2, 6, 6, dtype=torch.float64),)
    space = space_from_model(randomised(Branches()).double(), args)
    gated, pulls = GatedNetwork(space.structure).train(), list[Pull]()
    gated.listener = pulls.append

    def loss() -> Tensor:
        return gated(*args).square().sum()  # type: ignore[no-any-return]

    base = loss()
    base.backward()  # type: ignore[no-untyped-call]
    gated.listener = None
    (pull,) = pulls
    for k, unit in enumerate(space.units):
        removal = space.removal({unit.name: "drop"})
        # A gate that is closed by a small part: the loss changes by that part of its derivative.
        gated.close(removal, 10**6)
        gated.steps += 100
        with torch.no_grad():
            change = (loss().item() - base.item()) / (100 / 10**6)
        gated.close(space.removal({}), 0)
        assert change == pytest.approx(-pull.units[k], rel=2e-2, abs=1e-3), unit.name
