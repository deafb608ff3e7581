"""Liveness of a `Circuit`, for many assignments at once; what must be kept, repair, and the least that is valid.

Liveness is monotone: keeping more never kills anything. So an invalid assignment can always be repaired by keeping
more, and greedy dropping never ends in one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gnas.autospace.formulas import FALSE, TRUE, Formulas
from gnas.autospace.records import Circuit
from gnas.errors import SpaceError

Mask = NDArray[np.bool_]
_LOOKAHEAD = 64


class Liveness:
    """A compiled circuit: gates that live whatever is dropped, or just as others do, cost nothing.

    Args:
        circuit: What is compiled.

    Attributes:
        circuit: As given.
        formulas: The store that the clauses are in.
        clauses: Formulas over units that hold exactly for valid assignments.

    Raises:
        SpaceError: Gates are not in topological order, an operand names no unit, or an output is dead although
            everything is kept.
    """

    def __init__(self, circuit: Circuit) -> None:
        _check(circuit)
        self.circuit = circuit
        self.formulas = Formulas()
        self._places = _compile(circuit, self.formulas)
        root = self.formulas.conjunction(self._places[o] for o in circuit.outputs)
        if root == FALSE:
            dead = next(o for o in circuit.outputs if self._places[o] == FALSE)
            raise SpaceError("an output is dead although everything is kept", place=f"gate {dead} of the circuit")
        parts = self.formulas.parts(self.formulas.clauses(root))
        self.clauses = tuple(clause for part in parts for clause in part)
        # Parts share no unit, so that each is repaired and made small as if the others were not there.
        self._tied = [self.formulas.variables(part) for part in parts]
        self._starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        self._validity = _Program(self.formulas, self.clauses)
        self._everything = _Program(self.formulas, self._places)
        pairs = {(unit, source) for gate in circuit.gates for source, unit in gate.operands if unit >= 0}
        self._several: Mask = np.greater(np.bincount([unit for unit, _ in pairs], minlength=circuit.n_units), 1)

    def alive(self, kept: Mask) -> Mask:
        """Which gates live; `(n, unit)` to `(n, gate)`."""
        return self._everything.run(self._units(kept)).T

    def valid(self, kept: Mask) -> Mask:
        """Where all outputs live; `(n, unit)` to `(n,)`."""
        found: Mask = np.logical_and.reduce(self._validity.run(self._units(kept)), axis=0)
        return found

    def _valid_parts(self, kept: Mask) -> Mask:
        """Where the clauses of each part hold; `(n, unit)` to `(n, part)`."""
        if not self._tied:
            return np.ones((len(kept), 0), dtype=np.bool_)
        found: Mask = np.logical_and.reduceat(self._validity.run(kept), self._starts, axis=0).T
        return found

    def forced(self) -> Mask:
        """Units that every valid assignment keeps: those whose drop alone kills an output; shape `(unit,)`."""
        tied = [unit for units in self._tied for unit in units]
        found = np.zeros(self.circuit.n_units, dtype=np.bool_)
        kept = np.ones((len(tied), self.circuit.n_units), dtype=np.bool_)
        kept[np.arange(len(tied)), tied] = False
        found[tied] = ~self.valid(kept)
        return found

    def has_a_say(self, kept: Mask) -> Mask:
        """Units that matter to what the outputs are computed from; `(n, unit)`.

        A unit has no say where its source is dead, or where no output reads its joins through kept operands. Flipping
        one such unit changes nothing; dropping all of them together changes nothing either, so what is left is the
        same for all assignments that agree in the units with a say. A unit that drops several sources counts as having
        one, since together they may matter where each alone does not.
        """
        kept = self._units(kept)
        alive = self._everything.run(kept)
        wanted = np.zeros(alive.shape, dtype=np.bool_)
        wanted[list(self.circuit.outputs)] = True
        found = np.zeros((self.circuit.n_units, len(kept)), dtype=np.bool_)
        for index in range(len(self.circuit.gates) - 1, -1, -1):
            for source, unit in self.circuit.gates[index].operands:
                if unit >= 0:
                    found[unit] |= wanted[index] & alive[source]
                    wanted[source] |= wanted[index] & kept[:, unit]
                else:
                    wanted[source] |= wanted[index]
        found[self._several] = True
        return found.T

    def repair(self, kept: Mask, rng: np.random.Generator) -> Mask:
        """The rows `(n, unit)` made valid by keeping dropped units again, chosen at random and no more than needed.

        In a random order of the dropped units, the first one that completes validity together with all before it is
        needed; it is kept, and those before it are asked again without it, until the row is valid. What is added is
        minimal: without any one of it the row would be invalid.
        """
        kept = self._units(kept).copy()
        wrong = np.flatnonzero(~self.valid(kept))
        order = np.argsort(rng.random((wrong.size, kept.shape[1])), axis=1)
        place = np.argsort(order, axis=1)
        part_of = np.full(kept.shape[1], len(self._tied))
        for part, units in enumerate(self._tied):
            part_of[units] = part
        while wrong.size:
            shape = (wrong.size, len(self._tied) + 1)
            low, high = np.zeros(shape, dtype=np.intp), np.full(shape, kept.shape[1])
            # The last column is that of units in no part, which are not needed.
            high[:, -1] = 0
            while (low < high).any():
                middle = (low + high) // 2
                enough = np.ones(shape, dtype=np.bool_)
                enough[:, :-1] = self._valid_parts(kept[wrong] | (place < middle[:, part_of]))
                high = np.where(enough, middle, high)
                low = np.where(enough, low, np.minimum(middle + 1, high))
            row, column = np.nonzero(high)
            kept[wrong[row], order[row, high[row, column] - 1]] = True
            left = ~self.valid(kept[wrong])
            wrong, order, place = wrong[left], order[left], place[left]
        return kept

    def smallest(self, cost: Sequence[float] | NDArray[np.float64], fixed: Sequence[int] = ()) -> Mask:
        """Units greedily dropped, the most costly first, as long as all outputs live; `(unit,)` to kept ones `(unit,)`.

        No unit of the result can be dropped any more, but for those `fixed`, which stay. Ties are broken by order.
        """
        order = np.argsort(-np.asarray(cost, dtype=np.float64), kind="stable")
        kept = np.isin(np.arange(self.circuit.n_units), [*fixed, *(unit for units in self._tied for unit in units)])
        waiting = {p: order[np.isin(order, units) & ~np.isin(order, fixed)] for p, units in enumerate(self._tied)}
        # Row k drops the next k + 1 units of each part.
        steps = ~np.tri(_LOOKAHEAD, dtype=np.bool_)
        while waiting:
            rows = np.repeat(kept[None], _LOOKAHEAD, axis=0)
            for units in waiting.values():
                rows[:, units[:_LOOKAHEAD]] &= steps[:, : len(units)]
            good = self._valid_parts(rows)
            for part, units in list(waiting.items()):
                ahead = units[:_LOOKAHEAD]
                fine = good[: len(ahead), part]
                passed = len(ahead) if fine.all() else int(np.argmin(fine))
                kept[ahead[:passed]] = False
                waiting[part] = units[passed + (passed < len(ahead)) :]
                if not waiting[part].size:
                    del waiting[part]
        return kept

    def _units(self, kept: Mask) -> Mask:
        kept = np.asarray(kept, dtype=np.bool_)
        if kept.ndim != 2 or kept.shape[1] != self.circuit.n_units:
            raise SpaceError(
                "not an assignment of the circuit's units", value=kept.shape, accepted=f"(n, {self.circuit.n_units})"
            )
        return kept


class _Program:
    """Evaluation of some formulas, everything shared done once."""

    def __init__(self, formulas: Formulas, wanted: Sequence[int]) -> None:
        cone = formulas.cone({*wanted, FALSE, TRUE})
        slot = {f: i for i, f in enumerate(cone)}
        self._size = len(cone)
        self._variables = [(slot[f], formulas.operands[f][0]) for f in cone if formulas.kinds[f] == "variable"]
        self._steps = [
            (slot[f], formulas.kinds[f] == "all", [slot[i] for i in formulas.operands[f]])
            for f in cone
            if formulas.kinds[f] in ("all", "any")
        ]
        self._wanted = [slot[f] for f in wanted]

    def run(self, kept: Mask) -> Mask:
        """Values of the wanted formulas; `(n, unit)` to `(formula, n)`."""
        values = np.zeros((self._size, len(kept)), dtype=np.bool_)
        values[TRUE] = True
        for slot, unit in self._variables:
            values[slot] = kept[:, unit]
        for slot, every, operands in self._steps:
            combine = np.logical_and if every else np.logical_or
            if len(operands) == 2:
                combine(values[operands[0]], values[operands[1]], out=values[slot])
            else:
                combine.reduce(values[operands], axis=0, out=values[slot])
        return values[self._wanted]


def _compile(circuit: Circuit, formulas: Formulas) -> list[int]:
    """The formula of each gate."""
    places: list[int] = []
    for gate in circuit.gates:
        terms = (
            places[source] if unit < 0 else formulas.conjunction((places[source], formulas.variable(unit)))
            for source, unit in gate.operands
        )
        places.append(formulas.conjunction(terms) if gate.kind == "all" else formulas.disjunction(terms))
    return places


def _check(circuit: Circuit) -> None:
    for index, gate in enumerate(circuit.gates):
        place = f"gate {index} of the circuit"
        accepted = f"−1 to {circuit.n_units - 1}" if gate.kind == "any" else "−1"
        for source, unit in gate.operands:
            if not 0 <= source < index:
                raise SpaceError("a gate may read earlier gates only", place=place, value=source)
            if not -1 <= unit < (circuit.n_units if gate.kind == "any" else 0):
                raise SpaceError("an operand names a wrong unit", place=place, value=unit, accepted=accepted)
    for output in circuit.outputs:
        if not 0 <= output < len(circuit.gates):
            raise SpaceError("an output is no gate", value=output, accepted=f"0 to {len(circuit.gates) - 1}")
