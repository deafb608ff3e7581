"""Simple features of series: what each channel's values, changes and frequencies are like, and how channels agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LAGS = (1, 2, 4, 8, 16)
_BANDS = 8
_PIECES = 4


def statistics(values: NDArray[np.float32], steps: NDArray[np.int64]) -> NDArray[np.float32]:
    """Features `(series, feature)` of series `(series, channel, step)`; zeros after the end of a shorter one count in.

    Of each channel: mean, spread, extremes, quantiles, skewness, kurtosis, mean absolute change, crossings of the mean,
    slope, mean of each quarter, autocorrelations, and the share of the power in bands of frequency; of each pair of the
    first eight channels their correlation; and the number of steps.
    """
    x = values.astype(np.float64)
    mean, std = x.mean(axis=2), x.std(axis=2)
    z = (x - mean[..., None]) / np.where(std > 0, std, 1.0)[..., None]
    change = np.diff(x, axis=2)
    time = np.linspace(-1.0, 1.0, x.shape[2])
    pieces = [piece.mean(axis=2) for piece in np.array_split(x, min(_PIECES, x.shape[2]), axis=2)]
    blocks = [
        mean,
        std,
        x.min(axis=2),
        x.max(axis=2),
        *np.quantile(x, _QUANTILES, axis=2),
        (z**3).mean(axis=2),
        (z**4).mean(axis=2),
        np.abs(change).mean(axis=2),
        (np.diff(np.signbit(z), axis=2)).mean(axis=2),
        (x * time).mean(axis=2) / (time**2).mean(),
        x[:, :, -1],
        *pieces,
        *(_autocorrelation(z, lag) for lag in _LAGS if lag < x.shape[2]),
        *_powers(z),
    ]
    first = z[:, :8]
    upper = np.triu_indices(first.shape[1], 1)
    correlations = np.einsum("nct,ndt->ncd", first, first)[:, upper[0], upper[1]] / x.shape[2]
    return np.asarray(np.concatenate([*blocks, correlations, steps[:, None]], axis=1), dtype=np.float32)


def _autocorrelation(z: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    return np.asarray((z[:, :, lag:] * z[:, :, :-lag]).mean(axis=2))


def _powers(z: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Share of the power in each of a few bands, narrow where frequencies are low."""
    power = np.abs(np.fft.rfft(z, axis=2)[:, :, 1:]) ** 2
    total = power.sum(axis=2)
    edges = np.unique(np.geomspace(1, power.shape[2] + 1, _BANDS + 1).astype(int)) - 1
    bands = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [power[:, :, first:last].sum(axis=2) / np.where(total > 0, total, 1.0) for first, last in bands]
