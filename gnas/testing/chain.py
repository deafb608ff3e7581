"""ChainSpace: a small search space in plain Python, for tests of searchers and predictors; and a study in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Node, Value
from gnas.errors import SpaceError
from gnas.evaluation import Constraint, Evaluation, Objective, Status
from gnas.space.protocol import Choice, Codes, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ChainSpace:
    """Chains of up to `depth` operations of one width; `skip` leaves no node, so many assignments are isomorphic.

    The operation at position `i` is a conditional choice: it is active where the chain is at least that long.

    Attributes:
        depth: Longest chain.
        ops: Operations beside `skip`.
        widths: Values of the ordinal choice `width`.
    """

    depth: int = 4
    ops: tuple[str, ...] = ("conv3", "conv1", "pool")
    widths: tuple[int, ...] = (8, 16, 32, 64)

    @property
    def name(self) -> str:
        """Name of the space."""
        return "testing/chain"

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """`depth`, `width`, then one operation a position."""
        depths = tuple(range(1, self.depth + 1))
        ops = tuple(
            Choice(f"op.{i}", (*self.ops, "skip"), when=(("depth", tuple(d for d in depths if d >= i)),))
            for i in depths
        )
        return (Choice("depth", depths, ordinal=True), Choice("width", self.widths, ordinal=True), *ops)

    @property
    def fingerprint(self) -> str:
        """Text of the definition."""
        return f"chain {self.depth} {self.ops} {self.widths}"

    @cached_property
    def _all(self) -> Codes:
        n_ops = len(self.ops) + 1
        blocks = []
        for depth in range(self.depth):
            grid = np.indices((len(self.widths), *[n_ops] * (depth + 1))).reshape(depth + 2, -1).T
            rows = np.full((len(grid), self.depth + 2), -1, dtype=np.int16)
            rows[:, 0] = depth
            rows[:, 1 : depth + 3] = grid
            blocks.append(rows)
        return np.concatenate(blocks)

    @cached_property
    def _digests(self) -> dict[bytes, str]:
        return {}

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """`n` uniform rows."""
        rows: Codes = self._all[rng.integers(len(self._all), size=n)]
        return rows

    def _repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        active = np.arange(1, self.depth + 1)[None, :] <= codes[:, :1] + 1
        fresh = rng.integers(len(self.ops) + 1, size=active.shape).astype(np.int16)
        ops = np.where(codes[:, 2:] < 0, fresh, codes[:, 2:])
        rows: Codes = np.concatenate([codes[:, :2], np.where(active, ops, np.int16(-1))], axis=1).astype(np.int16)
        return rows

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """One active choice of each row changed."""
        changed = codes.copy()
        for row in changed:
            sizes = np.array([len(choice.values) for choice in self.choices])
            free = np.flatnonzero((row >= 0) & (sizes > 1))
            if len(free):
                i = rng.choice(free)
                row[i] = (row[i] + rng.integers(1, sizes[i])) % sizes[i]
        return self._repair(changed, rng)

    def cross_codes(self, a: Codes, b: Codes, rng: np.random.Generator) -> Codes:
        """Uniform crossover."""
        return self._repair(np.where(rng.random(a.shape) < 0.5, a, b).astype(np.int16), rng)

    def neighbour_codes(self, code: Codes) -> Codes:
        """All valid rows that differ in one choice; a longer or shorter chain keeps its common part."""
        differs = self._all != code[None, :]
        same_depth = ~differs[:, 0] & (differs.sum(axis=1) == 1)
        common = (self._all[:, 1:] == code[None, 1:]) | (self._all[:, 1:] < 0) | (code[None, 1:] < 0)
        other_depth = (abs(self._all[:, 0] - code[0]) == 1) & common.all(axis=1)
        rows: Codes = self._all[same_depth | other_depth]
        return rows

    def contains_codes(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows are valid."""
        valid = {row.tobytes() for row in self._all}
        return np.array([row.astype(np.int16).tobytes() in valid for row in codes], dtype=np.bool_)

    def iterate_codes(self, chunk: int = 65536) -> Iterator[Codes]:
        """Every row."""
        for start in range(0, len(self._all), chunk):
            yield self._all[start : start + chunk]

    def digests(self, codes: Codes) -> NDArray[np.bytes_]:
        """Digest of each row."""
        known, out = self._digests, []
        for row in codes:
            key = row.astype(np.int16).tobytes()
            if key not in known:
                known[key] = self.decode(row).digest
            out.append(known[key])
        return np.array(out, dtype="S32")

    def count(self) -> int:
        """Number of assignments."""
        return len(self._all)

    def encode(self, assignment: Mapping[str, Value]) -> Codes:
        """Row of an assignment."""
        names = [choice.name for choice in self.choices]
        row = np.full(len(names), -1, dtype=np.int16)
        for name, value in assignment.items():
            if name not in names or value not in self.choices[names.index(name)].values:
                raise SpaceError("unknown choice or value", place=name, value=value)
            row[names.index(name)] = self.choices[names.index(name)].values.index(value)
        return row

    def decode(self, code: Codes) -> Architecture:
        """The chain of one row."""
        assignment = tuple(
            (choice.name, choice.values[int(i)]) for choice, i in zip(self.choices, code, strict=True) if i >= 0
        )
        width = dict(assignment)["width"]
        nodes = [Node("input", (("name", "x"),))]
        for name, op in assignment[2:]:
            if op != "skip":
                nodes.append(Node(str(op), (("width", width),), (len(nodes) - 1,), name))
        return Architecture(tuple(nodes), (len(nodes) - 1,), assignment)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One chain."""
        return self.decode(self.sample_codes(rng, 1)[0])

    def contains(self, architecture: Architecture) -> bool:
        """Whether its assignment is valid and gives the same graph."""
        code = self.encode(dict(architecture.assignment))
        return bool(self.contains_codes(code[None])[0]) and self.decode(code).digest == architecture.digest

    def build(self, architecture: Architecture) -> nn.Module:
        """Chains describe no modules."""
        raise SpaceError("the space is not bound to ops", place=self.name, value=architecture.digest)


def chain_value(architecture: Architecture) -> float:
    """A smooth landscape on `ChainSpace`, larger is better: it likes `conv3` early, one `pool`, and a middle width."""
    ops = [node.op for node in architecture.nodes[1:]]
    width = float(cast(float, dict(architecture.assignment)["width"]))
    early = sum(1.0 / (i + 1) for i, op in enumerate(ops) if op == "conv3")
    pairs = sum(0.4 for a, b in pairwise(ops) if (a, b) == ("conv3", "conv1"))
    return early + pairs - 0.7 * abs(ops.count("pool") - 1) - 0.5 * abs(float(np.log2(width)) - 5.0) + 0.1 * len(ops)


@dataclass(frozen=True)
class MemoryStudy:
    """A `StudyView` in memory. Growing it returns a new one.

    Attributes:
        space: Where it searches.
        objective: Name and direction.
        constraints: Upper limits.
        evaluations: The history.
        pending: Asked for and not yet recorded.
        refuses: Why a constraint that is free to check refuses an architecture; empty if none does.
    """

    space: Space = field(default_factory=ChainSpace)
    objective: Objective = field(default_factory=lambda: Objective("score", "maximize"))
    constraints: tuple[Constraint, ...] = ()
    evaluations: Sequence[Evaluation] = ()
    pending: Sequence[Architecture] = ()
    refuses: Callable[[Architecture], str] = lambda architecture: ""

    def infeasible(self, architecture: Architecture) -> str:
        """Why a free constraint refuses it."""
        return self.refuses(architecture)

    def told(
        self,
        architecture: Architecture,
        value: float | None,
        *,
        status: Status = "ok",
        costs: Mapping[str, float] | None = None,
    ) -> MemoryStudy:
        """The study with one more evaluation; `None` records no objective."""
        values = {**(costs or {}), **({} if value is None else {self.objective.name: value})}
        number = len(self.evaluations)
        evaluation = Evaluation(number, architecture.digest, architecture.assignment, status, values)
        return replace(self, evaluations=(*self.evaluations, evaluation))

    def waiting(self, *architectures: Architecture) -> MemoryStudy:
        """The study with more pending architectures."""
        return replace(self, pending=(*self.pending, *architectures))
