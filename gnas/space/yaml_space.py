"""`YamlSpace`: a search space written in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Assignment, Value
from gnas.errors import SpaceError
from gnas.space.count import count_constrained
from gnas.space.definition import Definition, compile_definition
from gnas.space.marks import accepted_names, suggestion
from gnas.space.moves import Moves
from gnas.space.program import Label
from gnas.space.protocol import Choice, Codes, holds
from gnas.space.pruned import Graphs
from gnas.space.scope import text_of
from gnas.space.tree import AssignmentTree, is_among

if TYPE_CHECKING:
    from gnas.build import Network
    from gnas.ops import Op, TensorType

_CHUNK = 1 << 16


class YamlSpace:
    """A search space compiled from YAML; see `docs/spaces.md` for the language.

    Args:
        name: Its name.
        text: The YAML.
        file: Name of the file, for messages.
        restrict: Values allowed for choices, by name or pattern (`layers.*.conv`).

    Attributes:
        text, restrict: As given: they make the same space again.

    Raises:
        SpaceError: The definition is wrong, or no assignment is valid.
    """

    def __init__(self, name: str, text: str, file: str, restrict: Mapping[str, Iterable[Value]] | None = None) -> None:
        self._name = name
        self.text = text
        restricted = {
            k: tuple(tuple(v) if isinstance(v, list) else v for v in vs) for k, vs in (restrict or {}).items()
        }
        self.restrict: Mapping[str, tuple[Value, ...]] = restricted
        self._fingerprint = blake2b(
            f"{text}\0{sorted((k, repr(v)) for k, v in restricted.items())}".encode(), digest_size=16
        ).hexdigest()
        self.definition: Definition = compile_definition(text, file, restricted)
        self._program = self.definition.program
        self._moves = Moves(self.choices, self._meets)
        self._tree = AssignmentTree(self.choices)
        self._index = {c.name: i for i, c in enumerate(self.choices)}
        self._bound: tuple[Mapping[str, Op], Mapping[str, TensorType], TensorType] | None = None

    @property
    def name(self) -> str:
        """Its name, `nasbench201` or `<domain>/default` for one shipped in `gnas_spaces`."""
        return self._name

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices, parents before children."""
        return self._program.choices

    @property
    def fingerprint(self) -> str:
        """Digest of the definition and its restrictions."""
        return self._fingerprint

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """`n` assignments, uniform over all valid assignments; shape `(n, choice)`."""
        codes = self._tree.sample(rng, n)
        if not self.definition.constraints:
            return codes
        kept = [codes[self._meets(codes)]]
        found, drawn = len(kept[0]), n
        while found < n:
            if found == 0 and drawn > 200_000:
                raise SpaceError("no assignment that fulfils the constraints was found", place=self.definition.file)
            more = self._tree.sample(rng, max(256, min(1 << 20, int((n - found) * drawn / max(found, 1) * 1.1) + 1)))
            kept.append(more[self._meets(more)])
            found, drawn = found + len(kept[-1]), drawn + len(more)
        return np.concatenate(kept)[:n]

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Each row with one active choice changed to another value, then repaired to a valid assignment."""
        return self._moves.mutate(np.asarray(codes, dtype=np.int16), rng)

    def cross_codes(self, a: Codes, b: Codes, rng: np.random.Generator) -> Codes:
        """Uniform crossover row by row, repaired."""
        return self._moves.cross(np.asarray(a, dtype=np.int16), np.asarray(b, dtype=np.int16), rng)

    def neighbour_codes(self, code: Codes) -> Codes:
        """All assignments one change away from the row `code`, shape `(choice,)`; choices it activates take their first
        value.
        """
        return self._moves.neighbours(np.asarray(code, dtype=np.int16))

    def contains_codes(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows are valid; shape `(n,)`."""
        good = self._moves.well_formed(codes)
        if self.definition.constraints and good.any():
            good[good] = self._meets(codes[good])
        return good

    def iterate_codes(self, chunk: int = _CHUNK) -> Iterator[Codes]:
        """Every valid assignment, in chunks of at most `chunk` rows.

        Raises:
            SpaceError: More than 2^62 assignments.
        """
        if self._tree.count >= 1 << 62:
            raise SpaceError("the space is too large to enumerate", place=self._name, value=self._tree.count)
        for start in range(0, self._tree.count, chunk):
            codes = self._tree.unrank(np.arange(start, min(start + chunk, self._tree.count)))
            codes = codes[self._meets(codes)]
            if len(codes):
                yield codes

    def digests(self, codes: Codes) -> NDArray[np.bytes_]:
        """Canonical digests, `S32` hexadecimal, shape `(n,)`: those of the decoded architectures."""
        codes = np.asarray(codes, dtype=np.int16)
        parts = [self._program.digests(codes[start : start + _CHUNK]) for start in range(0, len(codes), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0, dtype="S32")

    def graphs(self, codes: Codes) -> tuple[Graphs, Sequence[Label]]:
        """The pruned graphs of rows, shape `(n, choice)`, all at once, and the labels that theirs are indices into."""
        return self._program.graphs(np.asarray(codes, dtype=np.int16)), self._program.labels

    def live_choices(self, codes: Codes, graphs: Graphs | None = None) -> NDArray[np.bool_]:
        """Which active choices have a say in the pruned graph, as those of dead edges have not; shape `(n, choice)`.

        `graphs` are those of the rows, if they are at hand.
        """
        return self._program.live_choices(np.asarray(codes, dtype=np.int16), graphs)

    def count(self) -> int:
        """Exact number of valid assignments.

        Raises:
            SpaceError: The constraints tie so many choices that they cannot be enumerated.
        """
        return self._count

    @property
    def size_bound(self) -> int:
        """Number of assignments before constraints."""
        return self._tree.count

    def complete_first(self, codes: Codes) -> Codes:
        """Rows in which active choices without a value take their first."""
        codes = codes.copy()
        for column in range(len(self.choices)):
            codes[self._moves.active(codes, column) & (codes[:, column] < 0), column] = 0
        return codes

    def with_value(self, column: int, code: int, pool: Codes, rng: np.random.Generator) -> Codes | None:
        """A valid row in which the choice of `column` takes `code`, made by changing rows of `pool`; None if none was
        found.
        """
        rows = pool[:64].copy()
        for ancestor in self._ancestry(column):
            for parent, values in self.choices[ancestor].when:
                where = self._index[parent]
                codes = [k for k, v in enumerate(self.choices[where].values) if is_among(v, values)]
                rows[:, where] = np.where(np.isin(rows[:, where], codes), rows[:, where], codes[0])
        rows[:, column] = code
        rows = self._moves.repair(rows, rng)
        good = np.flatnonzero((rows[:, column] == code) & self.contains_codes(rows))
        return rows[good[0]] if good.size else None

    def _ancestry(self, column: int) -> list[int]:
        """The choice and all it depends on, children first."""
        return [column, *(a for name, _ in self.choices[column].when for a in self._ancestry(self._index[name]))]

    @cached_property
    def _count(self) -> int:
        constraints = self.definition.constraints
        if not constraints:
            return self._tree.count
        return count_constrained(self.choices, constraints, self._moves, self.definition.file)

    def encode(self, assignment: Mapping[str, Value]) -> Codes:
        """Row of codes of an assignment, shape `(choice,)`.

        Raises:
            SpaceError: Unknown choice or value, a missing or an inactive choice, or a constraint not met.
        """
        row = np.full(len(self.choices), -1, dtype=np.int16)
        for name, value in assignment.items():
            if name not in self._index:
                known = list(self._index)
                raise SpaceError(
                    f"no choice is named {name!r}",
                    place=self._name,
                    accepted=accepted_names(known),
                    remedy=suggestion(name, known) or None,
                )
            values = self.choices[self._index[name]].values
            value = tuple(value) if isinstance(value, list) else value
            if not is_among(value, values):
                texts = [text_of(v) for v in values]
                raise SpaceError(
                    f"choice {name!r} has no such value",
                    place=self._name,
                    value=value,
                    accepted=accepted_names(texts),
                    remedy=suggestion(value, texts) or None,
                )
            row[self._index[name]] = next(k for k, v in enumerate(values) if is_among(value, [v]))
        self._check_row(row)
        return row

    def _check_row(self, row: Codes) -> None:
        for column, choice in enumerate(self.choices):
            active = bool(self._moves.active(row[None], column)[0])
            if active != bool(row[column] >= 0):
                state = "active and needs a value" if active else "not active"
                raise SpaceError(
                    f"choice {choice.name!r} is {state} in this assignment",
                    place=self._name,
                    value=None if active else choice.values[int(row[column])],
                    accepted=accepted_names(map(text_of, choice.values)) if active else "no value",
                )
        for constraint in self.definition.constraints:
            if not constraint.holds(row[None])[0]:
                raise SpaceError("the assignment breaks a constraint", place=self._name, accepted=constraint.text)

    def assignment(self, code: Codes) -> Assignment:
        """Names and values of the active choices of one row."""
        return tuple((c.name, c.values[k]) for c, k in zip(self.choices, code.tolist(), strict=True) if k >= 0)

    def decode(self, code: Codes) -> Architecture:
        """The architecture of one row, shape `(choice,)`, pruned."""
        code = np.asarray(code, dtype=np.int16)
        return self._program.decode(code, self.assignment(code))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One architecture, uniform over the valid assignments."""
        return self.decode(self.sample_codes(rng, 1)[0])

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """The architecture with one choice changed."""
        return self.decode(self.mutate_codes(self.encode(dict(architecture.assignment))[None], rng)[0])

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """A child of two architectures."""
        rows = [self.encode(dict(x.assignment))[None] for x in (a, b)]
        return self.decode(self.cross_codes(rows[0], rows[1], rng)[0])

    def neighbours(self, architecture: Architecture) -> tuple[Architecture, ...]:
        """Every architecture one changed choice away."""
        return tuple(self.decode(row) for row in self.neighbour_codes(self.encode(dict(architecture.assignment))))

    def contains(self, architecture: Architecture) -> bool:
        """Whether its assignment is valid here and decodes to the same graph."""
        return holds(self, architecture)

    def bind(self, ops: Mapping[str, Op], inputs: Mapping[str, TensorType], output: TensorType) -> YamlSpace:
        """This space with the ops that build its networks, every choice checked by type inference.

        Args:
            ops: Ops by name.
            inputs: Types of the model inputs, in the order of the networks' forward.
            output: Type every network must return.

        Raises:
            SpaceError: An architecture of this space would not be a valid network; with the place in the YAML.
        """
        from gnas.space.bind import check_types

        check_types(self, ops, inputs, output)
        bound = copy(self)
        bound._bound = (ops, inputs, output)
        return bound

    def build(self, architecture: Architecture) -> Network:
        """The module of an architecture.

        Raises:
            SpaceError: The space is not bound to ops (`bind`).
            InvalidShapeError: Types do not fit.
        """
        if self._bound is None:
            raise SpaceError(
                "the space is not bound to ops", place=self._name, remedy="call space.bind(ops, inputs, output) first"
            )
        from gnas.build import build_network

        return build_network(architecture, *self._bound)

    def _meets(self, codes: Codes) -> NDArray[np.bool_]:
        good = np.ones(len(codes), dtype=bool)
        for constraint in self.definition.constraints:
            if good.any():
                good[good] = constraint.holds(codes[good])
        return good
