"""The check that a space can only produce valid networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gnas.errors import InvalidShapeError, SpaceError
from gnas.ops import Layer, Op, Params, TensorType
from gnas.space import YamlSpace
from gnas.space.bind import covering_codes
from tests.space import definitions


@dataclass(frozen=True)
class Linear:
    """Vectors of any width to vectors of `width`."""

    name: str = "linear"
    context: tuple[str, ...] = ()

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        width = params.get("width", inputs[0].shape[-1])
        if not isinstance(width, int) or width < 1:
            raise InvalidShapeError(self.name, width, "a positive width")
        return TensorType("rows", ("row", width))

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        sizes = (inputs[0].shape[-1], params.get("width", inputs[0].shape[-1]))
        return Layer(torch.nn.Linear, {"in_features": sizes[0], "out_features": sizes[1]})


class Add(torch.nn.Module):
    """The sum of its inputs."""

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return torch.stack(values).sum(dim=0)


@dataclass(frozen=True)
class AddOp:
    """A sum of values of one type."""

    name: str = "add"
    context: tuple[str, ...] = ()

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        if len(set(inputs)) != 1:
            raise InvalidShapeError(self.name, [str(t) for t in inputs], "values of one type")
        return inputs[0]

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        return Layer(Add)


OPS: dict[str, Op] = {"linear": Linear(), "add": AddOp()}
INPUTS = {"x": TensorType("rows", ("row", 4))}
OUTPUT = TensorType("rows", ("row", 2))

GOOD = """
inputs: [x]
choices: {width: [4, 8]}
graph:
  - name: layers
    repeat: {times: {choice: [0, 1, 2]}, body: [{name: dense, op: {choice: [linear, identity]}}]}
  - {name: sum, op: add, from: [x, layers]}
  - {name: wide, op: linear, width: $width}
  - {name: head, op: linear, width: 2}
"""


def bind(text: str) -> YamlSpace:
    return YamlSpace("s", text, "s.yaml").bind(OPS, INPUTS, OUTPUT)


def test_a_bound_space_builds_what_it_yields() -> None:
    space = bind(GOOD)
    rng = np.random.default_rng(0)
    for _ in range(20):
        network = space.build(space.sample(rng))
        assert network(torch.ones(3, 4)).shape == (3, 2)


def test_an_unbound_space_does_not_build() -> None:
    space = YamlSpace("s", GOOD, "s.yaml")
    with pytest.raises(SpaceError, match="not bound"):
        space.build(space.sample(np.random.default_rng(0)))
    bound = space.bind(OPS, INPUTS, OUTPUT)
    assert bound is not space and bound.fingerprint == space.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "op: {choice: [linear, identity]}",
            "op: {choice: [linear, liner]}",
            r"s\.yaml:6:49 .*'liner'.*did you mean 'linear'",
        ),
        ("inputs: [x]", "inputs: [y]", r"s\.yaml:2:10 .*no input 'y'"),
        ("from: [x, layers]}", "from: [x, layers, wider]}\n  - {name: z, op: linear}", "named 'wider'"),
        ("width: 2", "width: 3", r"s\.yaml:9:5 .*output of 'head' is rows\['row', 3\].*accepted: rows\['row', 2\]"),
        ("width: 2", "width: {choice: [2, 0]}", r"s\.yaml:9:5 .*types do not fit.*head.width=0"),
        ("name: dense, op", "name: dense, width: $width, op", r"s\.yaml:7:5 .*types do not fit.*layers.times="),
        ("op: add, from", "op: {choice: [add, none]}, from", "no output.*connected: true"),
        ("width: 2}", "width: 2}\noutput: [wide, head]", "returns one value"),
    ],
)
def test_impossible_spaces_are_refused_with_their_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SpaceError, match=message):
        bind(GOOD.replace(old, new).replace("[x, layers]", "[y, layers]" if "[y]" in new else "[x, layers]"))


def test_the_check_covers_every_value_of_every_choice() -> None:
    """Also of a depth so shallow among the assignments that sampling would hardly meet it."""
    deep = definitions.DEPTH.replace("[0, 1, 2, 3]", "[0, 1, 6, 12]").replace(
        "[relu, gelu]", "[relu, gelu, silu, tanh]"
    )
    space = YamlSpace("s", deep, "s.yaml")
    codes = covering_codes(space)
    assert len(codes) < 600
    assert space.contains_codes(codes).all()
    for column, choice in enumerate(space.choices):
        assert set(codes[:, column]) >= set(range(len(choice.values))), choice.name


def test_the_check_covers_pairs() -> None:
    space = YamlSpace("s", definitions.STAGES.replace("[3, 5]", "[3, 5, 7]").replace("[1, 2]", "[1, 2, 3]"), "s.yaml")
    assert space.count() > 512
    codes = covering_codes(space)
    first, last = codes[:, 0], codes[:, -1]
    assert {(a, b) for a in range(3) for b in range(2)} <= set(zip(first.tolist(), last.tolist(), strict=True))
