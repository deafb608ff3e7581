"""The `dag:` step: a small free DAG with ops on its edges, on its nodes, or on both.

Nodes are named by number from the sources on: with one source, `0` is the source and `1`, `2`, … the nodes. Choices are
named `2.inputs`, `0->2` (an edge), `2.edge0` (the op of a chosen input), `2` (the op of a node).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gnas.errors import SpaceError
from gnas.space.cube import ALWAYS, Cube, both, make_cube, negate
from gnas.space.marks import MarkedDict, check_keys, suggestion
from gnas.space.ops_of_steps import add_op
from gnas.space.scope import Scope, guard
from gnas.space.sources import subset_sizes, subset_wires
from gnas.space.values import read_term
from gnas.space.wiring import Wire

DAG_KEYS = ("nodes", "node", "edge", "join", "inputs", "output")


@dataclass(frozen=True)
class _Plan:
    """What a `dag:` says, checked."""

    data: MarkedDict
    sources: int
    node: MarkedDict | None
    edge: MarkedDict | None
    join: MarkedDict | None

    @classmethod
    def read(cls, data: Any, sources: int, place: str) -> _Plan:
        if not isinstance(data, MarkedDict):
            raise SpaceError("`dag` is a mapping", place=place, value=data, accepted=", ".join(DAG_KEYS))
        check_keys(data, DAG_KEYS, "a dag")
        plan = cls(data, sources, *(_op_mapping(data, key) for key in ("node", "edge", "join")))
        if plan.node is None and plan.join is None:
            raise SpaceError(
                "a dag needs `node`, or `join` to bring edges together", place=place, accepted=", ".join(DAG_KEYS)
            )
        return plan


def _op_mapping(data: MarkedDict, key: str) -> MarkedDict | None:
    """`sum`, `{choice: […]}` or `{op: …, …}` as a mapping with `op`."""
    if key not in data:
        return None
    body = data[key]
    if isinstance(body, MarkedDict) and "op" in body:
        return body
    if not isinstance(body, str) and not (isinstance(body, MarkedDict) and {"choice", "by"} & set(body)):
        raise SpaceError(
            f"`{key}` names an op",
            place=data.at(key),
            value=body,
            accepted="a name, {choice: […]}, or {op: …} with parameters",
        )
    made = MarkedDict(op=body)
    made.place, made.places = data.at(key), {"op": data.at(key)}
    return made


def expand_dag(data: Any, scope: Scope, name: str, sources: tuple[Wire, ...], place: str) -> Wire:
    """Expand a dag step; the value of its output.

    Raises:
        SpaceError: Malformed.
    """
    plan = _Plan.read(data, len(sources), place)
    inner = scope.inner(name)
    if inner is None:
        return ()
    times = read_term(plan.data.get("nodes"), inner, "nodes", plan.data.at("nodes"))
    values = inner.registry.choices[times.choice].values if times.choice else (times.const,)
    if any(not isinstance(v, int) or isinstance(v, bool) or v < 1 for v in values):
        raise SpaceError(
            "`nodes` is a number from 1 up, or a choice of such", place=plan.data.at("nodes"), value=values
        )
    counts = [v for v in values if isinstance(v, int)]
    known = {str(k): wire for k, wire in enumerate(sources)}
    leaf: dict[str, list[Cube]] = {n: [ALWAYS] for n in known}
    last: Wire = ()
    for j in range(len(sources), len(sources) + max(counts)):
        number = j - len(sources)
        cube = (
            make_cube({times.choice: [k for k, n in enumerate(counts) if n > number]})
            if times.choice and min(counts) <= number
            else ALWAYS
        )
        here = inner.inner("", cube)
        if here is None:
            break
        made, used = _expand_node(plan, here, str(j), known)
        for source, by in used.items():
            _no_longer_leaf(leaf, source, both(cube, by), inner)
        last = inner.registry.otherwise(cube, made, last)
        known[str(j)] = guard(made, cube)
        leaf[str(j)] = [cube]
    return _output(plan, inner, known, leaf, last)


def _no_longer_leaf(leaf: dict[str, list[Cube]], source: str, by: Cube | None, scope: Scope) -> None:
    """Narrow the condition under which `source` has no reader by a reader that has it where `by` holds."""
    if by is None:
        return
    rest = negate(by, scope.registry.size)
    leaf[source] = [joined for a in leaf[source] for b in rest if (joined := both(a, b)) is not None]


def _expand_node(plan: _Plan, scope: Scope, j: str, known: dict[str, Wire]) -> tuple[Wire, dict[str, Cube]]:
    """One node, and for each earlier one the condition under which this one reads it."""
    wires, used = _inputs(plan, scope, j, known)
    if plan.join is not None:
        wires = (add_op(plan.join, scope, f"{j}.join" if plan.node is not None else j, wires),)
    if plan.node is None:
        return wires[0], used
    return add_op(plan.node, scope, j, wires), used


def _inputs(plan: _Plan, scope: Scope, j: str, known: dict[str, Wire]) -> tuple[tuple[Wire, ...], dict[str, Cube]]:
    how = plan.data.get("inputs", "all")
    place = plan.data.at("inputs")
    if how == "all":
        wires = tuple(_edge(plan, scope, f"{i}->{j}", wire) for i, wire in known.items())
        return wires, dict.fromkeys(known, ALWAYS)
    if how == "free":
        return _free_inputs(plan, scope, j, known, place)
    if isinstance(how, MarkedDict):
        check_keys(how, ("size", "min", "max"), "`inputs`")
        low, high = subset_sizes(how, len(known), place)
        subset = subset_wires(scope, f"{j}.inputs", {n: (w,) for n, w in known.items()}, low, high, place)
        wires = tuple(
            _edge(plan, scope, f"{j}.edge{s}", wire, filled)
            for s, (wire, filled) in enumerate(zip(subset.wires, subset.filled, strict=True))
        )
        return wires, dict(zip(known, subset.chosen, strict=True))
    raise SpaceError(
        "`inputs` says which earlier nodes a node reads",
        place=place,
        value=how,
        accepted="all, free, or {size: k} or {min: a, max: b}",
        remedy=suggestion(how, ("all", "free")) or None,
    )


def _free_inputs(
    plan: _Plan, scope: Scope, j: str, known: dict[str, Wire], place: str
) -> tuple[tuple[Wire, ...], dict[str, Cube]]:
    """Each earlier node is read or not, by a choice of its own."""
    wires, used = [], {}
    for i, wire in known.items():
        choice = scope.declare(f"{i}->{j}", (False, True), place, ordinal=False)
        cube = make_cube({choice: scope.registry.codes(choice, [True])})
        here = scope.inner("", cube)
        if here is None or not cube[0][1]:
            continue
        wires.append(guard(_edge(plan, here, f"{i}->{j}.op", wire), cube))
        used[i] = cube
    return tuple(wires), used


def _edge(plan: _Plan, scope: Scope, name: str, wire: Wire, filled: Cube = ALWAYS) -> Wire:
    """The op on an edge, or the edge itself; its choices are active only where the edge is there (`filled`)."""
    here = scope.inner("", filled)
    if plan.edge is None or here is None:
        return wire
    return guard(add_op(plan.edge, here, name, (wire,)), filled)


def _output(plan: _Plan, scope: Scope, known: dict[str, Wire], leaf: dict[str, list[Cube]], last: Wire) -> Wire:
    """The value of the DAG; `known` without the sources unless they may be leaves or read freely."""
    output = plan.data.get("output", "last")
    if output == "last":
        return last
    place = plan.data.at("output")
    if not isinstance(output, MarkedDict) or "op" not in output:
        accepted = "last, or {op: …, inputs: nodes | leaves | free}"
        raise SpaceError("`output` says how the nodes give the result", place=place, value=output, accepted=accepted)
    how = output.get("inputs", "nodes")
    if how == "nodes":
        wires = [wire for n, wire in known.items() if int(n) >= plan.sources]
    elif how == "leaves":
        wires = [tuple(part for cube in leaf[n] for part in guard(wire, cube)) for n, wire in known.items()]
    elif how == "free":
        wires = []
        for n, wire in known.items():
            choice = scope.declare(f"{n}->out", (False, True), place, ordinal=False)
            wires.append(guard(wire, make_cube({choice: scope.registry.codes(choice, [True])})))
    else:
        raise SpaceError(
            "unknown `inputs` of a dag's output", place=output.at("inputs"), value=how, accepted="nodes, leaves, free"
        )
    return add_op(output, scope, "out", tuple(wires), reserved=("inputs",))
