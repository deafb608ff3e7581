"""Slimmed normalisation equals the whole one on inputs whose removed channels are zero."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gnas.autospace.slim import slim_group_norm, slim_layer_norm, slim_rms_norm, slim_var_mean

KEPT = torch.tensor([0, 2, 3, 6])


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs `(4, 5, 8)` with zeros for removed channels, and factors and offsets."""
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(4, 5, 8)
    x[..., KEPT] = torch.randn(4, 5, 4, generator=generator) + 1
    return x, torch.randn(8, generator=generator), torch.randn(8, generator=generator)


def test_layer_norm() -> None:
    x, weight, bias = inputs()
    got = slim_layer_norm(x[..., KEPT], 1, weight[KEPT], bias[KEPT], 1e-5, 8)
    torch.testing.assert_close(got, F.layer_norm(x, (8,), weight, bias)[..., KEPT])


def test_rms_norm() -> None:
    x, weight, _ = inputs()
    got = slim_rms_norm(x[..., KEPT], 1, weight[KEPT], 1e-6, 8)
    torch.testing.assert_close(got, F.rms_norm(x, (8,), weight, 1e-6)[..., KEPT])


def test_group_norm() -> None:
    x, weight, bias = inputs()
    x = x.transpose(1, 2)
    got = slim_group_norm(x[:, KEPT], 2, weight[KEPT], bias[KEPT], 1e-5, 4)
    # Channels 0, 2, 3 are of the first group and 6 of the second: two of each are what a cut leaves.
    kept = torch.tensor([0, 2, 4, 6])
    y = torch.zeros_like(x)
    y[:, kept] = x[:, KEPT]
    expected = F.group_norm(y, 2, torch.ones(8), torch.zeros(8))[:, kept]
    torch.testing.assert_close(got, expected * weight[KEPT][:, None] + bias[KEPT][:, None])


@pytest.mark.parametrize("axes", [[2], [0, 2]])
@pytest.mark.parametrize("correction", [0.0, 1.0, None])
@pytest.mark.parametrize("keepdim", [True, False])
def test_variance_and_mean(axes: list[int], correction: float | None, keepdim: bool) -> None:
    x, _, _ = inputs()
    expected = torch.std_mean(x, axes, correction=1 if correction is None else correction, keepdim=keepdim)
    got = slim_var_mean(x[..., KEPT], axes, (4, 8), correction, keepdim, True)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(
        slim_var_mean(x[..., KEPT], axes, (4, 8), correction, keepdim, False)[0], expected[0] ** 2
    )
