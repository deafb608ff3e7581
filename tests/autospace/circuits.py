"""Circuits to test with: those of well-known networks, and random ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gnas.autospace.records import Circuit, Gate

Mask = NDArray[np.bool_]


class Builder:
    """Gates and units one after another."""

    def __init__(self) -> None:
        self.gates: list[Gate] = [Gate("all")]
        self.n_units = 0

    def every(self, *sources: int) -> int:
        """A gate that needs all sources."""
        self.gates.append(Gate("all", tuple((source, -1) for source in sources)))
        return len(self.gates) - 1

    def join(self, *operands: tuple[int, int]) -> int:
        """A gate that needs one kept source."""
        self.gates.append(Gate("any", operands))
        return len(self.gates) - 1

    def unit(self) -> int:
        """A new unit."""
        self.n_units += 1
        return self.n_units - 1

    def chain(self, source: int, length: int) -> int:
        """Ops of one operand, one after another."""
        for _ in range(length):
            source = self.every(source)
        return source

    def circuit(self, *outputs: int) -> Circuit:
        """What was built."""
        return Circuit(tuple(self.gates), outputs, self.n_units)


def residual(blocks: int = 3, *, droppable_identity: bool = False, length: int = 3) -> Circuit:
    """Blocks added to what they read, as in a ResNet."""
    b = Builder()
    x = b.chain(0, 2)
    for _ in range(blocks):
        skip = b.unit() if droppable_identity else -1
        x = b.join((x, skip), (b.chain(x, length), b.unit()))
    return b.circuit(b.chain(x, 2))


def dense(layers: int = 6, *, droppable_stem: bool = False) -> Circuit:
    """Every layer reads the concatenation of all before; one unit a value, as in a DenseNet."""
    b = Builder()
    values = [(b.chain(0, 2), b.unit() if droppable_stem else -1)]
    for _ in range(layers):
        values.append((b.chain(b.join(*values), 4), b.unit()))
    return b.circuit(b.chain(b.join(*values), 1))


def cells(n_cells: int = 2, nodes: int = 2, ops: int = 2, *, droppable_nodes: bool = False) -> Circuit:
    """A supernet of cells that read the two before; every op of every edge is a droppable operand, as in DARTS."""
    b = Builder()
    before = [b.chain(0, 1), b.chain(0, 2)]
    for _ in range(n_cells):
        states = [b.chain(x, 1) for x in before]
        for _ in range(nodes):
            states.append(b.join(*((b.chain(s, k % 3), b.unit()) for s in states for k in range(ops))))
        out = b.join(*((s, b.unit() if droppable_nodes else -1) for s in states[2:]))
        before = [before[1], out]
    return b.circuit(b.chain(before[1], 1))


def fused(stages: int = 2, branches: int = 2, blocks: int = 1) -> Circuit:
    """Parallel branches of residual blocks, after each stage fused with one another, as in an HRNet."""
    b = Builder()
    streams = [b.chain(0, 1 + k) for k in range(branches)]
    for _ in range(stages):
        for k in range(branches):
            for _ in range(blocks):
                streams[k] = b.join((streams[k], b.unit()), (b.chain(streams[k], 2), b.unit()))
        streams = [b.join(*((b.every(x), b.unit()) for x in streams)) for _ in range(branches)]
    return b.circuit(b.every(*streams))


def hourglass(depth: int = 3) -> Circuit:
    """Halves with concatenations across, as in a U-Net."""
    b = Builder()
    x, across = 0, []
    for _ in range(depth):
        x = b.join((x, b.unit()), (b.chain(x, 2), b.unit()))
        across.append(x)
        x = b.every(x)
    for skip in reversed(across):
        x = b.chain(b.join((b.every(x), b.unit()), (skip, b.unit())), 2)
    return b.circuit(x)


def experts(layers: int = 2, n: int = 4) -> Circuit:
    """Residual mixtures, as in a mixture of experts."""
    b = Builder()
    x = 0
    for _ in range(layers):
        mixture = b.join(*((b.chain(x, 2), b.unit()) for _ in range(n)))
        x = b.join((x, b.unit()), (mixture, b.unit()))
    return b.circuit(x)


def tangled(n: int = 14, readers: int = 4) -> Circuit:
    """Sums of a few of many values each, and all of them needed: much must be remembered at a time."""
    b = Builder()
    values = [(b.every(0), b.unit()) for _ in range(n)]
    rng = np.random.default_rng(3)
    sums = [b.join(*(values[i] for i in rng.permutation(n)[:readers])) for _ in range(2 * n)]
    return b.circuit(b.every(*sums))


SMALL: dict[str, Callable[[], Circuit]] = {
    "residual": residual,
    "residual, identities droppable": lambda: residual(droppable_identity=True),
    "dense": dense,
    "dense, stem droppable": lambda: dense(droppable_stem=True),
    "cells": lambda: cells(1, 2, 2),
    "cells, nodes droppable": lambda: cells(1, 1, 3, droppable_nodes=True),
    "fused": lambda: fused(1),
    "hourglass": lambda: hourglass(2),
    "experts": lambda: experts(2, 3),
    "tangled": lambda: tangled(9, 3),
}
LARGE: dict[str, Callable[[], Circuit]] = {
    "residual": lambda: residual(50, length=8),
    "residual, identities droppable": lambda: residual(50, droppable_identity=True),
    "dense": lambda: dense(58),
    "dense, stem droppable": lambda: dense(58, droppable_stem=True),
    "cells": lambda: cells(8, 4, 6),
    "cells, nodes droppable": lambda: cells(4, 4, 6, droppable_nodes=True),
    "fused": lambda: fused(4, 4, 3),
    "hourglass": lambda: hourglass(8),
    "experts": lambda: experts(12, 16),
    "tangled": lambda: tangled(40, 6),
}


@st.composite
def circuits(draw: st.DrawFn, most_units: int = 8) -> Circuit:
    """Random circuits whose outputs live if everything is kept."""
    n_units = draw(st.integers(0, most_units))
    gates = [Gate("all")]
    for index in range(1, draw(st.integers(2, 16))):
        sources = draw(st.lists(st.integers(0, index - 1), min_size=1, max_size=4))
        if draw(st.booleans()):
            gates.append(Gate("all", tuple((source, -1) for source in sources)))
        else:
            lowest = -1 if n_units == 0 or draw(st.integers(0, 3)) == 0 else 0
            top = -1 if n_units == 0 else n_units - 1
            gates.append(Gate("any", tuple((source, draw(st.integers(lowest, top))) for source in sources)))
    outputs = draw(st.lists(st.integers(0, len(gates) - 1), min_size=1, max_size=3))
    return Circuit(tuple(gates), tuple(outputs), n_units)


def every_assignment(circuit: Circuit) -> Mask:
    """All assignments of its units, valid or not; `(2 ** unit, unit)`."""
    rows = list(itertools.product([False, True], repeat=circuit.n_units))
    return np.array(rows, dtype=np.bool_).reshape(len(rows), circuit.n_units)


def alive_by_definition(circuit: Circuit, kept: Mask) -> Mask:
    """Liveness straight from its definition; `(n, unit)` to `(n, gate)`."""
    found = np.zeros((len(kept), len(circuit.gates)), dtype=np.bool_)
    for index, gate in enumerate(circuit.gates):
        found[:, index] = gate.kind == "all"
        for source, unit in gate.operands:
            operand = found[:, source] if unit < 0 else found[:, source] & kept[:, unit]
            if gate.kind == "all":
                found[:, index] &= operand
            else:
                found[:, index] |= operand
    return found


def valid_by_definition(circuit: Circuit, kept: Mask) -> Mask:
    """Validity straight from its definition; `(n, unit)` to `(n,)`."""
    found: Mask = np.logical_and.reduce(alive_by_definition(circuit, kept)[:, list(circuit.outputs)], axis=1)
    return found
