from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gnas.hardware.costs import Costs, count_costs

FLOAT = 4


def rows(n: int, width: int) -> dict[str, Tensor]:
    return {"x": torch.randn(n, width)}


def test_linear_layers_are_counted_exactly() -> None:
    network = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    costs = count_costs(network, rows(4, 10))
    # The widest moment is the ReLU: its input and its output are alive.
    assert costs == Costs(n_params=10 * 20 + 20 + 20 * 5 + 5, macs=10 * 20 + 20 * 5, memory_bytes=(20 + 20) * FLOAT)


def test_costs_do_not_depend_on_the_number_of_examples() -> None:
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    assert count_costs(network, rows(2, 6)) == count_costs(network, rows(32, 6))


def test_the_number_of_examples_may_be_given() -> None:
    network = nn.Linear(6, 8)
    assert count_costs(network, rows(12, 6), examples=3).macs == 4 * 6 * 8


def test_convolutions_are_counted() -> None:
    costs = count_costs(nn.Conv2d(3, 8, 3, padding=1, bias=False), {"image": torch.randn(2, 3, 16, 16)})
    assert costs.macs == 3 * 8 * 9 * 16 * 16


def test_fused_attention_and_recurrent_kernels_are_counted() -> None:
    length, width = 6, 8

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    assert count_costs(Attention(), {"x": torch.randn(3, 2, length, width)}).macs == 2 * (2 * length * length * width)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(width, 5, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            states: Tensor = self.lstm(x)[0]
            return states

    assert count_costs(Recurrent(), {"x": torch.randn(3, length, width)}).macs == length * 4 * 5 * (width + 5)


def test_multi_head_attention_is_not_hidden_by_its_fast_path() -> None:
    length, width = 5, 8

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(width, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            attended: Tensor = self.attention(x, x, x)[0]
            return attended

    expected = 4 * length * width * width + 2 * length * length * width
    assert count_costs(Attention(), {"x": torch.randn(3, length, width)}).macs == expected
    assert torch.backends.mha.get_fastpath_enabled()


def test_views_and_inputs_hold_no_memory_and_dead_tensors_give_it_back() -> None:
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(-1).view(x.shape).transpose(0, 1).transpose(0, 1)

    class Chain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(20):
                x = x + 1
            return x

    assert count_costs(Views(), rows(4, 10)).memory_bytes == 0
    assert count_costs(Chain(), rows(4, 10)).memory_bytes == 2 * 10 * FLOAT


def test_what_stays_alive_adds_up() -> None:
    class Dense(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            kept = [x + i for i in range(5)]
            return torch.cat(kept, 1)

    assert count_costs(Dense(), rows(4, 10)).memory_bytes == (5 + 5) * 10 * FLOAT


def test_shared_parameters_count_once() -> None:
    linear = nn.Linear(4, 4)
    assert count_costs(nn.Sequential(linear, linear), rows(2, 4)).n_params == 20


def test_the_network_and_the_random_state_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    network[2].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    example = rows(8, 4)
    state = torch.random.get_rng_state()
    count_costs(network, example)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in network] == [True, True, False, True]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_inputs_go_in_the_order_the_network_declares() -> None:
    class Two(nn.Module):
        input_names = ("wide", "narrow")

        def forward(self, wide: Tensor, narrow: Tensor) -> Tensor:
            assert wide.shape[1] > narrow.shape[1]
            return wide[:, :1] + narrow

    count_costs(Two(), {"narrow": torch.randn(3, 1), "wide": torch.randn(3, 5)})


def test_products_are_counted_as_torch_counts_them_though_not_carried_out() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(7, 11), nn.Linear(11, 5, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y = self.second(self.first(x).relu())
            scores = (y @ y.transpose(1, 2)).softmax(2)
            return torch.einsum("bij,bjk->bik", scores, y).flatten(1)

    network, x = Products(), torch.randn(3, 4, 7)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(x)
    assert count_costs(network, {"x": x}).macs == counter.get_total_flops() / 2 / 3
