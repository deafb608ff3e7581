"""What layers compute, against plain formulas."""

from __future__ import annotations

import pytest
import torch
from gnas_timeseries.layers_conv import Convolution, FixedFilters, Inception, SqueezeExcite
from gnas_timeseries.layers_sequence import AttentionPool, GlobalPool, PatchEmbedding, PiecesPool, StridedPool
from gnas_timeseries.ops import series_ops

from gnas.errors import InvalidShapeError
from gnas.ops import TensorType

SERIES = TensorType("series", ("example", 6, 20))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("kernel", [1, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_convolutions_divide_their_steps_by_the_stride(kernel: int, stride: int, causal: bool) -> None:
    layer = Convolution(2, 3, kernel, stride, 2, causal)
    assert layer(torch.randn(1, 2, 20)).shape == (1, 3, -(-20 // stride))


def test_a_causal_convolution_reads_this_step_and_those_before() -> None:
    layer = Convolution(1, 1, 3, 1, 2, True)
    weight = layer.convolution.weight.detach()[0, 0]
    x = torch.randn(1, 1, 9)
    expected = weight[0] * x[0, 0, 4] + weight[1] * x[0, 0, 6] + weight[2] * x[0, 0, 8]
    torch.testing.assert_close(layer(x)[0, 0, 8].detach(), expected)


def test_fixed_filters_answer_to_what_they_are_for() -> None:
    layer = FixedFilters(1, 24)
    assert not layer.kernel.requires_grad
    assert len(layer.kernel) == 2 * 4 + 3
    assert dict(layer.named_parameters()).keys() == {"norm.weight", "norm.bias"}
    # The last one is for peaks: highest on one, and blind to a constant.
    peak = layer.kernel[-1, 0]
    assert float(peak.sum()) == pytest.approx(0, abs=1e-5)
    bump = torch.exp(-((torch.arange(61) - 30.0) ** 2) / 30)
    found = torch.nn.functional.conv1d(bump[None, None], peak[None, None], padding=len(peak) // 2)[0, 0]
    assert abs(int(found.argmax()) - 30) <= 1


def test_inception_has_kernels_of_three_lengths_and_a_pool() -> None:
    layer = Inception(6, 16, 41, 8, "ReLU")
    assert [branch.get_parameter("convolution.weight").shape[2] for branch in layer.branches] == [41, 21, 11]
    assert layer(torch.randn(2, 6, 20)).shape == (2, 16, 20)


def test_pools() -> None:
    x = torch.randn(2, 3, 7)
    torch.testing.assert_close(GlobalPool(["mean", "max", "last"])(x), torch.cat([x.mean(2), x.amax(2), x[:, :, 6]], 1))
    pieces = [x[:, :, :2].mean(2), x[:, :, 2:4].mean(2), x[:, :, 4:].mean(2)]
    torch.testing.assert_close(PiecesPool(3)(x), torch.cat(pieces, 1))
    torch.testing.assert_close(StridedPool("mean", 4)(x), torch.stack([x[:, :, :4].mean(2), x[:, :, 4:].mean(2)], 2))
    pool = AttentionPool(3)
    torch.nn.init.zeros_(pool.score.weight)
    torch.testing.assert_close(pool(x), x.mean(2))


def test_squeezing_weighs_channels() -> None:
    x = torch.randn(2, 6, 5)
    ratio = SqueezeExcite(6, 2)(x) / x
    torch.testing.assert_close(ratio, ratio[:, :, :1].expand_as(ratio))


def test_patches_fill_the_last_one_up() -> None:
    layer = PatchEmbedding(2, 4, 8, 3)
    x = torch.randn(1, 2, 20)
    torch.testing.assert_close(layer(x), layer(torch.nn.functional.pad(x, (0, 4))))


@pytest.mark.parametrize(
    ("op", "params", "message"),
    [
        ("conv", {"width": 0}, "width=0"),
        ("conv", {"kernel": 4}, "kernel=4"),
        ("inception", {"width": 30}, "a multiple of 4"),
        ("attention", {"heads": 4}, "a divisor of the 6 channels"),
        ("gru", {"width": 5, "bidirectional": True}, "a multiple of 2"),
        ("pool", {"size": 0}, "size=0"),
        ("fixed_filters", {"longest": 4}, "6 or more"),
        ("head", {}, "after a global_pool"),
    ],
)
def test_ops_refuse_what_they_cannot_do(op: str, params: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidShapeError, match=message):
        series_ops(2)[op].infer((SERIES,), params)


def test_series_ops_refuse_features() -> None:
    with pytest.raises(InvalidShapeError, match="a series"):
        series_ops(2)["conv"].infer((TensorType("features", ("example", 6)),), {})
