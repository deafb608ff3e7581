from __future__ import annotations

import pickle
from functools import partial

import pytest
import torch
from torch import nn

from gnas.architecture import Architecture, Node
from gnas.build import build_network, infer_types
from gnas.errors import InvalidShapeError, SpaceError
from gnas.ops import Layer, Params, SimpleOp, TensorType, features, same_type, with_features


def widen(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    return with_features(inputs[0], int(str(params["width"])))


def linear(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    return Layer(nn.Linear, {"in_features": features(inputs[0]), "out_features": params["width"]})


class Sum(nn.Module):
    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return torch.stack(values).sum(0)


class Scale(nn.Module):
    def forward(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return x * factor


def fixed(factory: type[nn.Module], inputs: tuple[TensorType, ...], params: Params) -> Layer:
    return Layer(factory)


OPS = {
    "linear": SimpleOp("linear", widen, linear, {"width": 4}),
    "sum": SimpleOp("sum", same_type, partial(fixed, Sum), arity=(2, None)),
    "scale": SimpleOp("scale", same_type, partial(fixed, Scale), context=("factor",)),
}
INPUTS = {
    "x": TensorType("row", ("row", 3)),
    "factor": TensorType("row", ("row", 1)),
    "unused": TensorType("row", (2,)),
}
INPUT = Node("input", (("name", "x"),), name="x")


def chain() -> Architecture:
    nodes = (
        INPUT,
        Node("linear", (("width", 5),), (0,), "cell.0.class"),
        Node("linear", (("width", 5),), (0,), "cell.0.class"),
        Node("sum", (), (1, 2), "forward"),
        Node("scale", (), (3,), "2nd"),
    )
    return Architecture(nodes, (4,))


def test_the_network_computes_what_the_graph_says() -> None:
    network = build_network(chain(), OPS, INPUTS, TensorType("row", ("row", 5)))
    x, factor = torch.randn(7, 3), torch.randn(7, 1)
    first, second = (network.get_submodule(layer.name) for layer in network.layers[:2])
    torch.testing.assert_close(network(x, factor, torch.zeros(2)), (first(x) + second(x)) * factor)
    torch.testing.assert_close(
        network.call({"factor": factor, "x": x, "unused": torch.zeros(2), "more": x}),
        network(x, factor, torch.zeros(2)),
    )


def test_names_are_free_identifiers_and_prefixes_of_the_state() -> None:
    network = build_network(chain(), OPS, INPUTS, TensorType("row", ("row", 5)))
    names = [layer.name for layer in network.layers]
    assert names == ["cell_0_class", "cell_0_class_2", "forward_2", "n_2nd"]
    assert [layer.inputs + layer.context for layer in network.layers] == [
        ("x",),
        ("x",),
        ("cell_0_class", "cell_0_class_2"),
        ("forward_2", "factor"),
    ]
    assert {key.split(".")[0] for key in network.state_dict()} == {"cell_0_class", "cell_0_class_2"}


def test_values_are_freed_after_their_last_use() -> None:
    network = build_network(chain(), OPS, INPUTS, TensorType("row", ("row", 5)))
    assert [dead for _, _, dead in network.steps] == [(), (), ("cell_0_class", "cell_0_class_2"), ("forward_2",)]


def test_the_same_seed_gives_the_same_network() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_network(chain(), OPS, INPUTS, TensorType("row", ("row", 5))).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_an_input_returned_as_it_is() -> None:
    network = build_network(Architecture((INPUT,), (0,)), OPS, INPUTS, INPUTS["x"])
    x = torch.randn(2, 3)
    assert network(x, x, x) is x


def test_types_that_do_not_fit_name_the_node() -> None:
    bad = Architecture((INPUT, Node("linear", (("width", 5),), (0,)), Node("sum", (), (0, 1), "cell.add")), (2,))
    with pytest.raises(
        InvalidShapeError, match=r"cell\.add \(sum\): received row\['row', 3\], row\['row', 5\], expected"
    ):
        infer_types(bad, OPS, INPUTS)


def test_a_wrong_output_type_is_refused_when_built() -> None:
    with pytest.raises(InvalidShapeError, match=r"output 2nd: received row\['row', 5\], expected row\['row', 1\]"):
        build_network(chain(), OPS, INPUTS, TensorType("row", ("row", 1)))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            Node("liner", (), (0,), "a"),
            "a: unknown op; got 'liner'; accepted: linear, scale, sum; did you mean 'linear'",
        ),
        (Node("input", (("name", "factr"),)), "unknown model input.*'factr'.*did you mean 'factor'"),
    ],
)
def test_unknown_names_are_answered_with_a_suggestion(node: Node, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        infer_types(Architecture((INPUT, node), (1,)), OPS, INPUTS)


def test_a_context_the_task_lacks_is_refused() -> None:
    with pytest.raises(SpaceError, match="reads model inputs that this task does not have; got 'factor'"):
        infer_types(Architecture((INPUT, Node("scale", (), (0,))), (1,)), OPS, {"x": INPUTS["x"]})


def test_two_outputs_are_refused() -> None:
    with pytest.raises(SpaceError, match="one output"):
        build_network(Architecture((INPUT,), (0, 0)), OPS, INPUTS, INPUTS["x"])


def test_a_wrong_number_of_inputs_is_refused() -> None:
    network = build_network(Architecture((INPUT,), (0,)), OPS, INPUTS, INPUTS["x"])
    with pytest.raises(InvalidShapeError, match="1 inputs, expected 3"):
        network(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"widht": 3}, "parameter 'widht' .did you mean 'width'"),
        ({"width": -1}, "width=-1, expected a whole number"),
        ({"width": 2.5}, "width=2.5, expected a whole number"),
        ({"width": True}, "width=True, expected a whole number"),
    ],
)
def test_a_simple_op_checks_its_parameters(params: Params, message: str) -> None:
    with pytest.raises(InvalidShapeError, match=message):
        OPS["linear"].infer((INPUTS["x"],), params)


def test_a_simple_op_checks_the_number_of_its_inputs() -> None:
    with pytest.raises(InvalidShapeError, match="received 1 inputs, expected 2 to any number"):
        OPS["sum"].infer((INPUTS["x"],), {})


def test_ops_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(OPS["linear"])).infer((INPUTS["x"],), {}).shape == ("row", 4)
