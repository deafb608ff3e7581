"""Constraints on assignments beyond the conditions of choices.

`{count: {choices: [patterns], values: […], min: a, max: b}}`: how many of the choices take one of the values.
`{forbid: {choice: [values], …}}`: a combination that must not occur.
`connected: true`: every output still reads an input once dead nodes are pruned.
`{apart: [a, b]}`: in the pruned graph node `b` does not read node `a` directly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import IDENTITY, NONE, Value
from gnas.errors import SpaceError
from gnas.space.cube import Cube
from gnas.space.marks import MarkedDict, MarkedList, accepted_names, check_keys, suggestion
from gnas.space.program import Program, Supernode
from gnas.space.protocol import Codes
from gnas.space.scope import as_value, text_of
from gnas.space.tree import is_among

KINDS = ("count", "forbid", "connected", "apart")


class Constraint(Protocol):
    """A condition on whole assignments."""

    @property
    def choices(self) -> frozenset[str]:
        """The choices it depends on."""
        ...

    @property
    def text(self) -> str:
        """What it demands, for people."""
        ...

    def holds(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows of `codes`, shape `(n, choice)`, fulfil it."""
        ...


@dataclass(frozen=True)
class CountConstraint:
    """How many of some choices take one of some values."""

    columns: tuple[tuple[int, NDArray[np.bool_]], ...]
    low: int
    high: int
    choices: frozenset[str]
    text: str

    def holds(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows keep the bounds."""
        total = np.zeros(len(codes), dtype=np.int64)
        for column, table in self.columns:
            total += table[codes[:, column]]
        found: NDArray[np.bool_] = (total >= self.low) & (total <= self.high)
        return found


@dataclass(frozen=True)
class ForbiddenConstraint:
    """A combination that must not occur."""

    columns: tuple[tuple[int, NDArray[np.bool_]], ...]
    choices: frozenset[str]
    text: str

    def holds(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows avoid it."""
        met = np.ones(len(codes), dtype=bool)
        for column, table in self.columns:
            met &= table[codes[:, column]]
        return ~met


@dataclass(frozen=True)
class ConnectedConstraint:
    """The pruned graph is not empty."""

    program: Program
    choices: frozenset[str]
    text: str = "every output reads an input"

    def holds(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows keep their outputs."""
        found: NDArray[np.bool_] = self.program.graphs(codes).outputs[0] >= 0
        return found


@dataclass(frozen=True)
class ApartConstraint:
    """One node does not read another directly, in the pruned graph."""

    program: Program
    source: int
    reader: int
    choices: frozenset[str]
    text: str

    def holds(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows keep them apart."""
        graphs = self.program.graphs(codes)
        touching = np.zeros(len(codes), dtype=bool)
        for read in graphs.reads[self.reader]:
            touching |= (read == self.source) & graphs.live[self.reader]
        return ~touching


def read_constraints(data: Any, program: Program, place: str) -> tuple[Constraint, ...]:
    """Read the `constraints:` section.

    Raises:
        SpaceError: Malformed, or a name that matches nothing.
    """
    if data is None:
        return ()
    if not isinstance(data, MarkedList):
        raise SpaceError(
            "`constraints` is a list",
            place=place,
            value=data,
            accepted="- {count: …}, - {forbid: …}, - connected: true",
        )
    return tuple(_read(item, program, data.at(k)) for k, item in enumerate(data))


def _read(item: Any, program: Program, place: str) -> Constraint:
    if not isinstance(item, MarkedDict) or len(item) != 1:
        raise SpaceError("a constraint is a mapping with one key", place=place, value=item, accepted=", ".join(KINDS))
    check_keys(item, KINDS, "a constraint")
    if "count" in item:
        return _read_count(item["count"], program, item.at("count"))
    if "forbid" in item:
        return _read_forbid(item["forbid"], program, item.at("forbid"))
    structural = structural_choices(program)
    if "connected" in item:
        if item["connected"] is not True:
            raise SpaceError("`connected` is true or absent", place=place, value=item["connected"])
        return ConnectedConstraint(program, structural)
    pair = item["apart"]
    if not isinstance(pair, MarkedList) or len(pair) != 2:
        raise SpaceError("`apart` names two nodes", place=item.at("apart"), value=pair, accepted="[source, reader]")
    names = [n.name for n in program.nodes]
    for k, name in enumerate(pair):
        if name not in names:
            raise SpaceError(
                f"no node is named {name!r}",
                place=pair.at(k),
                accepted=accepted_names(names),
                remedy=suggestion(name, names) or None,
            )
    source, reader = (names.index(n) for n in pair)
    return ApartConstraint(program, source, reader, structural, f"{pair[1]} does not read {pair[0]} directly")


def structural_choices(program: Program) -> frozenset[str]:
    """The choices on which the shape of the pruned graph depends: all but those that only choose among ops and
    parameters.
    """
    cubes: list[Cube] = [n.when for n in program.nodes]
    cubes.extend(cube for n in program.nodes for wire in n.wires for cube, _ in wire)
    cubes.extend(cube for wire in program.outputs for cube, _ in wire)
    names = {name for cube in cubes for name, _ in cube}
    for node in program.nodes:
        if {NONE, IDENTITY} & set(possible_ops(node, program)):
            names.update(node.label_choices())
    return frozenset(names)


def possible_ops(node: Supernode, program: Program) -> tuple[Value, ...]:
    """Every op a supernode can take."""
    values = {c.name: c.values for c in program.choices}

    def of(term: Any) -> tuple[Value, ...]:
        if not term.choice:
            return (term.const,)
        if not term.cases:
            return values[term.choice]
        return tuple(v for _, t in term.cases for v in of(t))

    return of(node.op)


def _tables(wanted: Iterable[tuple[str, Any, str]], program: Program) -> tuple[tuple[int, NDArray[np.bool_]], ...]:
    """Columns and look-up tables of accepted codes (the last entry, for the inactive −1, is False)."""
    names = [c.name for c in program.choices]
    found = []
    for pattern, accepted, place in wanted:
        matching = [k for k, n in enumerate(names) if fnmatchcase(n, pattern)]
        if not matching:
            raise SpaceError(
                f"no choice matches {pattern!r}",
                place=place,
                accepted=accepted_names(names),
                remedy=suggestion(pattern, names) or None,
            )
        values = (
            [as_value(v, place) for v in accepted] if isinstance(accepted, MarkedList) else [as_value(accepted, place)]
        )
        for k in matching:
            table = np.zeros(len(program.choices[k].values) + 1, dtype=bool)
            table[:-1] = [is_among(v, values) for v in program.choices[k].values]
            found.append((k, table))
    return tuple(found)


def _read_count(data: Any, program: Program, place: str) -> CountConstraint:
    keys = ("choices", "values", "min", "max")
    if not isinstance(data, MarkedDict) or not {"choices", "values"} <= set(data):
        raise SpaceError("`count` needs `choices` and `values`", place=place, value=data, accepted=", ".join(keys))
    check_keys(data, keys, "`count`")
    patterns = data["choices"] if isinstance(data["choices"], MarkedList) else [data["choices"]]
    columns = _tables([(str(p), data["values"], data.at("choices")) for p in patterns], program)
    low, high = data.get("min", 0), data.get("max", len(columns))
    for key, bound in (("min", low), ("max", high)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise SpaceError(f"`{key}` is a whole number", place=data.at(key), value=bound)
    text = f"{low} to {high} of {', '.join(map(str, patterns))} take {data['values']}"
    return CountConstraint(columns, low, high, frozenset(program.choices[k].name for k, _ in columns), text)


def _read_forbid(data: Any, program: Program, place: str) -> ForbiddenConstraint:
    if not isinstance(data, MarkedDict) or not data:
        raise SpaceError("`forbid` maps choices to values", place=place, value=data)
    columns = _tables([(key, accepted, data.at(key)) for key, accepted in data.items()], program)
    if len(columns) != len(data):
        raise SpaceError("`forbid` names single choices, no patterns", place=place, value=list(data))
    text = "not " + " with ".join(
        f"{k} = {text_of(v) if not isinstance(v, list) else list(v)}" for k, v in data.items()
    )
    return ForbiddenConstraint(columns, frozenset(data), text)
