"""In what order a decision diagram decides units and evaluates formulas, so that little has to be remembered at a time.

A formula is evaluated operand by operand into its own place, in topological order. A value is folded into its readers
and forgotten as early as that does not lengthen what is remembered (the frontier).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gnas.autospace.formulas import Formulas


@dataclass(frozen=True, slots=True)
class Held:
    """One remembered value between two decisions.

    Attributes:
        formula: Whose value it is, as far as it is evaluated.
        readers: Formulas that will still read it.
        open: Readers that hold no value yet: what this one is can matter to them whatever the state.
        must: Whether it must become true and is not complete.
    """

    formula: int
    readers: tuple[int, ...]
    open: bool
    must: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """One decision and what follows from it.

    Attributes:
        unit: The unit decided.
        variable: Its formula.
        folds: Pairs `(reader, operand)`: the operand's value is folded into the reader's, in this order.
        checks: Formulas now complete that must be true.
        frontier: What is remembered afterwards, ascending by formula.
    """

    unit: int
    variable: int
    folds: tuple[tuple[int, int], ...]
    checks: tuple[int, ...]
    frontier: tuple[Held, ...]


def schedule(formulas: Formulas, clauses: Iterable[int]) -> tuple[Layer, ...]:
    """Layers that decide every variable of `clauses`, formulas that must all hold; none of them is a constant."""
    planner = _Planner(formulas, frozenset(clauses))
    for formula in planner.cone:
        planner.evaluate(formula)
    return tuple(planner.layers)


@dataclass
class _Planner:
    """The frontier as it moves."""

    formulas: Formulas
    clauses: frozenset[int]
    cone: list[int] = field(init=False)
    layers: list[Layer] = field(init=False, default_factory=list)
    _pending: dict[int, set[int]] = field(init=False)
    _waiting: dict[int, set[int]] = field(init=False)
    _held: set[int] = field(init=False, default_factory=set)
    _folds: list[tuple[int, int]] = field(init=False, default_factory=list)
    _checks: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.cone = self.formulas.cone(self.clauses)
        inner = [f for f in self.cone if self.formulas.kinds[f] != "variable"]
        self._pending = {f: set(self.formulas.operands[f]) for f in inner}
        self._waiting = {f: set() for f in self.cone}
        for formula in inner:
            for operand in self.formulas.operands[formula]:
                self._waiting[operand].add(formula)

    def evaluate(self, formula: int) -> None:
        """Everything that `formula` needs, up to its completion."""
        if self.formulas.kinds[formula] == "variable":
            # NOTE: only a clause that is a bare variable has no reader; all others are decided when first read.
            if not self._waiting[formula]:
                self._decide(formula)
            return
        # Operands at hand go first: what they settle need not be remembered while units are decided.
        for operand in sorted(self._pending[formula], key=lambda f: (self.formulas.kinds[f] == "variable", f)):
            if operand not in self._pending[formula]:
                continue
            if self.formulas.kinds[operand] == "variable" and operand not in self._held:
                self._decide(operand)
            if operand in self._pending[formula]:
                self._fold(formula, operand)
                self._settle()
        self._close()

    def _decide(self, variable: int) -> None:
        self._close()
        self.layers.append(Layer(self.formulas.operands[variable][0], variable, (), (), ()))
        self._held.add(variable)
        if variable in self.clauses:
            self._checks.append(variable)
        self._settle()

    def _fold(self, reader: int, operand: int) -> None:
        self._folds.append((reader, operand))
        self._pending[reader].discard(operand)
        self._waiting[operand].discard(reader)
        self._held.add(reader)
        if not self._pending[reader] and reader in self.clauses:
            self._checks.append(reader)

    def _settle(self) -> None:
        """Folds complete values whose readers all hold a value already, but for one at most."""
        moved = True
        while moved:
            moved = False
            for formula in sorted(self._held):
                if self._pending.get(formula):
                    continue
                readers = self._waiting[formula]
                if sum(reader not in self._held for reader in readers) <= 1:
                    for reader in sorted(readers):
                        self._fold(reader, formula)
                    self._held.discard(formula)
                    moved = True

    def _close(self) -> None:
        """Writes what was done since the last decision into its layer."""
        if not self.layers:
            return
        last = self.layers[-1]
        self.layers[-1] = Layer(
            last.unit,
            last.variable,
            (*last.folds, *self._folds),
            (*last.checks, *self._checks),
            tuple(self._describe(formula) for formula in sorted(self._held)),
        )
        self._folds, self._checks = [], []

    def _describe(self, formula: int) -> Held:
        readers = tuple(sorted(self._waiting[formula]))
        incomplete = bool(self._pending.get(formula))
        return Held(formula, readers, any(r not in self._held for r in readers), incomplete and formula in self.clauses)
