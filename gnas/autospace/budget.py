"""How small a model shall become: a number of parameters or of multiply-accumulates, or a measured latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from gnas.autospace.costs import MACS, N_PARAMS
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.gated import GatedNetwork
from gnas.autospace.job import Budget, Choice
from gnas.autospace.walk import Importance, Rows, reach
from gnas.errors import SpaceError
from gnas.space.marks import suggestion

BUDGETS = (N_PARAMS, MACS, "latency", "latency_ms")


@dataclass(frozen=True, slots=True)
class CountedBudget:
    """A limit on what is counted.

    Attributes:
        cost: `n_params` or `macs`.
        limit: A share of the model's where it is below 1, else a number.
        block: Widths stay multiples of it as long as there is another way.
    """

    cost: str
    limit: float
    block: int = 1

    def within(
        self, space: AutoSpace, gated: GatedNetwork, choice: Choice, importance: Importance, share: float, least: float
    ) -> Rows:
        """See `Budget`; the way is one of ratios: half of it leaves the root of the share."""
        del gated
        full = space.costs({})[self.cost]
        limit = full * (self.number(space) / full) ** share
        return reach(space, choice.rows, importance, {self.cost: 1.0}, limit, least, self.block)

    def number(self, space: AutoSpace) -> float:
        """The limit as a number."""
        full = space.costs({})[self.cost]
        return full * self.limit if self.limit < 1 else min(full, self.limit)

    def kept(self, space: AutoSpace, rows: Rows) -> bool:
        """Whether a row is within the limit."""
        found = space.cost_table.of(rows.units, rows.bypasses, rows.widths)
        return bool(found[self.cost][0] <= self.number(space))


def budget_of(
    reduce: Mapping[str, float], model: nn.Module, timed: tuple[tuple[Any, ...], dict[str, Any]], block: int = 1
) -> Budget:
    """The budget that a user asked for; latency is measured beside `model`'s on the arguments `timed`.

    Raises:
        SpaceError: Not one of the known budgets, or a limit that none can keep.
    """
    if len(reduce) != 1 or next(iter(reduce)) not in BUDGETS:
        raise SpaceError(
            "one budget is needed",
            place="reduce",
            value=dict(reduce),
            accepted=", ".join(BUDGETS),
            remedy=suggestion(next(iter(reduce), ""), list(BUDGETS)) or None,
        )
    ((cost, limit),) = reduce.items()
    if not limit > 0 or (cost == "latency" and limit >= 1):
        raise SpaceError(
            "not a limit", place=f"reduce.{cost}", value=limit, accepted="more than 0, and a share below 1 for latency"
        )
    if cost in (N_PARAMS, MACS):
        return CountedBudget(cost, limit, block)
    from gnas.autospace.latency import LatencyBudget

    return LatencyBudget(limit, absolute=cost == "latency_ms", model=model, example=timed)
