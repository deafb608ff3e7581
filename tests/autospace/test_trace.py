from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils._pytree import tree_flatten

from gnas.autospace.functional import op_name
from gnas.autospace.program import Traced, module_of, source_of
from gnas.autospace.trace import trace
from gnas.errors import SpaceError
from tests.autospace.networks import Branching, Residual


def ops(traced: Traced, *, training: bool = False) -> list[str]:
    program = traced.training if training else traced.evaluation
    assert program is not None
    return [op_name(n) for n in program.graph.nodes if n.op == "call_function"]


class Modes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Any:
        return torch.tanh(self.linear(x)) if self.training else torch.relu(self.linear(x))


def test_modes_are_traced_apart() -> None:
    model = Modes().train()
    traced = trace(model, (torch.ones(2, 3),))
    assert "relu" in ops(traced) and "tanh" not in ops(traced)
    assert "tanh" in ops(traced, training=True) and "relu" not in ops(traced, training=True)
    assert model.training and model.linear.training


def test_tensors_are_the_models_own() -> None:
    model = Residual()
    traced = trace(model, (torch.ones(2, 3, 4, 4),))
    assert traced.tensors["block.0.weight"] is model.block[0].weight
    assert "block.1.running_mean" in traced.persistent
    assert "block.1.running_mean" not in traced.parameters
    assert set(traced.parameters) == set(dict(model.named_parameters()))


def test_places_in_the_users_code() -> None:
    traced = trace(Residual(), (torch.ones(2, 3, 4, 4),))
    convolutions = [n for n in traced.evaluation.graph.nodes if op_name(n) == "conv2d"]
    assert [module_of(n) for n in convolutions] == ["stem", "block.0", "block.3"]
    added = next(n for n in traced.evaluation.graph.nodes if op_name(n) == "add")
    assert "networks.py:" in source_of(added)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Any:
        return self.head(self.embedding(x).mean(1))


def test_tied_weights_share_a_name() -> None:
    traced = trace(Tied(), (torch.zeros(2, 3, dtype=torch.long),))
    assert set(traced.evaluation.state.values()) == {"embedding.weight"}


class Straight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Any:
        y = self.linear(x)
        return y + (y.round() - y).detach() + torch.tensor([1.0, 2.0, 3.0])


def test_stopped_gradients_stay_and_constants_are_folded() -> None:
    traced = trace(Straight(), (torch.ones(2, 3),))
    assert ops(traced, training=True).count("detach") == 1
    assert not {"lift_fresh_copy", "lift_fresh"} & set(ops(traced))


def test_weight_normalisation_is_folded() -> None:
    first = weight_norm(nn.Linear(3, 4))
    model = nn.Sequential(first, nn.Linear(4, 2))
    traced = trace(model, (torch.ones(2, 3),))
    assert set(traced.parameters) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert torch.equal(traced.tensors["0.weight"], first.weight)
    assert "folded" in traced.notes[0]
    assert nn.utils.parametrize.is_parametrized(first)
    assert model(torch.ones(1, 3)).shape == (1, 2)


def test_batch_of_one_is_doubled() -> None:
    traced = trace(Residual(), (torch.ones(1, 3, 4, 4),))
    assert traced.example[0][0].shape[0] == 2
    placeholder = next(n for n in traced.evaluation.graph.nodes if n.op == "placeholder" and n.name == "x")
    assert isinstance(placeholder.meta["val"].shape[0], torch.SymInt)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(3), nn.Linear(3, 3)

    def forward(self, a: Tensor, b: Tensor) -> Any:
        x = torch.zeros(a.shape[0], 3)
        x[:, :2] = self.norm(self.linear(a))[:, :2]
        return x + self.norm(self.linear(b))


def test_a_shared_batch_norm_beside_writes_to_views() -> None:
    """Functionalising the write must leave batch normalisation as it is: two updates of one buffer."""
    model = Twice()
    traced = trace(model, (torch.randn(4, 3), torch.randn(4, 3)))
    found = ops(traced, training=True)
    assert found.count("batch_norm") == 2
    assert not any("batch_norm_legit" in name for name in found)


def test_fixed_inputs_by_name() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor, *, steps: int, flag: str = "a") -> Any:
            for _ in range(steps):
                x = self.linear(x)
            return x if flag == "a" else -x

    traced = trace(Steps(), (torch.ones(2, 2),), {"steps": 3, "flag": "b"})
    assert ops(traced).count("linear") == 3 and "neg" in ops(traced)
    assert traced.evaluation.constants == (None, 3, "b")


def test_model_does_not_run_on_the_example() -> None:
    with pytest.raises(SpaceError, match="does not run on the example") as error:
        trace(Residual(), (torch.ones(2, 4, 5, 5),))
    assert "networks.py:" in str(error.value) and "float32[2, 4, 5, 5]" in str(error.value)


def test_branch_on_values_names_the_line() -> None:
    with pytest.raises(SpaceError, match="cannot be traced") as error:
        trace(Branching(inside=False), (torch.ones(2, 4),))
    assert "networks.py:" in str(error.value) and "x.sum()" in str(error.value)


def test_branch_in_a_submodule_becomes_an_island() -> None:
    traced = trace(Branching(inside=True), (torch.ones(2, 4),))
    assert list(traced.islands) == ["inner"]
    assert ops(traced).count("island") == 1
    assert "inner (Inner) could not be traced" in traced.notes[0]


class OnlyTraining(nn.Module):
    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Any:
            if self.training and float(x.sum()) > 1:
                return x
            return self.linear(x)

    def __init__(self) -> None:
        super().__init__()
        self.noise, self.last = self.Noise(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Any:
        return self.last(self.noise(x))


def test_what_training_cannot_trace_is_opaque_in_both_modes() -> None:
    traced = trace(OnlyTraining(), (torch.ones(2, 4),))
    assert ops(traced).count("island") == ops(traced, training=True).count("island") == 1
    assert len(tree_flatten(traced.notes)[0]) == 1


def test_a_fixed_batch_is_told() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.offset = nn.Linear(3, 2), nn.Parameter(torch.ones(4, 2))

        def forward(self, x: Tensor) -> Any:
            return self.linear(x) + self.offset

    traced = trace(Fixed(), (torch.ones(4, 3),))
    assert [note.partition(";")[0] for note in traced.notes] == [
        "x: tracing found its size 4 fixed in evaluation",
        "x: tracing found its size 4 fixed in training",
    ]


def test_an_input_by_the_name_of_a_builtin() -> None:
    """`nn.Sequential` calls its input `input`, which a graph does not allow."""
    traced = trace(nn.Sequential(nn.Linear(3, 2)), (torch.ones(2, 3),))
    names = {n.name for n in traced.evaluation.graph.nodes if n.op == "placeholder"}
    assert {*traced.evaluation.inputs, *traced.evaluation.state} == names


def test_a_model_on_meta() -> None:
    with torch.device("meta"):
        model = Residual(64)
        x = torch.empty(2, 3, 8, 8)
    traced = trace(model, (x,))
    assert traced.tensors["stem.weight"].is_meta
