"""What a model shall be reduced to: `n_params=0.5`, `latency_ms<4`, `macs<1e8`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gnas.checking import suggest
from gnas.errors import SpecError
from gnas.report.text import cost, label

COSTS = ("n_params", "macs", "latency", "latency_ms")
GRAMMAR = (
    "n_params=0.5 or macs=0.5 or latency=0.6 for a share of the model's, n_params<1e6, macs<30M or latency_ms<4 for a "
    "limit"
)
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_SLACK = 0.05
_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|<|=)\s*((?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([kMG]?)\s*")


@dataclass(frozen=True, slots=True)
class Reduction:
    """A budget for one cost.

    Attributes:
        cost: One of `COSTS`.
        limit: A share of the model's cost where `relative`, else a number in the cost's unit.
        relative: Which of the two.
    """

    cost: str
    limit: float
    relative: bool

    def __str__(self) -> str:
        return f"{self.cost}{'=' if self.relative else '<'}{self.limit:g}"

    @property
    def folder(self) -> str:
        """A name for the folder of its sub-network."""
        return f"{self.cost}-{self.limit:g}".replace("+", "")

    def missed(self, share: float, whole_ms: float) -> str:
        """What to tell where a measured latency is more than 5 % above the budget; empty where it is not.

        Args:
            share: The sub-network's latency as a share of the whole model's.
            whole_ms: Of the whole model.
        """
        if self.cost not in ("latency", "latency_ms"):
            return ""
        wanted = self.limit if self.relative else self.limit / whole_ms
        if share <= wanted * (1 + _SLACK):
            return ""
        return (
            f"its latency was measured as {100 * share:.0f} % of the whole model's at the end, where "
            f"{100 * wanted:.0f} % was asked for; on a busy machine such figures vary, so measure again when it is idle"
        )

    @property
    def words(self) -> str:
        """For a reader: `half of …` is `50 % of the parameters`."""
        name = label(self.cost)
        return (
            f"{100 * self.limit:g} % of the {name}" if self.relative else f"{name} below {cost(self.cost, self.limit)}"
        )


def read_reduction(text: str, *, place: str = "--reduce") -> Reduction:
    """The budget that a text names.

    Raises:
        SpecError: It cannot be read, names an unknown cost, or a share that is none.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise SpecError("a reduction that cannot be read", place=place, value=text, accepted=GRAMMAR)
    name, relation, digits, factor = found.groups()
    if name not in COSTS:
        raise SpecError(
            "unknown cost",
            place=place,
            value=name,
            accepted=", ".join(COSTS),
            remedy=suggest(name, list(COSTS)) or None,
        )
    value, relative = float(digits.replace("_", "")) * _FACTORS[factor], relation == "="
    if relative and (not 0 < value < 1 or name == "latency_ms"):
        raise SpecError(
            "a share must lie between 0 and 1" if name != "latency_ms" else "latency_ms takes a limit, latency a share",
            place=place,
            value=text,
            accepted=GRAMMAR,
        )
    if not relative and (value <= 0 or name == "latency" or (value < 1 and name != "latency_ms")):
        raise SpecError(
            "not a limit" if name != "latency" else "latency takes a share, latency_ms a limit",
            place=place,
            value=text,
            accepted=GRAMMAR,
        )
    return Reduction(name, value, relative)
