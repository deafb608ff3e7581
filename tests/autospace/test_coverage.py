"""What a space covers of a model, held against building the sub-networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.autospace import AutoSpace, space_from_model
from gnas.autospace.coverage import Coverage, coverage, smallest
from gnas.autospace.records import DROP


class Residual(nn.Module):
    """A stem, two residual blocks, a head; `topk` keeps the width of the trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8)) for _ in range(2))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        out: Tensor = self.head(x + x.topk(1, dim=1).values)
        return out


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(x)[0][:, -1])
        return out


@pytest.fixture(scope="module")
def space() -> AutoSpace:
    return space_from_model(Residual(), (torch.randn(3, 6),))


@pytest.fixture(scope="module")
def cover(space: AutoSpace) -> Coverage:
    return coverage(space)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_counts_are_those_of_built_networks(space: AutoSpace, cover: Coverage) -> None:
    assert cover.n_params == parameters(Residual())
    assert cover.least == parameters(space.build(smallest(space, {u.name: u.n_params for u in cover.units})))
    assert cover.count == space.count() == 2 ** (2 + 2) * 8**2
    assert (len(cover.units), len(cover.bypasses), len(cover.widths)) == (2, 2, 2)
    assert (cover.macs, cover.least_macs) == (space.costs({})["macs"], space.costs(space.smallest())["macs"])
    for unit in cover.units:
        row = {**dict(space.full().assignment), unit.name: DROP}
        assert cover.n_params - unit.n_params == parameters(space.build(space.decode(space.encode(row))))


def test_every_parameter_is_in_reach_or_told(cover: Coverage) -> None:
    assert {s.module for s in cover.still} == {"stem", "head"}
    assert cover.by_any + sum(s.n_params for s in cover.still) == cover.n_params
    assert cover.by_depth == sum(u.n_params for u in cover.units) == 2 * (8 * 12 + 12 + 12 * 8 + 8)
    assert cover.by_width == 2 * (8 * 12 + 12 + 12 * 8)


def test_what_no_sample_lacks_is_not_in_reach(space: AutoSpace, cover: Coverage) -> None:
    still = {s.module for s in cover.still}
    rng = np.random.default_rng(0)
    whole = {name: p.shape for name, p in Residual().named_parameters()}
    for _ in range(10):
        left = {name: p.shape for name, p in space.build(space.sample(rng)).named_parameters()}
        assert all(left[name] == shape for name, shape in whole.items() if name.split(".")[0] in still)


def test_reasons_name_operation_and_line(cover: Coverage) -> None:
    by_op = {b.op: b for b in cover.blocked}
    assert set(by_op) == {"topk", "output", "linear"}
    assert by_op["topk"].channels == 8
    assert "test_coverage.py:" in by_op["topk"].source
    assert by_op["output"].tensors == (("head.weight", 0), ("head.bias", 0))
    assert by_op["linear"].reason == "it reads an input of the model, whose shape is given"
    (stem,) = (s for s in cover.still if s.module == "stem")
    assert any("largest values" in reason for reason in stem.reasons)


def test_an_unknown_operation_is_told() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.b(torch.linalg.pinv(self.a(x)).mT)
            return out

    found = coverage(space_from_model(Odd(), (torch.randn(3, 4),))).blocked
    assert any("is not known" in b.reason and "pinv" in b.op for b in found)


def test_widths_of_recurrent_layers_are_searchable_or_told() -> None:
    cover = coverage(space_from_model(Recurrent(), (torch.randn(3, 5, 4),)))
    searchable = {name for w in cover.widths for name, _ in w.places}
    told = {name for b in cover.blocked for name, _ in b.tensors}
    assert "rnn.weight_hh_l0" in searchable | told


def test_submodules_that_cannot_be_traced_are_told() -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if float(x.sum()) > 0 else -x

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.branch, self.b = nn.Linear(4, 8), Branch(), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.b(self.branch(self.a(x)))
            return out

    cover = coverage(space_from_model(Net(), (torch.randn(3, 4),)))
    ((name, kind, reason),) = cover.islands
    assert (name, kind) == ("branch", "Branch")
    assert "test_coverage.py" in reason
    assert any("could not be traced" in b.reason for b in cover.blocked)
