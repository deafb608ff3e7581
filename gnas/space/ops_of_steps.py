"""One op of a graph: its op, its parameters (some only for some ops), its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gnas.architecture import Value
from gnas.errors import SpaceError
from gnas.space.cube import ALWAYS, Cube, make_cube
from gnas.space.marks import MarkedDict, accepted_names, suggestion
from gnas.space.program import Supernode, Term
from gnas.space.scope import Scope, join, text_of
from gnas.space.values import read_term
from gnas.space.wiring import Wire

OP_KEYS = ("op", "by_op", "ordered")
_Param = tuple[str, Cube, Term]


def add_op(data: MarkedDict, scope: Scope, name: str, wires: tuple[Wire, ...], *, reserved: Iterable[str] = ()) -> Wire:
    """Add the supernode of an op step; keys that are not reserved are its parameters.

    Args:
        data: Mapping with `op`, and perhaps `by_op`, `ordered` and parameters.
        scope: Where it stands; its `when` is the node's condition.
        name: Its name below the scope's path; an inline choice of op has this name too.
        wires: Its inputs.
        reserved: Further keys that are not parameters.

    Raises:
        SpaceError: Malformed.
    """
    reserved = (*OP_KEYS, *reserved)
    op = read_term(data["op"], scope, name, data.at("op"))
    for value in ops_of(op, scope):
        if not isinstance(value, str) or not value:
            raise SpaceError("an op is a name", place=data.at("op"), value=value)
    params: list[_Param] = []
    for key, value in data.items():
        if key in reserved:
            continue
        if (meant := suggestion(key, reserved)) and len(key) > 1 and _nearly(key, reserved):
            raise SpaceError(
                f"unknown key {key!r} in a step", place=data.at(key), accepted=", ".join(reserved), remedy=meant
            )
        params.append((key, ALWAYS, read_term(value, scope, f"{name}.{key}", data.at(key))))
    if "by_op" in data:
        params.extend(_params_by_op(data, op, scope, name))
    ordered = data.get("ordered", False)
    if not isinstance(ordered, bool):
        raise SpaceError("`ordered` is true or false", place=data.at("ordered"), value=ordered)
    node = Supernode(join(scope.path, name), op, tuple(params), wires, scope.when, ordered, data.place)
    scope.registry.nodes.append(node)
    return ((ALWAYS, len(scope.registry.nodes) - 1),)


def ops_of(op: Term, scope: Scope) -> tuple[Value, ...]:
    """Every op a term can give."""
    if not op.choice:
        return (op.const,)
    if not op.cases:
        return scope.registry.choices[op.choice].values
    return tuple(v for _, term in op.cases for v in ops_of(term, scope))


def _nearly(key: str, reserved: Iterable[str]) -> bool:
    """Whether a parameter's name looks like a slip of a reserved key (one letter more, less, swapped or other)."""
    for word in reserved:
        if abs(len(word) - len(key)) <= 1 and len(word) > 2:
            if sorted(word) == sorted(key):
                return True
            longer, shorter = (word, key) if len(word) >= len(key) else (key, word)
            if len(longer) > len(shorter) and any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer))):
                return True
    return False


def _params_by_op(data: MarkedDict, op: Term, scope: Scope, name: str) -> list[_Param]:
    table: Any = data["by_op"]
    if not isinstance(table, MarkedDict):
        raise SpaceError("`by_op` maps ops to their parameters", place=data.at("by_op"), value=table)
    if op.cases:
        raise SpaceError("`by_op` needs an `op` that is one choice", place=data.at("by_op"))
    declared = scope.registry.declared[op.choice] if op.choice else (op.const,)
    found: list[_Param] = []
    for key, params in table.items():
        if key not in [text_of(v) for v in declared]:
            raise SpaceError(
                f"{key!r} is not an op of this step",
                place=table.at(key),
                accepted=accepted_names(text_of(v) for v in declared),
                remedy=suggestion(key, [text_of(v) for v in declared]) or None,
            )
        if not isinstance(params, MarkedDict):
            raise SpaceError("the parameters of an op are a mapping", place=table.at(key), value=params)
        codes = scope.registry.codes(op.choice, [key]) if op.choice else frozenset([0])
        if not codes:
            continue
        cube = make_cube({op.choice: codes}) if op.choice else ALWAYS
        inner = scope.inner("", cube)
        if inner is None:
            continue
        found.extend(
            (param, cube, read_term(value, inner, f"{name}.{key}.{param}", params.at(param)))
            for param, value in params.items()
        )
    for param in {p for p, _, _ in found} & (set(data) - {"op", "by_op"}):
        raise SpaceError(f"parameter {param!r} stands both in the step and in `by_op`", place=data.at(param))
    return found
