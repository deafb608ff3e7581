import pytest
import torch
from gnas_molecular.layers_head import EnsembleHead, PackedHead, SharedLinear


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


def packed(part: float = 0.5, channels: int = 5) -> PackedHead:
    torch.manual_seed(0)
    return PackedHead(channels, 8, 2, "ReLU", 0.0, 2, False, 3, part)


def test_the_result_of_a_packed_head_is_the_mean_of_the_members() -> None:
    network, x = packed(), torch.randn(7, 5)
    each = network.train()(x)
    assert each.shape == (7, 3, 2)
    torch.testing.assert_close(network.eval()(x), each.mean(1))
    torch.testing.assert_close(network(x[:, :2], x[:, 2:]), network(x))


@pytest.mark.parametrize(("part", "read"), [(0.5, 5), (0.05, 1), (1.0, 10)])
def test_a_member_reads_its_part_of_the_inputs_only(part: float, read: int) -> None:
    network = packed(part, 10).train()
    x = torch.randn(4, 10, requires_grad=True)
    seen = []
    for member in range(3):
        (grad,) = torch.autograd.grad(network(x)[:, member].sum(), x)
        seen.append(tuple((grad != 0).any(0).tolist()))
    assert [sum(columns) for columns in seen] == [read] * 3
    assert len(set(seen)) > 1 or part == 1.0


def test_members_of_a_packed_head_share_no_weights() -> None:
    network = packed().train()
    network(torch.randn(7, 5))[:, 0].sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert bool((parameter.grad[0] != 0).any()), name
        assert bool((parameter.grad[1:] == 0).all()), name


def test_what_a_member_reads_is_kept_with_the_weights() -> None:
    network, other = packed().eval(), packed().eval()
    other.mask.zero_()
    other.load_state_dict(network.state_dict())
    x = torch.randn(3, 5)
    torch.testing.assert_close(other(x), network(x))


def test_members_project_the_last_input_each_for_itself() -> None:
    torch.manual_seed(0)
    network = PackedHead(5, 8, 1, "ReLU", 0.0, 2, True, 3, 0.4, projected=40, projection=6).train()
    plain, sparse = torch.randn(4, 5), torch.randn(4, 40, requires_grad=True)
    assert network(plain, sparse).shape == (4, 3, 2)
    assert network.matrix.shape == (40, 18) and not network.matrix.requires_grad
    rank = []
    for members in ((0,), (0, 1, 2)):
        rows = torch.cat([network.matrix[:, 6 * member : 6 * member + 6] for member in members], 1)
        rank.append(int(torch.linalg.matrix_rank(rows)))
    assert rank == [6, 18]
    (grad,) = torch.autograd.grad(network(plain, sparse)[0, 1].sum(), sparse)
    inside = torch.linalg.lstsq(network.matrix[:, 6:12], grad[0].unsqueeze(1)).solution
    torch.testing.assert_close(network.matrix[:, 6:12] @ inside, grad[0].unsqueeze(1))
    assert float(grad[0].abs().max()) > 0 and not bool(grad[1:].any())
    each = network(plain[:, :2], plain[:, 2:], sparse)
    torch.testing.assert_close(network.eval()(plain, sparse), each.mean(1))
