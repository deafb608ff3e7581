from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from gnas.testing.models import KINDS, Plan, build_model, calls_of, plans
from gnas.testing.networks import BrokenNetworkError, check_network, form_of, forms_of


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(plan=plans((*KINDS, "nodes")))
def test_random_models_run_and_are_the_same_every_time(plan: Plan) -> None:
    pytest.importorskip("torch_geometric")
    model, calls = build_model(plan), calls_of(plan)
    check_network(model, calls, forms_of(model, calls))
    model, again = build_model(plan), build_model(plan)
    for args, _ in calls:
        first, second = (tree_flatten(network(*args))[0] for network in (model, again))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class _Scaled(nn.Module):
    """A linear layer whose output another form or another value may be given to."""

    def __init__(self, out: int = 2, factor: float = 1.0, where: str = "always") -> None:
        super().__init__()
        self.layer, self.factor, self.where = nn.Linear(3, out), factor, where

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        at_fault = {"always": True, "training": self.training, "large": len(x) > 4}[self.where]
        return y * self.factor if at_fault and self.factor != 1.0 else y


CALLS: tuple[tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]], ...] = tuple(
    ((torch.ones(n, 3),), {}) for n in (4, 5)
)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (_Scaled(out=1), "call 0, eval: outputs"),
        (nn.Sequential(_Scaled(), nn.Unflatten(1, (2, 1))), "outputs"),
        (
            _Scaled(factor=float("nan"), where="training"),
            "training: the gradient of layer.weight is not",
        ),
        (_Scaled(factor=float("inf"), where="large"), r"call 1, training: the gradient"),
    ],
)
def test_a_broken_network_is_told(network: nn.Module, message: str) -> None:
    forms = forms_of(_Scaled(), CALLS)
    with pytest.raises(BrokenNetworkError, match=message):
        check_network(network, CALLS, forms)


def test_a_network_without_gradient_is_told() -> None:
    class Cut(_Scaled):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    with pytest.raises(BrokenNetworkError, match="no output has a gradient"):
        check_network(Cut(), CALLS, forms_of(_Scaled(), CALLS))


def test_forms_leave_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    forms = forms_of(network, CALLS)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert forms[1, True] == form_of(torch.zeros(5, 2))
    assert forms[0, False] != forms[1, False]
