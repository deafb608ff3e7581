"""A budget of latency, measured in ONNX Runtime beside the whole model's, in turns on one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from gnas.autospace.walk import Cost, Importance, Rows, regrow, walk, whole
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
_SESSIONS = 2
_CHANNELS_A_BLOCK = 8


@dataclass(slots=True)
class Stopwatch:
    """Ratios of sub-networks' latencies to the whole model's on one example.

    Attributes:
        space: The model's.
        model: The model itself, beside which sub-networks are timed.
        example: Arguments by position and by name.
        schedule: How long to measure.
    """

    space: AutoSpace
    model: nn.Module
    example: Call
    schedule: Schedule = SCHEDULE
    _reference: Callable[[], object] | None = None
    _known: dict[bytes, float] = field(default_factory=dict)

    def ratio(self, structure: Structure, rows: Rows) -> float:
        """The mean over sessions of the median of paired ratios."""
        key = b"".join(a.tobytes() for a in (rows.units, rows.bypasses, rows.widths))
        if key not in self._known:
            if self._reference is None:
                self._reference = self._call(self.model)
            # Where a session lies in memory moves its times by a few per cent, so two are timed.
            found = []
            for _ in range(_SESSIONS):
                candidate = self._call(self._network(structure, rows))
                found.append(np.median(paired_ratios(candidate, self._reference, thread_clock(), self.schedule)))
            self._known[key] = float(np.mean(found))
        return self._known[key]

    def milliseconds(self) -> float:
        """Of the whole model."""
        network, example = self._exportable(self.model)
        return OnnxLatencyMeter().measure(network, example, {}).median

    def _network(self, structure: Structure, rows: Rows) -> nn.Module:
        return structure.network(structure.removal(rows.units[0], rows.bypasses[0], rows.widths[0])).eval()

    def _call(self, module: nn.Module) -> Callable[[], object]:
        network, example = self._exportable(module)
        return onnx_call(fast_onnx(network, example, {}), example)

    def _exportable(self, module: nn.Module) -> tuple[nn.Module, dict[str, Tensor]]:
        flat, spec = tree_flatten(self.example)
        tensors = {f"input_{k}": value for k, value in enumerate(flat) if isinstance(value, Tensor)}
        return _Positional(module, flat, spec).eval(), tensors


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
        model: The model itself.
        example: What one forward is timed on.
    """

    limit: float
    absolute: bool
    model: nn.Module
    example: Call
    _watch: Stopwatch | None = None
    _share: float = 0.0
    _block: int = 1
    _cost: Cost = field(default_factory=dict)

    def within(
        self, space: AutoSpace, gated: GatedNetwork, choice: Choice, importance: Importance, share: float, least: float
    ) -> Rows:
        """See `Budget`; on the way there the modelled latency is cut by equal ratios, only the last is measured."""
        traced = replace(choice.structure.traced, tensors=gated.tensors())
        structure = replace(choice.structure, traced=traced)
        if self._watch is None:
            self._begin(space, structure)
        if share < 1:
            goal = self._share**share
            for row, modelled in walk(
                space, choice.rows, importance, self._cost, least=least, goal=goal, block=self._block
            ):
                if modelled <= goal:
                    return row
            return row
        return self._found(space, structure, choice.rows, importance)

    def _begin(self, space: AutoSpace, structure: Structure) -> None:
        self._watch = watch = Stopwatch(space, self.model, self.example)
        self._share = min(1.0, self.limit / watch.milliseconds()) if self.absolute else self.limit
        full = whole(space)
        # Runtimes that work on blocks of channels are slower where a width is no whole number of them.
        odd = Rows(full.units, full.bypasses, np.maximum(1, full.widths - 1))
        self._block = _CHANNELS_A_BLOCK if watch.ratio(structure, odd) > 1 else 1
        thin = Rows(full.units, full.bypasses, np.minimum(full.widths, self._block))
        left = min(watch.ratio(structure, thin), 0.95)
        costs = [space.cost_table.of(r.units, r.bypasses, r.widths) for r in (full, thin)]
        (a, n), (b, _) = ((float(c[MACS][0]), float(c[N_OPS][0])) for c in costs)
        # The whole costs 1: a macs + b ops = 1, and the thin one `left`.
        each = (1.0 - left) / max(a - b, 1.0)
        self._cost = {MACS: each, N_OPS: max(0.0, 1.0 - each * a) / max(n, 1.0)}

    def _found(self, space: AutoSpace, structure: Structure, start: Rows, importance: Importance) -> Rows:
        """The row of the walk whose measured latency is nearest to the limit.

        Raises:
            SpaceError: Even the last row of the walk is slower.
        """
        if self._watch is None:
            raise AssertionError("nothing was measured yet")
        path = [row for row, _ in walk(space, start, importance, self._cost, goal=self._share, block=self._block)]
        guess = next((k for k, row in enumerate(path) if self.modelled(space, row) <= self._share), len(path) - 1)
        row, place = self._nearest(structure, path, guess)
        found = self._watch.ratio(structure, row)
        if found < self._share * (1 - CLOSE):
            grown = [row for row, _ in regrow(space, start, row, importance, self._cost, block=self._block)][::-1]
            row, _ = self._nearest(structure, grown, len(grown) - 1)
            found = self._watch.ratio(structure, row)
        if found > self._share * 1.05 and place == len(path) - 1:
            raise SpaceError(
                "the model cannot be made that fast",
                place="latency",
                value=f"{self._share:.3f} of the model's",
                accepted=f"{found:.3f} of it or more",
            )
        return row

    def modelled(self, space: AutoSpace, row: Rows) -> float:
        """The modelled latency of one row, as a share of the model's."""
        found = space.cost_table.of(row.units, row.bypasses, row.widths)
        return float(sum(weight * found[name][0] for name, weight in self._cost.items()))

    def _nearest(self, structure: Structure, path: Sequence[Rows], guess: int) -> tuple[Rows, int]:
        """The row of an ever faster path whose measured latency is nearest to the limit, and its place.

        Where none of those measured is near, it is the slowest one of those within the limit.
        """
        if self._watch is None:
            raise AssertionError("nothing was measured yet")
        low, high, here = -1, len(path), guess
        tried: dict[int, float] = {}
        for _ in range(_HALVINGS):
            tried[here] = self._watch.ratio(structure, path[here])
            if abs(tried[here] / self._share - 1) <= CLOSE:
                return path[here], here
            low, high = (here, high) if tried[here] > self._share else (low, here)
            if high - low <= 1:
                break
            here = (low + high) // 2 if high < len(path) else min((here + len(path)) // 2, len(path) - 1)
        fast = [k for k in tried if tried[k] <= self._share]
        best = max(fast, key=lambda k: tried[k]) if fast else min(tried, key=lambda k: tried[k])
        return path[best], best
