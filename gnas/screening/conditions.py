"""Conditions of `--where`: `n_params < 2e5 and macs <= 30M`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.errors import SpecError
from gnas.predictors.protocol import Vector
from gnas.space.marks import accepted_names, suggestion

_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_OPERATORS: dict[str, Callable[[Vector, float], NDArray[np.bool_]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ONE = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*(<=|>=|<|>)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([kMG]?)\s*")
_GRAMMAR = "NAME < NUMBER, with <, <=, > or >=, joined by `and`: 'n_params<2e5 and macs<=30M'"


@dataclass(frozen=True, slots=True)
class Condition:
    """A limit on a cost.

    Attributes:
        name: The cost.
        relation: `<`, `<=`, `>` or `>=`.
        limit: The number.
    """

    name: str
    relation: str
    limit: float

    def holds(self, values: Vector) -> NDArray[np.bool_]:
        """Where it holds; `values` of any shape."""
        return _OPERATORS[self.relation](values, self.limit)

    def is_upper(self) -> bool:
        """Whether it is a limit from above."""
        return self.relation in ("<", "<=")

    def __str__(self) -> str:
        limit = f"{self.limit:,.0f}" if self.limit == round(self.limit) else f"{self.limit:g}"
        return f"{self.name} {self.relation} {limit}"


def read_conditions(text: str | None, known: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions that a text names.

    Args:
        text: As the user wrote it; None or blank is no condition.
        known: Names that can be counted or predicted.

    Raises:
        SpecError: It cannot be read, or names something unknown.
    """
    if text is None:
        return ()
    found = []
    for part in re.split(r"\band\b|,|&&?", text):
        match = _ONE.fullmatch(part)
        if match is None:
            raise SpecError("a condition that cannot be read", place="--where", value=part.strip(), accepted=_GRAMMAR)
        name, relation, digits, factor = match.groups()
        if name not in known:
            raise SpecError(
                "a condition on something that can neither be counted nor predicted here",
                place="--where",
                value=name,
                accepted=accepted_names(known),
                remedy=suggestion(name, known) or None,
            )
        found.append(Condition(name, relation, float(digits.replace("_", "")) * _FACTORS[factor]))
    return tuple(found)
