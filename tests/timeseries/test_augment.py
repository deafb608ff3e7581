from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_timeseries.augment import augmented
from gnas_timeseries.options import Augment
from torch import Tensor

from tests.timeseries.samples import task_of, waves

N, CHANNELS, STEPS = 40, 3, 20


def series() -> Tensor:
    return torch.randn(N, CHANNELS, STEPS, generator=torch.Generator().manual_seed(9))


def changed(
    x: Tensor, seed: int = 0, *, mask: bool = False, present: Tensor | None = None, **options: float
) -> tuple[Tensor, Tensor, Tensor]:
    targets = torch.eye(4).repeat(N // 4, 1)
    known = torch.ones_like(targets, dtype=torch.bool) if present is None else present
    return augmented(x, targets, known, Augment(**options), torch.Generator().manual_seed(seed), mask)


def test_nothing_asked_nothing_done() -> None:
    x = series()
    found, targets, present = changed(x)
    assert found is x and torch.equal(targets, torch.eye(4).repeat(N // 4, 1)) and bool(present.all())


def test_noise_has_the_spread_asked_for() -> None:
    added = changed(series(), noise=0.5)[0] - series()
    assert float(added.std()) == pytest.approx(0.5, rel=0.05) and abs(float(added.mean())) < 0.05


def test_each_channel_has_one_factor() -> None:
    factors = changed(series(), scale=0.3)[0] / series()
    assert float((factors - factors[..., :1]).abs().max()) < 1e-3
    assert float(factors[..., 0].std()) == pytest.approx(0.3, rel=0.25)


def test_a_cut_is_one_stretch_in_all_channels() -> None:
    kept = changed(torch.ones(N, CHANNELS, STEPS), cut=0.5)[0]
    assert torch.equal(kept[:, 0], kept[:, 2])
    for row in kept[:, 0]:
        gone = (row == 0).nonzero().flatten()
        assert len(gone) <= STEPS // 2 + 1
        assert len(gone) == 0 or int(gone[-1] - gone[0]) == len(gone) - 1
    assert 0 < float((kept == 0).float().mean()) < 0.5


def test_a_shift_moves_all_channels_and_repeats_the_edge() -> None:
    ramp = torch.arange(STEPS).float().expand(N, CHANNELS, STEPS)
    found = changed(ramp, shift=0.25)[0]
    offsets = set()
    for row in found:
        (offset,) = {
            k for k in range(-5, 6) if torch.equal(row[0], (torch.arange(STEPS) + k).clamp(0, STEPS - 1).float())
        }
        assert torch.equal(row[0], row[2])
        offsets.add(offset)
    assert min(offsets) < -2 and max(offsets) > 2


def test_mixed_series_have_mixed_targets() -> None:
    x = torch.eye(4).repeat(N // 4, 1)[:, :, None].expand(-1, -1, STEPS)
    known = torch.ones(N, 4, dtype=torch.bool)
    known[0, 1] = False
    found, targets, present = changed(x, present=known, mix=1.0)
    torch.testing.assert_close(found[..., 0], targets)
    torch.testing.assert_close(targets.sum(1), torch.ones(N))
    assert float(targets.max(1).values.min()) >= 0.5 and int(((targets > 0) & (targets < 1)).sum()) > 0
    assert 1 <= int((~present).sum()) <= 2 and not present[0, 1]


def test_the_channel_that_tells_what_is_there_is_only_shifted() -> None:
    x = torch.cat([series(), (torch.arange(STEPS) < 15).float().expand(N, 1, STEPS)], 1)
    still = changed(x, mask=True, noise=1.0, scale=0.5, cut=0.5)[0]
    assert torch.equal(still[:, -1], x[:, -1]) and not torch.equal(still[:, 0], x[:, 0])
    assert set(changed(x, mask=True, shift=0.3)[0][:, -1].flatten().tolist()) == {0.0, 1.0}


def test_a_seed_repeats_and_training_alone_is_changed(tmp_path: Path) -> None:
    task = task_of(tmp_path, *waves(), augment={"noise": 0.2, "mix": 0.3})
    plain = task_of(tmp_path, *waves())

    def inputs(of: object, part: str, seed: int | None) -> np.ndarray:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        batches = of.batches(part, 8, generator=generator)  # type: ignore[attr-defined]
        return torch.cat([batch.inputs["series"] for batch in batches]).numpy()

    assert np.array_equal(inputs(task, "train", 1), inputs(task, "train", 1))
    assert not np.array_equal(inputs(task, "train", 1), inputs(plain, "train", 1))
    assert np.array_equal(inputs(task, "train", None), inputs(plain, "train", None))
    assert np.array_equal(inputs(task, "validation", 1), inputs(plain, "validation", 1))
    turned = task.merged()
    assert turned.augment == task.augment
