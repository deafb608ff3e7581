"""How far the outputs of a trained model move when a part of it is closed: what a part costs to lose, measured.

Derivatives of the gates tell which of many alike channels matter least. They say little of closing a whole branch, a
step too large for them. So branches, bypasses and a few widths are closed for a moment, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from gnas.autospace.cut import Mask, Removal
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.gated import Column, GatedNetwork
from gnas.autospace.structure import Structure
from gnas.autospace.walk import Importance, Rows

_PARTS = (0.75, 0.5)
"""Widths are tried at these parts of what they are."""


class Distortion:
    """Mean squared change of a model's outputs on some batches, relative to their variance over examples.

    Normalisation takes the statistics of each batch, as in training, so that what is measured is not that running
    means have become wrong; dropout draws the same numbers each time.

    Args:
        gated: The model.
        now: What is closed already.
        batches: Arguments by position and by name.
    """

    def __init__(
        self, gated: GatedNetwork, now: Removal, batches: Sequence[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> None:
        self._gated, self._batches = gated, batches
        self._expected = self._outputs(now)

    def of(self, removal: Removal) -> float:
        """The distortion where this is closed instead."""
        found = 0.0
        for got, expected in zip(self._outputs(removal), self._expected, strict=True):
            spread = float((expected - expected.mean(0)).square().mean())
            found += float((got - expected).square().mean()) / max(spread, 1e-12)
        return found / max(len(self._expected), 1)

    def _outputs(self, removal: Removal) -> list[Tensor]:
        """Flat outputs of all batches with a first dimension and real numbers, `(example, …)` each."""
        buffers = {name: buffer.clone() for name, buffer in self._gated.named_buffers()}
        mode = self._gated.training
        self._gated.train()
        found: list[Tensor] = []
        with torch.random.fork_rng(devices=[]), self._gated.closed(removal):
            for args, kwargs in self._batches:
                torch.manual_seed(0)
                flat = tree_flatten(self._gated(*args, **kwargs))[0]
                found += [
                    v.detach().float() for v in flat if isinstance(v, Tensor) and v.is_floating_point() and v.dim()
                ]
            for name, buffer in self._gated.named_buffers():
                buffer.copy_(buffers[name])
        self._gated.train(mode)
        return found


def measured(
    structure: Structure, rows: Rows, scores: Importance, promising: tuple[Mask, Mask], distortion: Distortion
) -> Importance:
    """Importance in terms of distortion.

    Args:
        structure: The model, channels in order.
        rows: The one row that is there now.
        scores: From gradients: those of channels tell how what a width costs to lose spreads over its channels.
        promising: Which units `(unit,)` and bypasses `(bypass,)` are measured; all others are kept and not taken.
        distortion: Measures.
    """

    def of(units: Column | None = None, bypasses: Column | None = None, widths: Column | None = None) -> float:
        chosen = (
            rows.units[0] if units is None else units,
            rows.bypasses[0] if bypasses is None else bypasses,
            rows.widths[0] if widths is None else widths,
        )
        return distortion.of(structure.removal(*chosen))  # type: ignore[arg-type]

    units = np.full(len(structure.depth.units), np.inf)
    for k in np.flatnonzero(rows.units[0] & promising[0]):
        units[k] = of(units=_changed(rows.units[0], k, False))
    bypasses = np.full(len(structure.depth.bypasses), np.inf)
    for k in np.flatnonzero(~rows.bypasses[0] & promising[1]):
        bypasses[k] = of(bypasses=_changed(rows.bypasses[0], k, True))
    spread = []
    for k, own in enumerate(scores.channels):
        width = int(rows.widths[0, k])
        tries = sorted({max(1, round(width * part)) for part in _PARTS} - {width}, reverse=True)
        values = [of(widths=_changed(rows.widths[0], k, narrow)) for narrow in tries]
        spread.append(_spread(own, width, tries, values))
    return Importance(tuple(spread), units, bypasses)


def promising(space: AutoSpace, rows: Rows, scores: Importance, most: int) -> tuple[Mask, Mask]:
    """Units and bypasses that lose least by their scores for what they save, at most `most` of both together.

    What is saved is the sum of the shares of parameters, multiply-accumulates and ops.
    """
    n_units, n_bypasses = len(space.units), len(space.bypasses)
    tried = rows.repeated(n_units + n_bypasses)
    tried.units[np.arange(n_units), np.arange(n_units)] = False
    tried.bypasses[n_units + np.arange(n_bypasses), np.arange(n_bypasses)] = True
    now, after = (space.cost_table.of(r.units, r.bypasses, r.widths) for r in (rows, tried))
    saved = sum((1.0 - after[name] / max(float(now[name][0]), 1.0) for name in now), np.zeros(len(tried.units)))
    lost = np.concatenate([scores.units, scores.bypasses])
    useful = (saved > 0) & space.liveness.valid(tried.units)
    order = np.argsort(np.where(useful, lost / np.where(useful, saved, 1.0), np.inf), kind="stable")
    chosen = np.zeros(len(saved), dtype=np.bool_)
    chosen[order[:most]] = True
    chosen &= useful
    return chosen[:n_units], chosen[n_units:]


def _changed(row: Any, place: int, value: Any) -> Any:
    changed = row.copy()
    changed[place] = value
    return changed


def _spread(scores: Column, width: int, tries: Sequence[int], values: Sequence[float]) -> Column:
    """Importance of each channel such that those beyond `tries[i]` sum to `values[i]`, in the shape of their scores."""
    found = np.zeros_like(scores)
    end, below, rate = width, 0.0, 0.0
    for start, value in zip(tries, values, strict=True):
        own = scores[start:end] + 1e-12 * max(float(scores.max()), 1e-300)
        # What is measured of more channels is not less than of fewer, but for noise.
        rate = max(value - below, 1e-12) / float(own.sum())
        found[start:end] = rate * own
        end, below = start, max(value, below)
    found[:end] = np.maximum(scores[:end] * rate, found[end] if end < len(found) else 0.0)
    return found
