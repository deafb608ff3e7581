"""What is known while a space definition is expanded: choices declared, names in sight, the conditions that hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from gnas.architecture import Scalar, Value
from gnas.errors import SpaceError
from gnas.space.cube import ALWAYS, Cube, both, negate
from gnas.space.marks import accepted_names, suggestion
from gnas.space.program import Supernode
from gnas.space.protocol import Choice
from gnas.space.tree import is_among
from gnas.space.wiring import Wire

MAX_ALTERNATIVES = 20_000


def text_of(value: Value) -> str:
    """A value as YAML would write it as a key."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(text_of(v) for v in value) + "]"
    return str(value)


def as_value(data: Any, place: str) -> Value:
    """A scalar, or a list of scalars as a tuple.

    Raises:
        SpaceError: Anything else.
    """
    if isinstance(data, list) and all(isinstance(v, Scalar) for v in data):
        return tuple(data)
    if isinstance(data, Scalar):
        return data
    raise SpaceError(
        "not a value", place=place, value=data, accepted="a number, a text, true, false, null, or a list of those"
    )


@dataclass
class Registry:
    """The choices declared so far, and the supernodes.

    Args:
        restrict: Values allowed for choices, by name or pattern (`layers.*.conv`).
    """

    restrict: Mapping[str, Iterable[Value]] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    nodes: list[Supernode] = field(default_factory=list)
    declared: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def add(self, name: str, values: tuple[Value, ...], ordinal: bool | None, when: Cube, place: str) -> str:
        """Declare a choice (again at the same place: the same choice, tied).

        Raises:
            SpaceError: No values, repeated values, a name taken, or a restriction to unknown values.
        """
        if name in self.choices:
            if self.places[name] != place:
                raise SpaceError(
                    f"the name {name!r} is taken by another choice",
                    place=place,
                    accepted=f"a name other than that of {self.places[name]}",
                    remedy="give the step or the choice its own name",
                )
            return name
        if not values:
            raise SpaceError(f"choice {name!r} has no values", place=place, accepted="at least one value")
        for k, value in enumerate(values):
            if is_among(value, values[:k]):
                raise SpaceError(f"choice {name!r} lists a value twice", place=place, value=value)
        if ordinal is None:
            numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
            ordinal = len(numbers) == len(values) > 1 and sorted(numbers) == numbers
        conditions = tuple((c, tuple(self.choices[c].values[k] for k in sorted(codes))) for c, codes in when)
        self.declared[name] = values
        self.choices[name] = Choice(name, self._restricted(name, values), ordinal, conditions)
        self.places[name] = place
        return name

    def size(self, name: str) -> int:
        """Number of values of a choice."""
        return len(self.choices[name].values)

    def codes(self, name: str, accepted: Iterable[Value]) -> frozenset[int]:
        """Codes of those of the accepted values that the choice can take."""
        accepted = tuple(accepted)
        return frozenset(k for k, v in enumerate(self.choices[name].values) if is_among(v, accepted))

    def active(self, name: str) -> Cube:
        """The condition under which a choice is active."""
        return tuple(sorted((c, self.codes(c, values)) for c, values in self.choices[name].when))

    def otherwise(self, cube: Cube, inside: Wire, outside: Wire) -> Wire:
        """`inside` where the cube holds, else `outside`."""
        found = list(guard(inside, cube))
        for part in negate(cube, self.size):
            found.extend(guard(outside, part))
        if len(found) > MAX_ALTERNATIVES:
            raise SpaceError("the conditions of a step multiply beyond what can be compiled", value=len(found))
        return tuple(found)

    def check_restrictions(self) -> None:
        """Refuse restrictions that met no choice.

        Raises:
            SpaceError: With a suggestion.
        """
        for pattern in self.restrict:
            if pattern not in self._used:
                raise SpaceError(
                    f"no choice is named {pattern!r}",
                    place=f"restrict.{pattern}",
                    accepted=accepted_names(self.choices),
                    remedy=suggestion(pattern, self.choices) or None,
                )

    def _restricted(self, name: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
        for pattern, given in self.restrict.items():
            if not fnmatchcase(name, pattern):
                continue
            self._used.add(pattern)
            wanted = tuple(tuple(v) if isinstance(v, list) else v for v in given)
            for value in wanted:
                if not is_among(value, self.declared[name]):
                    raise SpaceError(
                        f"choice {name!r} has no such value",
                        place=f"restrict.{pattern}",
                        value=value,
                        accepted=accepted_names(text_of(v) for v in self.declared[name]),
                        remedy=suggestion(value, [text_of(v) for v in self.declared[name]]) or None,
                    )
            values = tuple(v for v in values if is_among(v, wanted))
            if not values:
                raise SpaceError(f"the restrictions leave choice {name!r} no value", place=f"restrict.{pattern}")
        return values


def guard(wire: Wire, cube: Cube) -> Wire:
    """The wire where the cube holds, else absent."""
    if not cube:
        return wire
    return tuple((joined, node) for part, node in wire if (joined := both(part, cube)) is not None)


@dataclass(frozen=True)
class Scope:
    """Names in sight at one point of the definition.

    Attributes:
        registry: Shared by all scopes of a space.
        path: Place in the space, for names of nodes.
        when: Condition under which this point is reached.
        choice_path, choice_when: The same for the choices declared here; they differ in a tied cell.
        wires: Values by name.
        collections: Several values by name (`layers.*`).
        names: Choices by the name they have here.
        loops: Loop variables.
        incoming: What enters the body (`in`), if anything does.
    """

    registry: Registry
    path: str = ""
    when: Cube = ALWAYS
    choice_path: str = ""
    choice_when: Cube = ALWAYS
    wires: dict[str, Wire] = field(default_factory=dict)
    collections: dict[str, tuple[Wire, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    loops: dict[str, int] = field(default_factory=dict)

    def inner(self, name: str, cube: Cube = ALWAYS, *, wires: Mapping[str, Wire] | None = None) -> Scope | None:
        """The scope of a body named `name`, reached where `cube` also holds; None where it never is."""
        when, choice_when = both(self.when, cube), both(self.choice_when, cube)
        if when is None or choice_when is None:
            return None
        return replace(
            self,
            path=join(self.path, name),
            choice_path=join(self.choice_path, name),
            when=when,
            choice_when=choice_when,
            wires={**self.wires, **(wires or {})},
            collections=dict(self.collections),
            names=dict(self.names),
        )

    def choice_named(self, reference: str, place: str) -> str:
        """The full name of the choice that `$reference` means here.

        Raises:
            SpaceError: Unknown, or possibly inactive here.
        """
        name = self.names.get(reference, reference)
        if name not in self.registry.choices:
            known = sorted({*self.names, *self.loops, *self.registry.choices})
            raise SpaceError(
                f"no choice is named {reference!r} here",
                place=place,
                accepted=accepted_names(known),
                remedy=suggestion(reference, known) or "declare it under `choices` before it is used",
            )
        return name

    def declare(self, name: str, values: tuple[Value, ...], place: str, *, ordinal: bool | None = None) -> str:
        """Declare a choice here; its full name."""
        return self.registry.add(join(self.choice_path, name), values, ordinal, self.choice_when, place)


def join(path: str, name: str) -> str:
    """Dotted path."""
    return f"{path}.{name}" if path and name else path or name
