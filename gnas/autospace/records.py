"""What the parts of `gnas.autospace` hand to each other: the circuit of depth, the groups of width, the bypasses.

Words: a *join* is an op that needs only some of its operands (add, concatenate, stack); every other op needs all of
them. A *unit* is what a depth choice keeps or drops: one operand of a join, or all join operands that read one value. A
*bypass* lets a value be read past the block that makes it. A *width group* is a set of channels of equal standing, tied
wherever they appear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KEEP = "keep"
DROP = "drop"


@dataclass(frozen=True, slots=True)
class Gate:
    """One place of the circuit.

    Attributes:
        kind: `all`: lives if every operand's source lives; `any`: lives if a kept operand's source lives.
        operands: Pairs `(source, unit)`: index of an earlier gate, and of the unit that may drop this operand, −1 where
            none may. Operands of an `all` gate have −1. A gate without operands lives (`all`) or does not (`any`).
    """

    kind: Literal["all", "any"]
    operands: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Circuit:
    """Monotone circuit of liveness, in topological order.

    An assignment of keep or drop to units is valid if all outputs live.

    Attributes:
        gates: Places, each reading earlier ones only.
        outputs: Gates that must live.
        n_units: How many units the operands refer to.
    """

    gates: tuple[Gate, ...]
    outputs: tuple[int, ...]
    n_units: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A depth choice: `keep` or `drop`.

    Attributes:
        name: Unique, readable: the user's module names (`layer2.0: bn2 into add`).
        kind: `operand` (one operand of one join), `value` (every join operand that reads one value), or `bypass` (a
            block or a gate is passed by; other weights would have to be trained for it, so it is no exact removal).
        module: The user's module that the dropped part belongs to.
        source: File and line of the user's code, where known.
    """

    name: str
    kind: Literal["operand", "value", "bypass"]
    module: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class WidthGroup:
    """A width choice: how many of `size` tied channels are kept.

    Attributes:
        name: Unique, readable: the first parameter whose rows they are (`layer1.0.conv1`).
        size: How many there are.
        kept: Accepted counts, ascending; the last is `size`.
        places: Parameters and their dimensions that these channels index: `(name, dimension)`.
    """

    name: str
    size: int
    kept: tuple[int, ...]
    places: tuple[tuple[str, int], ...]
