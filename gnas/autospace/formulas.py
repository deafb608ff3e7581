"""Monotone Boolean formulas, each stored once, simplified as they are made.

A formula is an index: `TRUE`, `FALSE`, a variable, a conjunction or a disjunction of earlier ones. What is known to
imply what is kept as bit sets over formulas, so that an operand which another one makes superfluous (absorption) is
left out however deep the reason lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

TRUE = 0
FALSE = 1

_ROUNDS = 32
_MOST_PAIRS = 512


class Formulas:
    """A store of formulas.

    Attributes:
        kinds: Of each formula; operands are always earlier ones.
        operands: Of each conjunction or disjunction, ascending; for a variable its number alone.
    """

    def __init__(self) -> None:
        self.kinds: list[Literal["constant", "variable", "all", "any"]] = ["constant", "constant"]
        self.operands: list[tuple[int, ...]] = [(), ()]
        self._known: dict[tuple[str, tuple[int, ...]], int] = {}
        # Bit b of `_implies[a]` tells that a implies b, bit a of `_implied_by[b]` too; each holds part of the truth.
        self._implies: list[int] = [1, 2]
        self._implied_by: list[int] = [1, 2]
        self._sums: dict[int, list[int]] = {}

    def variable(self, number: int) -> int:
        """The variable of this number."""
        return self._store("variable", (number,))

    def conjunction(self, operands: Iterable[int]) -> int:
        """All of `operands`."""
        found = set(operands) - {TRUE}
        if FALSE in found:
            return FALSE
        kept = _absorbed(found, self.implies)
        if len(kept) < 2:
            return kept[0] if kept else TRUE
        return self._store("all", tuple(kept))

    def disjunction(self, operands: Iterable[int]) -> int:
        """Any of `operands`."""
        found = set(operands) - {FALSE}
        if TRUE in found:
            return TRUE
        kept = self._factored(_absorbed(found, lambda a, b: self.implies(b, a)))
        if len(kept) < 2:
            return kept[0] if kept else FALSE
        return self._store("any", tuple(kept))

    def implies(self, a: int, b: int) -> bool:
        """Whether `a` is known to imply `b`; neither is a constant."""
        return bool(self._implies[a] & self._implied_by[b])

    def cone(self, roots: Iterable[int]) -> list[int]:
        """All formulas that `roots` are made of, themselves included, ascending; constants only as roots."""
        seen = set(roots)
        fresh = list(seen)
        while fresh:
            here = fresh.pop()
            if self.kinds[here] in ("all", "any"):
                new = set(self.operands[here]) - seen
                seen |= new
                fresh.extend(new)
        return sorted(seen)

    def made_true(self, roots: Iterable[int], variables: Iterable[int]) -> list[int]:
        """`roots` with the variables of these numbers true."""
        roots, numbers = list(roots), set(variables)
        image: dict[int, int] = {}
        for here in self.cone(roots):
            image[here] = TRUE if self._is_one_of(here, numbers) else self._rebuilt(here, image)
        return [image[root] for root in roots]

    def clauses(self, root: int) -> tuple[int, ...]:
        """Formulas whose conjunction is `root`, each simplified under the assumption that the others hold.

        Whatever `root` is known to imply must hold; inside of what else must hold it may thus be taken for true. No
        clause is a conjunction; there is none where `root` is true, and `FALSE` alone where it is false.
        """
        for _ in range(_ROUNDS):
            if root == TRUE:
                return ()
            image: dict[int, int] = {}
            parts = []
            for here in self.cone([root]):
                rebuilt = self._rebuilt(here, image)
                needed = here == root or self.implies(root, here)
                if needed:
                    parts.append(rebuilt)
                image[here] = TRUE if needed else rebuilt
            new = self.conjunction(parts)
            if new == root:
                break
            root = new
        return self.operands[root] if self.kinds[root] == "all" else (root,)

    def parts(self, clauses: Iterable[int]) -> list[tuple[int, ...]]:
        """The clauses in groups that share no variable."""
        groups: list[tuple[set[int], list[int]]] = []
        for clause in clauses:
            found, members = set(self.variables([clause])), [clause]
            apart = []
            for group in groups:
                if found.isdisjoint(group[0]):
                    apart.append(group)
                else:
                    found |= group[0]
                    members = group[1] + members
            groups = [*apart, (found, members)]
        return [tuple(members) for _, members in groups]

    def variables(self, roots: Iterable[int]) -> list[int]:
        """Numbers of the variables that `roots` are made of, ascending."""
        return sorted(self.operands[f][0] for f in self.cone(roots) if self.kinds[f] == "variable")

    def _is_one_of(self, here: int, numbers: set[int]) -> bool:
        return self.kinds[here] == "variable" and self.operands[here][0] in numbers

    def _rebuilt(self, here: int, image: dict[int, int]) -> int:
        if self.kinds[here] in ("constant", "variable"):
            return here
        parts = [image[i] for i in self.operands[here]]
        return self.conjunction(parts) if self.kinds[here] == "all" else self.disjunction(parts)

    def _factored(self, operands: list[int]) -> list[int]:
        """The operands of a disjunction, those that make up an earlier disjunction replaced by it.

        Concatenations that grow by one operand each (as in dense blocks) so become a chain.
        """
        while len(operands) > 2:
            hits = Counter(sum_ for operand in operands for sum_ in self._sums.get(operand, ()))
            whole = [(len(self.operands[s]), s) for s, n in hits.items() if n == len(self.operands[s]) < len(operands)]
            if not whole:
                break
            best = max(whole)[1]
            operands = sorted({*operands, best} - set(self.operands[best]))
        return operands

    def _store(self, kind: Literal["variable", "all", "any"], operands: tuple[int, ...]) -> int:
        key = (kind, operands)
        found = self._known.get(key)
        if found is not None:
            return found
        here = self._known[key] = len(self.kinds)
        self.kinds.append(kind)
        self.operands.append(operands)
        implies = implied_by = 0
        if kind == "all":
            implies, implied_by = self._union(self._implies, operands), self._common(self._implied_by, operands)
        elif kind == "any":
            implies, implied_by = self._common(self._implies, operands), self._union(self._implied_by, operands)
            for operand in operands:
                self._sums.setdefault(operand, []).append(here)
        self._implies.append(implies | 1 << here)
        self._implied_by.append(implied_by | 1 << here)
        return here

    @staticmethod
    def _union(sets: list[int], members: tuple[int, ...]) -> int:
        found = 0
        for member in members:
            found |= sets[member]
        return found

    @staticmethod
    def _common(sets: list[int], members: tuple[int, ...]) -> int:
        found = sets[members[0]]
        for member in members[1:]:
            found &= sets[member]
        return found


def _absorbed(operands: set[int], stronger: Callable[[int, int], bool]) -> list[int]:
    """`operands` ascending, without any for which another is `stronger`; beyond 512 they are not compared."""
    if len(operands) > _MOST_PAIRS:
        return sorted(operands)
    kept: list[int] = []
    for operand in sorted(operands):
        if not any(stronger(other, operand) for other in kept):
            kept = [other for other in kept if not stronger(operand, other)]
            kept.append(operand)
    return kept
