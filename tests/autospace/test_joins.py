from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnas.autospace import space_from_model, verify
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.model_space import OFF, ON
from gnas.autospace.records import DROP
from tests.autospace.networks import Branches, Chain, Residual, randomized


def chosen(space: AutoSpace, name: str, value: str) -> nn.Module:
    """The sub-network of the full one with one choice (the start of its name) changed; it is proved."""
    values = dict(space.full().assignment)
    (full_name,) = [n for n in values if n.startswith(name)]
    values[full_name] = value
    architecture = space.decode(space.encode(values))
    assert verify(space, architecture) < 1e-5
    return space.build(architecture)


def test_a_residual_block_can_go_and_its_skip_too() -> None:
    space = space_from_model(randomized(Residual()), (torch.randn(2, 3, 6, 6),))
    assert "block.3 into add of the model" in [unit.name for unit in space.units]
    module = chosen(space, "block.3 into add", DROP)
    assert {n.split(".")[0] for n, _ in module.named_parameters()} == {"stem", "head"}


def test_an_operand_of_a_concatenation_becomes_zeros() -> None:
    space = space_from_model(Branches(), (torch.randn(2, 4),))
    assert len(space.units) == 2
    module = chosen(space, "left into cat", DROP)
    assert {n for n, _ in module.named_parameters()} == {"right.weight", "right.bias", "head.weight", "head.bias"}


def test_not_all_operands_of_a_join_go() -> None:
    space = space_from_model(Branches(), (torch.randn(2, 4),))
    kept = {tuple(row) for codes in space.iterate_codes() for row in space.kept(codes).tolist()}
    assert kept == {(True, False), (False, True), (True, True)}


class Gated(nn.Module):
    """A squeeze-and-excitation gate."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.gate, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.linear(x))
        return self.head(x * torch.sigmoid(self.gate(x)))


def test_a_gate_can_be_passed_by() -> None:
    model = Gated()
    space = space_from_model(model, (torch.randn(2, 4),))
    (name,) = [unit.name for unit in space.bypasses if "gate of" in unit.name]
    values = {**dict(space.full().assignment), name: ON}
    module = space.build(space.decode(space.encode(values)))
    assert not any(n.startswith("gate") for n, _ in module.named_parameters())
    x = torch.randn(3, 4)
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(x), model.head(F.relu(model.linear(x))))


def test_a_block_of_a_chain_can_be_passed_by() -> None:
    model = Chain()
    space = space_from_model(model, (torch.randn(2, 4),))
    assert not space.units
    assert [unit.name for unit in space.bypasses] == ["past second"]
    x = torch.randn(3, 4)
    with torch.no_grad():
        expected = model.third(F.relu(F.relu(model.first(x))))
        torch.testing.assert_close(chosen(space, "past second", ON).eval()(x), expected)
        torch.testing.assert_close(chosen(space, "past second", OFF).eval()(x), model(x))


class Dense(nn.Module):
    """Each layer reads all before it, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4 * (i + 1), 4) for i in range(4)])
        self.head = nn.Linear(20, 2)

    def forward(self, x: Tensor) -> Any:
        found = [x]
        for layer in self.layers:
            found.append(torch.tanh(layer(torch.cat(found, 1))))
        return self.head(torch.cat(found, 1))


def test_a_value_that_only_joins_read_goes_from_all() -> None:
    space = space_from_model(Dense(), (torch.randn(2, 4),))
    values = [unit for unit in space.units if unit.kind == "value"]
    assert [unit.module for unit in values] == ["layers.0", "layers.1", "layers.2"]
    module = chosen(space, "layers.1 into", DROP)
    assert not any(n.startswith("layers.1.") for n, _ in module.named_parameters())


class Twice(nn.Module):
    """A join whose operands are one value, and a sum of other shapes: nothing to drop."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.bias = nn.Linear(4, 4), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Any:
        y = self.linear(x)
        return y + y + self.bias


def test_no_unit_where_dropping_saves_nothing_or_changes_the_shape() -> None:
    assert not space_from_model(Twice(), (torch.randn(2, 4),)).units


class Heads(nn.Module):
    """Both outputs must live."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        y = self.stem(x)
        return {"sum": x + y, "deep": self.deep(y)}


def test_a_value_that_another_output_needs_stays() -> None:
    space = space_from_model(Heads(), (torch.randn(2, 4),))
    for row in next(iter(space.iterate_codes())):
        module = space.build(space.decode(row))
        assert set(module(torch.randn(3, 4))) == {"sum", "deep"}
        assert any(n.startswith("stem") for n, _ in module.named_parameters())
