"""Which units of a circuit may be dropped together: exact count, exactly uniform sampling, numbering.

Units that every valid assignment keeps are no choices; units that no constraint touches are free; the others fall into
independent parts, each with its decision diagram. Where a diagram would grow too large, units are pinned (always kept)
until it fits: there are fewer choices then, and never an invalid one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from gnas.autospace.circuit import Liveness, Mask
from gnas.autospace.diagram import Diagram, Overflow
from gnas.autospace.formulas import TRUE, Formulas

MOST_STATES = 20_000
_ONE_BY_ONE = 4


@dataclass(frozen=True, eq=False)
class Decisions:
    """All valid assignments of a circuit's units in which the pinned ones are kept, numbered from 0 to `count - 1`.

    Attributes:
        n_units: Units of the circuit.
        forced: Units that every valid assignment keeps, ascending.
        pinned: Units kept here so that diagrams stay small, ascending.
        free: Units that no constraint touches, ascending.
        diagrams: One for each group of units that constraints tie.
    """

    n_units: int
    forced: tuple[int, ...]
    pinned: tuple[int, ...]
    free: tuple[int, ...]
    diagrams: tuple[Diagram, ...]

    @classmethod
    def of(cls, liveness: Liveness, most_states: int = MOST_STATES) -> Decisions:
        """The decisions of a compiled circuit.

        Args:
            liveness: The circuit.
            most_states: States that one layer of a diagram may have before units are pinned; 1 or more.
        """
        formulas = liveness.formulas
        forced = set(np.flatnonzero(liveness.forced()).tolist())
        pinned: set[int] = set()
        diagrams: list[Diagram] = []
        waiting = formulas.parts(_assuming(formulas, liveness.clauses, forced))
        attempts = 0
        while waiting:
            part = waiting.pop()
            found = Diagram.of(formulas, part, most_states)
            if isinstance(found, Diagram):
                diagrams.append(found)
                continue
            new = _to_pin(formulas, found, 1 << max(0, attempts - _ONE_BY_ONE))
            attempts += 1
            pinned |= new
            waiting.extend(formulas.parts(_assuming(formulas, part, new)))
        tied = {unit for diagram in diagrams for unit in diagram.units}
        free = set(range(liveness.circuit.n_units)) - forced - pinned - tied
        return cls(
            liveness.circuit.n_units,
            tuple(sorted(forced)),
            tuple(sorted(pinned)),
            tuple(sorted(free)),
            tuple(sorted(diagrams, key=lambda d: d.units)),
        )

    @property
    def open(self) -> tuple[int, ...]:
        """Units that may be dropped, ascending."""
        closed = {*self.forced, *self.pinned}
        return tuple(unit for unit in range(self.n_units) if unit not in closed)

    @property
    def count(self) -> int:
        """How many assignments."""
        return prod((diagram.count for diagram in self.diagrams), start=1 << len(self.free))

    def sample(self, rng: np.random.Generator, n: int) -> Mask:
        """Uniform assignments: kept or not, `(n, unit)`."""
        kept = np.ones((n, self.n_units), dtype=np.bool_)
        kept[:, list(self.free)] = rng.integers(2, size=(n, len(self.free)), dtype=np.int8)
        for diagram in self.diagrams:
            kept[:, list(diagram.units)] = diagram.sample(rng, n)
        return kept

    def unrank(self, numbers: NDArray[np.int64]) -> Mask:
        """The assignments with these numbers, `(n,)` to `(n, unit)`; needs `count` below 2^62."""
        kept = np.ones((len(numbers), self.n_units), dtype=np.bool_)
        left = np.asarray(numbers, dtype=np.int64)
        for diagram in self.diagrams:
            left, mine = np.divmod(left, diagram.count)
            kept[:, list(diagram.units)] = diagram.unrank(mine)
        for unit in self.free:
            left, kept[:, unit] = np.divmod(left, 2)
        return kept


def _assuming(formulas: Formulas, clauses: Sequence[int], kept: set[int]) -> tuple[int, ...]:
    """Clauses simplified, with units known to be kept."""
    root = formulas.conjunction(formulas.made_true(clauses, kept))
    return () if root == TRUE else formulas.clauses(root)


def _to_pin(formulas: Formulas, overflow: Overflow, how_many: int) -> set[int]:
    """Units to keep so that `how_many` of the values remembered become true: those that need fewest, longest needed.

    No more than half of the values are made true at a time.
    """
    needs: dict[int, frozenset[int]] = {}
    for here in formulas.cone(held.formula for held in overflow.frontier):
        below = [needs[f] for f in formulas.operands[here]] if formulas.kinds[here] != "variable" else []
        if formulas.kinds[here] == "variable":
            needs[here] = frozenset(formulas.operands[here])
        elif formulas.kinds[here] == "all":
            needs[here] = frozenset().union(*below)
        else:
            needs[here] = min(below, key=len)
    order = sorted(overflow.frontier, key=lambda held: (len(needs[held.formula]), -max(held.readers, default=0)))
    return set().union(*(needs[held.formula] for held in order[: max(1, min(how_many, len(order) // 2))]))
