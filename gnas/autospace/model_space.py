"""`ModelSpace`: the sub-networks of a model as an ordinary search space."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Assignment, Value
from gnas.autospace.circuit import Liveness, Mask
from gnas.autospace.decisions import MOST_STATES, Decisions
from gnas.autospace.records import DROP, KEEP, Circuit, Unit, WidthGroup
from gnas.errors import SpaceError
from gnas.space.marks import accepted_names, suggestion
from gnas.space.moves import Moves
from gnas.space.protocol import Choice, Codes, holds
from gnas.space.tree import is_among

if TYPE_CHECKING:
    from torch import nn

OFF = "off"
ON = "on"
_CHUNK = 1 << 16
_MEMO_SIZE = 1 << 16


class ModelSpace:
    """Keep or drop of units, bypasses, and widths: every assignment that leaves all outputs alive.

    Units that every valid assignment keeps, and width groups of one accepted count, are no choices.

    Args:
        name: Its name.
        circuit: Liveness of the model.
        units: What the circuit's units are, in its order.
        bypasses: Further choices of `off` or `on` that no constraint ties.
        groups: Widths, which no constraint ties.
        reduce: Assignment to the architecture that is left of the model: equal digests for equal sub-networks. Units
            without a say (`live_choices`) must not change it.
        build: Architecture to its module.
        fingerprint: Digest of the model.
        most_states: See `Decisions.of`.

    Attributes:
        units, bypasses, groups: As given.
        liveness: The circuit, compiled.
        decisions: Which units may be dropped together, with those forced and those pinned.

    Raises:
        SpaceError: Two choices share a name, or the circuit and its units do not fit.
    """

    def __init__(
        self,
        name: str,
        circuit: Circuit,
        units: Sequence[Unit],
        bypasses: Sequence[Unit],
        groups: Sequence[WidthGroup],
        reduce: Callable[[Assignment], Architecture],
        build: Callable[[Architecture], nn.Module],
        fingerprint: str,
        most_states: int = MOST_STATES,
    ) -> None:
        if len(units) != circuit.n_units:
            raise SpaceError("not as many units as the circuit has", place=name, value=len(units))
        self._name = name
        self.units, self.bypasses, self.groups = tuple(units), tuple(bypasses), tuple(groups)
        self._reduce, self._build = reduce, build
        self.liveness = Liveness(circuit)
        self.decisions = Decisions.of(self.liveness, most_states)
        self._open = list(self.decisions.open)
        self._varying = [i for i, group in enumerate(self.groups) if len(group.kept) > 1]
        self._choices = (
            *(Choice(self.units[i].name, (KEEP, DROP)) for i in self._open),
            *(Choice(unit.name, (OFF, ON)) for unit in self.bypasses),
            *(Choice(self.groups[i].name, self.groups[i].kept, ordinal=True) for i in self._varying),
        )
        self._index = {choice.name: i for i, choice in enumerate(self._choices)}
        if len(self._index) < len(self._choices):
            names = [choice.name for choice in self._choices]
            raise SpaceError("two choices share a name", place=name, value=next(n for n in names if names.count(n) > 1))
        self._bypass = slice(len(self._open), len(self._open) + len(self.bypasses))
        self._width = slice(self._bypass.stop, len(self._choices))
        self._fingerprint = blake2b(f"{fingerprint}\0{self._choices!r}".encode(), digest_size=16).hexdigest()
        self._moves = Moves(self._choices, self._lives)
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Units, then bypasses, then widths; none depends on another."""
        return self._choices

    @property
    def fingerprint(self) -> str:
        """Digest of the model and of the choices."""
        return self._fingerprint

    def kept(self, codes: Codes) -> Mask:
        """Which units of the circuit rows keep, those that are no choices included; `(n, choice)` to `(n, unit)`."""
        found = np.ones((len(codes), len(self.units)), dtype=np.bool_)
        found[:, self._open] = codes[:, : len(self._open)] == 0
        return found

    def bypassed(self, codes: Codes) -> Mask:
        """Which bypasses rows take; `(n, choice)` to `(n, bypass)`."""
        return codes[:, self._bypass].astype(np.bool_)

    def widths(self, codes: Codes) -> NDArray[np.int64]:
        """How many channels of each group rows keep; `(n, choice)` to `(n, group)`."""
        found = np.tile(np.array([group.kept[-1] for group in self.groups], dtype=np.int64), (len(codes), 1))
        for column, i in zip(range(self._width.start, self._width.stop), self._varying, strict=True):
            found[:, i] = np.array(self.groups[i].kept)[codes[:, column]]
        return found

    def full(self) -> Architecture:
        """The whole model: nothing dropped or bypassed, full widths."""
        return self.decode(self._row(np.ones(len(self.units), dtype=np.bool_), 0, last=True))

    def smallest(self, cost: Sequence[float] | NDArray[np.float64] | None = None) -> Architecture:
        """Units greedily dropped, those of highest `cost` first (shape `(unit,)`), all bypasses taken, least widths."""
        values = np.ones(len(self.units)) if cost is None else cost
        return self.decode(self._row(self.liveness.smallest(values, self.decisions.pinned), 1, last=False))

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """`n` assignments, uniform over all valid assignments; shape `(n, choice)`."""
        columns = np.empty((len(self._choices), n), dtype=np.int16)
        columns[: len(self._open)] = ~self.decisions.sample(rng, n).T[self._open]
        for column in range(len(self._open), len(self._choices)):
            columns[column] = rng.integers(int(self._moves.sizes[column]), size=n, dtype=np.int16)
        return np.ascontiguousarray(columns.T)

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Each row with one choice changed to another value, such that it stays valid."""
        return self._moves.mutate(np.asarray(codes, dtype=np.int16), rng)

    def cross_codes(self, a: Codes, b: Codes, rng: np.random.Generator) -> Codes:
        """Uniform crossover row by row; no more units are kept again than needed to be valid, chosen at random."""
        child = np.where(rng.random(np.shape(a)) < 0.5, a, b).astype(np.int16)
        child[:, : len(self._open)] = ~self.liveness.repair(self.kept(child), rng)[:, self._open]
        return child

    def neighbour_codes(self, code: Codes) -> Codes:
        """All assignments one change away from the row `code`, shape `(choice,)`."""
        return self._moves.neighbours(np.asarray(code, dtype=np.int16))

    def contains_codes(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows are valid; shape `(n,)`."""
        codes = np.asarray(codes)
        good: Mask = np.logical_and.reduce((codes >= 0) & (codes < self._moves.sizes), axis=1)
        good[good] = self._lives(codes[good])
        return good

    def live_choices(self, codes: Codes) -> NDArray[np.bool_]:
        """Which choices have a say: not those of units that only dead or unused parts read; shape `(n, choice)`."""
        found = np.ones(np.shape(codes), dtype=np.bool_)
        found[:, : len(self._open)] = self.liveness.has_a_say(self.kept(codes))[:, self._open]
        return found

    def iterate_codes(self, chunk: int = _CHUNK) -> Iterator[Codes]:
        """Every valid assignment, in chunks of at most `chunk` rows.

        Raises:
            SpaceError: 2^62 assignments or more.
        """
        count = self.count()
        if count >= 1 << 62:
            raise SpaceError("the space is too large to enumerate", place=self._name, value=count)
        for start in range(0, count, chunk):
            left = np.arange(start, min(start + chunk, count), dtype=np.int64)
            rows = np.empty((len(left), len(self._choices)), dtype=np.int16)
            left, mine = np.divmod(left, self.decisions.count)
            rows[:, : len(self._open)] = ~self.decisions.unrank(mine)[:, self._open]
            for column in range(len(self._open), len(self._choices)):
                left, rows[:, column] = np.divmod(left, int(self._moves.sizes[column]))
            yield rows

    def digests(self, codes: Codes) -> NDArray[np.bytes_]:
        """Canonical digests, `S32` hexadecimal, shape `(n,)`: those of the decoded architectures.

        Rows that differ only in units without a say are decoded once, and remembered.
        """
        codes = np.asarray(codes, dtype=np.int16)
        found = np.empty(len(codes), dtype="S32")
        for i, row in enumerate(np.where(self.live_choices(codes), codes, np.int16(1))):
            key = row.tobytes()
            digest = self._digests.get(key)
            if digest is None:
                digest = self._digests[key] = self.decode(row).digest.encode()
                if len(self._digests) > _MEMO_SIZE:
                    self._digests.popitem(last=False)
            found[i] = digest
        return found

    def count(self) -> int:
        """Exact number of valid assignments."""
        return self.decisions.count * prod(len(choice.values) for choice in self._choices[len(self._open) :])

    def encode(self, assignment: Mapping[str, Value]) -> Codes:
        """Row of codes of an assignment, shape `(choice,)`.

        Raises:
            SpaceError: An unknown or missing choice, an unknown value, or an output that would be dead.
        """
        row = np.full(len(self._choices), -1, dtype=np.int16)
        for name, value in assignment.items():
            if name not in self._index:
                raise SpaceError(
                    f"no choice is named {name!r}",
                    place=self._name,
                    accepted=accepted_names(self._index),
                    remedy=suggestion(name, list(self._index)) or None,
                )
            row[self._index[name]] = self._code(self._choices[self._index[name]], value)
        if (row < 0).any():
            choice = self._choices[int(np.argmin(row))]
            raise SpaceError(
                f"choice {choice.name!r} needs a value",
                place=self._name,
                accepted=accepted_names(map(str, choice.values)),
            )
        if not self._lives(row[None])[0]:
            raise SpaceError(
                "nothing would reach an output of the model", place=self._name, remedy="keep more of its units"
            )
        return row

    def assignment(self, code: Codes) -> Assignment:
        """Names and values of one row."""
        return tuple((c.name, c.values[k]) for c, k in zip(self._choices, code.tolist(), strict=True))

    def decode(self, code: Codes) -> Architecture:
        """The architecture of one row, shape `(choice,)`."""
        assignment = self.assignment(np.asarray(code, dtype=np.int16))
        found = self._reduce(assignment)
        return found if found.assignment == assignment else replace(found, assignment=assignment)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One architecture, uniform over the valid assignments."""
        return self.decode(self.sample_codes(rng, 1)[0])

    def contains(self, architecture: Architecture) -> bool:
        """Whether its assignment is valid here and decodes to the same graph."""
        return holds(self, architecture)

    def build(self, architecture: Architecture) -> nn.Module:
        """The sub-network of an architecture, with the model's weights."""
        return self._build(architecture)

    def _lives(self, codes: Codes) -> NDArray[np.bool_]:
        return self.liveness.valid(self.kept(codes))

    def _row(self, kept: Mask, bypass: int, *, last: bool) -> Codes:
        """The row that keeps some units, shape `(unit,)`, takes all bypasses or none, and all full or least widths."""
        row = np.zeros(len(self._choices), dtype=np.int16)
        row[: len(self._open)] = ~kept[self._open]
        row[self._bypass] = bypass
        row[self._width] = self._moves.sizes[self._width] - 1 if last else 0
        return row

    def _code(self, choice: Choice, value: Value) -> int:
        for code, known in enumerate(choice.values):
            if is_among(value, [known]):
                return code
        texts = [str(known) for known in choice.values]
        raise SpaceError(
            f"choice {choice.name!r} has no such value",
            place=self._name,
            value=value,
            accepted=accepted_names(texts),
            remedy=suggestion(value, texts) or None,
        )
