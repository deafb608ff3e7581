"""What the codes alone tell of a compiled graph, for many rows at once: presence, sources, labels of supernodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gnas.space.cube import ALWAYS, Conditions, Cube
from gnas.space.protocol import Choice, Codes

Wire = tuple[tuple[Cube, int], ...]
"""Which supernode an input reads: alternatives that exclude each other; none holding, the input is absent."""

_UNKNOWN = -2
_LARGEST_TABLE = 1 << 14


class Wiring:
    """Presence of supernodes and what their wires read, before anything is pruned.

    Args:
        whens: Where each supernode is present.
        wires: All wires, one after the other.
        index: Column of each choice.
        sizes: Number of values of each choice.

    Attributes:
        fixed: For each wire the supernode that it always reads, −1 where that depends on choices.
    """

    def __init__(
        self, whens: Sequence[Cube], wires: Sequence[Wire], index: Mapping[str, int], sizes: Mapping[str, int]
    ) -> None:
        self.fixed = [wire[0][1] if len(wire) == 1 and wire[0][0] == ALWAYS else -1 for wire in wires]
        self._n_wires = len(wires)
        varying = [(i, wire) for i, wire in enumerate(wires) if self.fixed[i] < 0]
        self._conditions = Conditions([*whens, *(cube for _, wire in varying for cube, _ in wire)], index, sizes)
        place = self._conditions.place
        self._whens = np.array([place[when] for when in whens], dtype=np.intp)
        self._alternatives: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]] = []
        for k in range(max((len(wire) for _, wire in varying), default=0)):
            having = [(i, place[wire[k][0]], wire[k][1]) for i, wire in varying if len(wire) > k]
            rows, cubes, nodes = zip(*having, strict=True)
            self._alternatives.append((np.array(rows), np.array(cubes), np.array(nodes, dtype=np.int32)[:, None]))

    def __call__(self, codes: Codes) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        """Presence `(supernode, n)` and the supernode that each wire reads `(wire, n)`, −1 for none.

        Rows of wires that always read the same are not filled.
        """
        holds = self._conditions(codes)
        sources = np.full((self._n_wires, len(codes)), -1, dtype=np.int32)
        for rows, cubes, nodes in self._alternatives:
            # Alternatives exclude each other: where one holds, nothing has been written.
            sources[rows] += holds[cubes] * (nodes + 1)
        return holds[self._whens], sources


class LabelTables:
    """Label of each supernode by the values of the choices it depends on, filled as combinations are met.

    Supernodes with more than 16,384 combinations are left to the caller.

    Args:
        choices: The choices.
        names: Choices that the label of each supernode depends on.
        label: Index of the label of a supernode, given the codes of those choices.

    Attributes:
        covered: Which supernodes have a table.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        names: Sequence[Sequence[str]],
        label: Callable[[int, tuple[int, ...]], int],
    ) -> None:
        index = {choice.name: i for i, choice in enumerate(choices)}
        self._label = label
        # An inactive choice counts as one more value, the first.
        self._radices = [[len(choices[index[name]].values) + 1 for name in of] for of in names]
        spans = [int(np.prod(radices, dtype=object)) if radices else 1 for radices in self._radices]
        self.covered = np.array([span <= _LARGEST_TABLE for span in spans], dtype=bool)
        self._weights = np.zeros((len(names), len(choices)))
        for i in np.flatnonzero(self.covered).tolist():
            weight = 1
            for name, radix in zip(names[i], self._radices[i], strict=True):
                self._weights[i, index[name]] = weight
                weight *= radix
        ends = np.cumsum([0, *(span if ok else 0 for span, ok in zip(spans, self.covered.tolist(), strict=True))])
        self._starts = ends[:-1, None]
        self._labels = np.full(int(ends[-1]), _UNKNOWN, dtype=np.int32)

    def __call__(self, codes: Codes, present: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Labels, shape `(supernode, n)`; −1 where a supernode is not present or has no table."""
        # Products of small whole numbers: exact in double precision, and fast.
        at = (self._weights @ (codes.T + 1.0)).astype(np.int64)
        at += self._starts
        wanted = present & self.covered[:, None]
        if not self.covered.all():
            at[~self.covered] = 0
        if not len(self._labels):
            return np.full(present.shape, -1, dtype=np.int32)
        labels = self._labels[at]
        new = (labels == _UNKNOWN) & wanted
        if new.any():
            for place in np.unique(at[new]).tolist():
                self._labels[place] = self._evaluated(place)
            labels[new] = self._labels[at[new]]
        labels[~wanted] = -1
        return labels

    def _evaluated(self, place: int) -> int:
        # A supernode without a table starts where the next one does, so the last that starts here has one.
        node = int(np.searchsorted(self._starts[:, 0], place, side="right")) - 1
        rest, picked = place - int(self._starts[node, 0]), []
        for radix in self._radices[node]:
            rest, digit = divmod(rest, radix)
            picked.append(digit - 1)
        return self._label(node, tuple(picked))
