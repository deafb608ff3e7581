from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gnas.evaluate.train import deterministic
from gnas.fills import LateFills


def test_the_last_fill_counts_and_is_drawn_at_the_end() -> None:
    fills = LateFills(0)
    with fills:
        tensor = torch.zeros(1000)
        tensor.uniform_(5, 6)
        nn.init.uniform_(tensor, -2, -1)
    assert not tensor.any()
    fills.draw()
    assert -2 <= tensor.min() < -1.9 and -1.1 < tensor.max() <= -1
    assert fills.early == 0


def test_what_is_read_is_there() -> None:
    fills = LateFills(0)
    with fills:
        tensor = torch.zeros(1000).uniform_(1, 2)
        doubled, view = tensor * 2, torch.zeros(4, 5).normal_(7, 0.1)[1:]
        overwritten = torch.empty(3).uniform_(1, 2)
        overwritten.zero_()
        values = torch.zeros(3).uniform_(1, 2).tolist()
    fills.draw()
    assert torch.equal(doubled, tensor * 2) and tensor.min() >= 1
    assert (view - 7).abs().max() < 1
    assert not overwritten.any()
    assert all(1 <= value <= 2 for value in values)
    assert fills.early == 4


@pytest.mark.parametrize("shape", [(7,), (300, 400), (3, 2, 50_000)])
def test_uniform_numbers_are_uniform(shape: tuple[int, ...]) -> None:
    values = drawn(lambda: torch.zeros(shape).uniform_(-3, 5)).flatten()
    assert values.min() >= -3 and values.max() <= 5
    if values.numel() > 1000:
        error = 8 / math.sqrt(12 * values.numel())
        assert abs(float(values.mean()) - 1) < 4 * error
        assert float(values.std()) == pytest.approx(8 / math.sqrt(12), rel=0.01)
        counts = torch.histc(values, 64, -3, 5)
        expected = values.numel() / 64
        assert float(((counts - expected) ** 2 / expected).sum()) < 63 + 4 * math.sqrt(126)


def test_normal_numbers_are_normal() -> None:
    for make in (lambda: 2 + 3 * torch.randn(500, 400), lambda: nn.init.normal_(torch.empty(500, 400), 2, 3)):
        standard = (drawn(make).flatten().double() - 2) / 3
        assert abs(float(standard.mean())) < 4 / math.sqrt(standard.numel())
        assert float(standard.std()) == pytest.approx(1, abs=0.01)
        assert float((standard**4).mean()) == pytest.approx(3, abs=0.1)
        inside = (standard.abs() < 1).double().mean()
        assert float(inside) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.005)


def test_neighbours_blocks_and_networks_are_not_correlated() -> None:
    one, other = (drawn(lambda: torch.zeros(2**18).uniform_(-1, 1), seed).double() for seed in (1, 2))
    bound = 5 / math.sqrt(2**16)
    for left, right in [(one[:-1], one[1:]), (one[: 2**16], one[2**16 : 2**17]), (one, other), (one**2, other**2)]:
        assert abs(float(torch.corrcoef(torch.stack([left, right]))[0, 1])) < bound


def test_constructors_initialise_as_torch_does() -> None:
    for build in (lambda: nn.Linear(50, 400), lambda: nn.Conv2d(5, 80, 3), lambda: nn.Embedding(300, 40)):
        fills = LateFills(1)
        with fills:
            late = build()
        fills.draw()
        with deterministic(0):
            usual = build()
        for ours, theirs in zip(late.state_dict().values(), usual.state_dict().values(), strict=True):
            assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.15)
            if not isinstance(late, nn.Embedding):
                assert float(ours.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.1)


def test_torch_answers_what_cannot_wait() -> None:
    with LateFills(0):
        double = torch.zeros(100, dtype=torch.float64).uniform_(1, 2)
        part = torch.zeros(100)
        part[:50].uniform_(1, 2)
        own = torch.zeros(100).uniform_(1, 2, generator=torch.Generator().manual_seed(1))
        with pytest.raises(RuntimeError, match="leaf"):
            nn.Parameter(torch.zeros(3)).uniform_(0, 1)
        with pytest.raises(RuntimeError, match="from"):
            torch.zeros(3).uniform_(2, 1)
    assert double.min() >= 1 and own.min() >= 1
    assert part[:50].min() >= 1 and not part[50:].any()


def test_a_seed_gives_the_same_numbers() -> None:
    first, again, other = (drawn(lambda: torch.zeros(100).uniform_(), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def drawn(make: object, seed: int = 0) -> Tensor:
    assert callable(make)
    fills = LateFills(seed)
    with fills:
        tensor: Tensor = make()
    fills.draw()
    return tensor
