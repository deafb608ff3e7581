import pytest
import torch
from gnas_molecular.layers_head import EnsembleHead, SharedLinear
from gnas_molecular.ops import molecular_ops

from gnas.errors import InvalidShapeError
from gnas.ops import TensorType

MOLECULES = TensorType("molecules", ("molecule", 5))


def head(members: int = 3, depth: int = 2) -> EnsembleHead:
    torch.manual_seed(0)
    return EnsembleHead(5, 8, depth, "ReLU", 0.0, 2, False, members)


def test_the_result_is_the_mean_of_the_members() -> None:
    network, x = head(), torch.randn(7, 5)
    each = network.train()(x)
    assert each.shape == (7, 3, 2)
    torch.testing.assert_close(network.eval()(x), each.mean(1))


def test_members_differ_and_learn_on_their_own() -> None:
    network, x = head(), torch.randn(7, 5)
    each = network.train()(x)
    assert float((each[:, 0] - each[:, 1]).detach().abs().max()) > 1e-3
    each[:, 0].sum().backward()
    grads = network.bias.grad
    assert grads is not None
    assert bool((grads[0] != 0).all())
    assert bool((grads[1:] == 0).all())


def test_one_member_of_shared_linear_is_a_scaled_linear_layer() -> None:
    torch.manual_seed(1)
    layer, x = SharedLinear(2, 4, 3, True), torch.randn(6, 1, 4)
    expected = (x[:, 0] * layer.before[1]) @ layer.shared.weight.T * layer.after[1] + layer.bias[1]
    torch.testing.assert_close(layer(x)[:, 1], expected)


def test_several_inputs_stand_side_by_side() -> None:
    network, x = head().eval(), torch.randn(4, 5)
    torch.testing.assert_close(network(x[:, :2], x[:, 2:]), network(x))


def test_several_members_need_a_hidden_layer() -> None:
    op = molecular_ops((1, 2, 3))["head"]
    with pytest.raises(InvalidShapeError, match="hidden layer"):
        op.infer(
            (MOLECULES,), {"width": 8, "depth": 0, "activation": "relu", "dropout": 0.0, "norm": False, "members": 4}
        )
