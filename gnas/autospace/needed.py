"""Which values of a program sub-networks have, for many rows of choices at once: what `plan_of` finds, in batches.

Values that are there in exactly the same sub-networks, by the form of the graph, share a *slot*: most ops have one
operand and one reader. So a batch costs a few array operations for each fork and join, not for each op.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import fx

from gnas.autospace.cut import program_operands
from gnas.autospace.joins import Depth, join_kind, read_by
from gnas.autospace.program import Program

Mask = NDArray[np.bool_]
ALWAYS = 0
"""Slot of what is there whatever is dropped."""

Place = tuple[fx.Node, int]
"""An operand of a join."""
_Term = tuple[int, Place | None, tuple[tuple[int, bool], ...]]
"""A slot that reads a value, the place where a join does, and which bypasses must be taken or not for it to count."""


class Needed:
    """Liveness forward and need backward of one program.

    Args:
        program: The program.
        depth: Units and bypasses.
        position: Which program of the model it is.
    """

    def __init__(self, program: Program, depth: Depth, position: int) -> None:
        self._unit: dict[Place, int] = {}
        self._free: set[Place] = set()
        for key, operand in program_operands(program).items():
            self._free.add((operand.join, key[3]))
            if key in depth.unit_of:
                self._unit[operand.join, key[3]] = depth.unit_of[key]
        self._stands: dict[fx.Node, list[tuple[int, fx.Node]]] = defaultdict(list)
        for bypass, (after, before) in enumerate(depth.bypassed[position]):
            self._stands[after].append((bypass, before))
        self._nodes = [node for node in program.graph.nodes if node.op != "output"]
        self._live: dict[fx.Node, int] = {}
        self._forward: list[fx.Node] = []
        self._safe_joins: list[fx.Node] = []
        self._n_live = 1
        for node in self._nodes:
            self._place(node)
        self._outputs = [v for v in program.outputs if isinstance(v, fx.Node)]
        self.slot: dict[fx.Node, int] = {}
        self._terms: list[list[_Term]] = []
        self._backward()

    @property
    def n_slots(self) -> int:
        """How many slots of need there are; `slot` has that of each node."""
        return len(self._terms) + 1

    def rows(self, units: Mask, bypasses: Mask) -> Mask:
        """Which slots sub-networks have: units kept `(n, unit)`, bypasses taken `(n, bypass)` to `(slot, n)`."""
        kept = self._kept_operands(units, bypasses)
        found = np.empty((self.n_slots, len(units)), dtype=np.bool_)
        found[ALWAYS] = True
        for slot, terms in enumerate(self._terms, 1):
            out = found[slot]
            out[:] = False
            for reader, operand, conditions in terms:
                term = found[reader]
                if operand is not None:
                    term = term & kept[operand]
                for bypass, taken in conditions:
                    term = term & (bypasses[:, bypass] if taken else ~bypasses[:, bypass])
                out |= term
        return found

    def _place(self, node: fx.Node) -> None:
        """The slot of liveness of a node, a new one where it is not that of all it reads."""
        if not join_kind(node) and node not in self._stands:
            slots = {self._live[s] for s in node.all_input_nodes} - {ALWAYS}
            if len(slots) < 2:
                self._live[node] = slots.pop() if slots else ALWAYS
                return
        elif join_kind(node) and node not in self._stands and self._safe(node):
            self._live[node] = ALWAYS
            self._safe_joins.append(node)
            return
        self._live[node] = self._n_live
        self._n_live += 1
        self._forward.append(node)

    def _safe(self, join: fx.Node) -> bool:
        """Whether a join always lives: some operand does that no unit drops, and so do all that it cannot lose."""
        reads = [(i, s) for i, s in enumerate(read_by(join)) if s is not None]
        always = [(join, i) for i, s in reads if self._live[s] == ALWAYS and (join, i) not in self._unit]
        return bool(always) and all((join, i) in self._free or (join, i) in always for i, _ in reads)

    def _kept_operands(self, units: Mask, bypasses: Mask) -> dict[Place, Mask]:
        """Which operands of joins are neither dropped nor dead, each `(n,)`."""
        n = len(units)
        alive = np.ones((self._n_live, n), dtype=np.bool_)
        kept: dict[Place, Mask] = {}
        for node in self._forward:
            own = self._alive(node, alive, units, kept)
            for bypass, before in self._stands.get(node, ()):
                taken = bypasses[:, bypass]
                own = own | (taken & alive[self._live[before]])
            alive[self._live[node]] = own
        for node in self._safe_joins:
            self._alive(node, alive, units, kept)
        return kept

    def _alive(self, node: fx.Node, alive: Mask, units: Mask, kept: dict[Place, Mask]) -> Mask:
        if not join_kind(node):
            own = np.ones(alive.shape[1], dtype=np.bool_)
            for slot in {self._live[s] for s in node.all_input_nodes}:
                own &= alive[slot]
            return own
        any_left = np.zeros(alive.shape[1], dtype=np.bool_)
        whole = np.ones(alive.shape[1], dtype=np.bool_)
        for i, source in enumerate(read_by(node)):
            if source is None:
                continue
            unit = self._unit.get((node, i))
            left = alive[self._live[source]]
            left = left if unit is None else left & units[:, unit]
            kept[node, i] = left
            any_left |= left
            if (node, i) not in self._free:
                whole &= left
        return any_left & whole

    def _backward(self) -> None:
        """Slots of need, from the outputs to the inputs."""
        wanted: dict[fx.Node, list[_Term]] = defaultdict(list)
        for output in self._outputs:
            wanted[output].append((ALWAYS, None, ()))
        for node in reversed(self._nodes):
            if node not in wanted:
                continue
            terms = _distinct(wanted[node])
            pairs = self._stands.get(node, [])
            for k, (bypass, before) in enumerate(pairs):
                # The last one taken of several stands.
                conditions = ((bypass, True), *((later, False) for later, _ in pairs[k + 1 :]))
                wanted[before].extend((slot, operand, (*old, *conditions)) for slot, operand, old in terms)
            off = tuple((bypass, False) for bypass, _ in pairs)
            own = _distinct([(slot, operand, (*old, *off)) for slot, operand, old in terms])
            self.slot[node] = slot = self._slot_of(own)
            for source, operand in _reads(node):
                wanted[source].append((slot, operand, ()))

    def _slot_of(self, terms: list[_Term]) -> int:
        for slot, operand, conditions in terms:
            if slot == ALWAYS and operand is None and not conditions:
                return ALWAYS
        if len(terms) == 1 and terms[0][1] is None and not terms[0][2]:
            return terms[0][0]
        self._terms.append(terms)
        return len(self._terms)


def _distinct(terms: Sequence[_Term]) -> list[_Term]:
    return list(dict.fromkeys(terms))


def _reads(node: fx.Node) -> list[tuple[fx.Node, Place | None]]:
    """What a node reads, with its place where it is an operand of a join."""
    if join_kind(node):
        return [(s, (node, i)) for i, s in enumerate(read_by(node)) if s is not None]
    return [(s, None) for s in node.all_input_nodes]
