"""A budget of latency, measured in ONNX Runtime beside the whole model's, in turns on one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from gnas.autospace.costs import MACS, N_OPS
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.gated import GatedNetwork
from gnas.autospace.job import Choice
from gnas.autospace.structure import Structure
from gnas.autospace.walk import Cost, Importance, Rows, walk, whole
from gnas.errors import SpaceError
from gnas.hardware.latency import OnnxLatencyMeter, onnx_call
from gnas.hardware.onnx import fast_onnx
from gnas.hardware.pairing import Schedule, paired_ratios, thread_clock

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments by position and by name."""
SCHEDULE = Schedule(rounds=61, seconds=1.5)
CLOSE = 0.01
"""A measured latency that misses its target by no more than this share is taken."""
_HALVINGS = 9


@dataclass(slots=True)
class Stopwatch:
    """Ratios of sub-networks' latencies to the whole model's on one example.

    Attributes:
        space: The model's.
        example: Arguments by position and by name.
        schedule: How long to measure.
    """

    space: AutoSpace
    example: Call
    schedule: Schedule = SCHEDULE
    _reference: Callable[[], object] | None = None
    _known: dict[bytes, float] = field(default_factory=dict)

    def ratio(self, structure: Structure, rows: Rows) -> float:
        """The median of paired ratios."""
        key = b"".join(a.tobytes() for a in (rows.units, rows.bypasses, rows.widths))
        if key not in self._known:
            if self._reference is None:
                self._reference = self._call(structure, whole(self.space))
            candidate = self._call(structure, rows)
            self._known[key] = float(
                np.median(paired_ratios(candidate, self._reference, thread_clock(), self.schedule))
            )
        return self._known[key]

    def milliseconds(self) -> float:
        """Of the whole model."""
        network, example = self._exportable(self.space.structure, whole(self.space))
        return OnnxLatencyMeter().measure(network, example, {}).median

    def _call(self, structure: Structure, rows: Rows) -> Callable[[], object]:
        network, example = self._exportable(structure, rows)
        return onnx_call(fast_onnx(network, example, {}), example)

    def _exportable(self, structure: Structure, rows: Rows) -> tuple[nn.Module, dict[str, Tensor]]:
        network = structure.network(structure.removal(rows.units[0], rows.bypasses[0], rows.widths[0]))
        flat, spec = tree_flatten(self.example)
        tensors = {f"input_{k}": value for k, value in enumerate(flat) if isinstance(value, Tensor)}
        return _Positional(network, flat, spec).eval(), tensors


class _Positional(nn.Module):
    """A network that takes the tensors of its example by position."""

    def __init__(self, network: nn.Module, flat: list[Any], spec: TreeSpec) -> None:
        super().__init__()
        self.network = network
        self._fixed, self._spec = [None if isinstance(value, Tensor) else value for value in flat], spec
        self._is_tensor = [isinstance(value, Tensor) for value in flat]

    def forward(self, *tensors: Tensor) -> Any:
        given = iter(tensors)
        flat = [next(given) if t else v for t, v in zip(self._is_tensor, self._fixed, strict=True)]
        args, kwargs = tree_unflatten(flat, self._spec)
        return self.network(*args, **kwargs)


@dataclass(slots=True)
class LatencyBudget:
    """A limit on measured latency.

    The walk saves a modelled latency, a sum over ops of a part that every op costs and a part for its
    multiply-accumulates, both told by two measurements: of the whole model and of one with the least widths. Where on
    the walk the limit lies is measured, by bisection.

    Attributes:
        limit: A share of the whole model's latency, or milliseconds.
        absolute: Whether it is milliseconds.
        example: What one forward is timed on.
    """

    limit: float
    absolute: bool
    example: Call
    _watch: Stopwatch | None = None
    _share: float = 0.0
    _cost: Cost = field(default_factory=dict)
    _modelled: float = 0.0

    def within(
        self, space: AutoSpace, gated: GatedNetwork, choice: Choice, importance: Importance, share: float, least: float
    ) -> Rows:
        """See `Budget`; on the way there the modelled latency is cut by equal ratios, only the last is measured."""
        traced = replace(choice.structure.traced, tensors=gated.tensors())
        structure = replace(choice.structure, traced=traced)
        if self._watch is None:
            self._begin(space, structure)
            self._modelled = self._found(space, structure, choice.rows, importance, 0.0)[1]
        if share < 1:
            for row, modelled in walk(space, choice.rows, importance, self._cost, least=least):
                if modelled <= self._modelled**share:
                    return row
            return row
        return self._found(space, structure, choice.rows, importance, 0.0)[0]

    def _begin(self, space: AutoSpace, structure: Structure) -> None:
        self._watch = watch = Stopwatch(space, self.example)
        self._share = min(1.0, self.limit / watch.milliseconds()) if self.absolute else self.limit
        full = whole(space)
        thin = Rows(full.units, full.bypasses, np.ones_like(full.widths))
        left = min(watch.ratio(structure, thin), 0.95)
        costs = [space.cost_table.of(r.units, r.bypasses, r.widths) for r in (full, thin)]
        (a, n), (b, _) = ((float(c[MACS][0]), float(c[N_OPS][0])) for c in costs)
        # The whole costs 1: a macs + b ops = 1, and the thin one `left`.
        each = (1.0 - left) / max(a - b, 1.0)
        self._cost = {MACS: each, N_OPS: max(0.0, 1.0 - each * a) / max(n, 1.0)}

    def _found(
        self, space: AutoSpace, structure: Structure, start: Rows, importance: Importance, least: float
    ) -> tuple[Rows, float]:
        """The row of the walk whose measured latency is nearest to the limit, and its modelled latency.

        Raises:
            SpaceError: Even the last row of the walk is slower.
        """
        if self._watch is None:
            raise AssertionError("nothing was measured yet")
        path = list(walk(space, start, importance, self._cost, least=least))
        low, high = 0, len(path) - 1
        tried: dict[int, float] = {}
        guess = next((k for k, (_, modelled) in enumerate(path) if modelled <= self._share), high)
        for k in range(_HALVINGS + 2):
            here = guess if k == 0 else high if k == 1 and high == len(path) - 1 else (low + high) // 2
            tried[here] = self._watch.ratio(structure, path[here][0])
            if abs(tried[here] / self._share - 1) <= CLOSE or high - low <= 1:
                break
            low, high = (here, high) if tried[here] > self._share else (low, here)
        best = min(tried, key=lambda k: abs(tried[k] - self._share))
        if tried[best] > self._share * 1.05 and best == len(path) - 1:
            raise SpaceError(
                "the model cannot be made that fast",
                place="latency",
                value=f"{self._share:.3f} of the model's",
                accepted=f"{tried[best]:.3f} of it or more",
            )
        return path[best]
