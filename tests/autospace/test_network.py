from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model
from gnas.errors import SpaceError
from tests.autospace.networks import Branching, Residual, randomized


def test_the_full_network_is_the_model() -> None:
    model = randomized(Residual())
    space = space_from_model(model, (torch.randn(2, 3, 6, 6),))
    module = space.build(space.full())
    x = torch.randn(3, 3, 6, 6)
    for training in (True, False):
        model.train(training), module.train(training)
        torch.testing.assert_close(module(x), model(x))
    assert set(module.state_dict()) >= {k for k in model.state_dict() if "num_batches" not in k}
    for name, buffer in module.named_buffers():
        torch.testing.assert_close(buffer, model.get_buffer(name))


def test_weights_are_copies() -> None:
    model = Residual()
    space = space_from_model(model, (torch.randn(2, 3, 6, 6),))
    module = space.build(space.full())
    with torch.no_grad():
        module.get_parameter("stem.weight").zero_()
    assert model.stem.weight.abs().sum() > 0


class Structured(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, batch: dict[str, Tensor], *, scale: Tensor, also: Tensor | None = None) -> Any:
        y = self.a(batch["x"]) * scale + self.b(batch["y"])
        return OrderedDict(sum=y, parts=(y.mean(1), [y.amax(1), None]))


def test_calling_convention_is_kept() -> None:
    model = Structured()
    batch = {"x": torch.randn(2, 3), "y": torch.randn(2, 2)}
    space = space_from_model(model, (batch,), {"scale": torch.tensor(2.0)})
    other = {"x": torch.randn(5, 3), "y": torch.randn(5, 2)}
    module = space.build(space.full()).eval()
    got, expected = module(other, scale=torch.tensor(3.0)), model(other, scale=torch.tensor(3.0))
    assert isinstance(got, OrderedDict) and isinstance(got["parts"], tuple) and got["parts"][1][1] is None
    torch.testing.assert_close(got["sum"], expected["sum"])


def test_another_structure_of_inputs_is_told() -> None:
    space = space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    with pytest.raises(SpaceError, match="another structure"):
        space.build(space.full())(torch.randn(2, 3, 6, 6), torch.ones(1))


def test_an_island_runs_as_it_is() -> None:
    model = Branching(inside=True)
    space = space_from_model(model, (torch.randn(2, 4),))
    module = space.build(space.smallest()).eval()
    assert {n.rsplit(".", 1)[0] for n, _ in module.named_parameters()} == {"first", "inner.module.linear", "last"}
    x = torch.randn(3, 4)
    whole = space.build(space.full()).eval()
    torch.testing.assert_close(whole(x), model(x))
    torch.testing.assert_close(whole(-x), model(-x))


def test_training_reaches_inherited_weights() -> None:
    space = space_from_model(Residual(), (torch.randn(2, 3, 6, 6),))
    module = space.build(space.smallest()).train()
    before = {n: b.clone() for n, b in module.named_buffers()}
    module(torch.randn(4, 3, 6, 6)).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in module.parameters())
    assert all(not torch.equal(b, before[n]) for n, b in module.named_buffers() if "running" in n)
