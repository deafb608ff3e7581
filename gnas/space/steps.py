"""The steps of a graph: ops, groups, repeats, alternatives, cells and DAGs, expanded into supernodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gnas.architecture import Value
from gnas.errors import SpaceError
from gnas.space.cube import ALWAYS, Cube, make_cube
from gnas.space.dag import expand_dag
from gnas.space.marks import MarkedDict, MarkedList, accepted_names, check_keys, suggestion
from gnas.space.ops_of_steps import add_op
from gnas.space.scope import Scope, guard, join, text_of
from gnas.space.sources import read_sources
from gnas.space.values import declare_choices, read_term, when_cube
from gnas.space.wiring import Wire

KINDS = ("op", "repeat", "group", "either", "cell", "dag")
COMMON = ("name", "from", "when")
REPEAT_KEYS = ("times", "as", "choices", "body", "output")
GROUP_KEYS = ("choices", "body", "output")
CELL_KEYS = ("inputs", "choices", "body", "output")


class Expander:
    """Expands steps, given the cells they may use.

    Args:
        cells: The `cells:` section.

    Attributes:
        used_cells: Names of the cells that steps used.
    """

    def __init__(self, cells: Mapping[str, MarkedDict]) -> None:
        self._cells = cells
        self._open: list[str] = []
        self.used_cells: set[str] = set()

    def body(self, data: Any, scope: Scope, previous: Wire | None, place: str) -> Wire:
        """Expand a list of steps in `scope` (which learns their names); the value of the last one.

        Raises:
            SpaceError: Malformed.
        """
        if not isinstance(data, MarkedList) or not data:
            raise SpaceError("steps are a list", place=place, value=data, accepted="- {name: …, op: …, from: …}")
        own: set[str] = set()
        for k, step in enumerate(data):
            if not isinstance(step, MarkedDict):
                raise SpaceError("a step is a mapping", place=data.at(k), value=step, accepted="{name: …, op: …}")
            name = self._name(step, own, k)
            previous = self._step(step, scope, name, previous)
            scope.wires[name] = previous
        if previous is None:
            raise SpaceError("no step gives a value", place=place)
        return previous

    def _name(self, step: MarkedDict, own: set[str], position: int) -> str:
        given = step.get("name")
        if given is not None and (not isinstance(given, str) or not given or given == "in" or set(given) & set("$*")):
            raise SpaceError(
                "a step's name is a text without $ and *, and not `in`", place=step.at("name"), value=given
            )
        if given in own:
            raise SpaceError("two steps have one name", place=step.at("name"), value=given)
        name = given or next((str(step[k]) for k in ("op", "cell") if isinstance(step.get(k), str)), "step")
        if given is None and (name in own or not name.replace("_", "").isalnum()):
            name = f"step{position + 1}"
        own.add(name)
        return name

    def _step(self, step: MarkedDict, scope: Scope, name: str, previous: Wire | None) -> Wire:
        kinds = [k for k in KINDS if k in step]
        if len(kinds) != 1:
            raise SpaceError(
                "a step has exactly one kind" if kinds else "a step without a kind",
                place=step.place,
                value=", ".join(kinds) or ", ".join(step),
                accepted="one of the keys " + ", ".join(KINDS),
                remedy=next((s for k in step if (s := suggestion(k, KINDS))), None),
            )
        kind = kinds[0]
        if kind != "op":
            check_keys(
                step, (*COMMON, kind, *(("by",) if kind == "either" else ("tied",) if kind == "cell" else ())), "a step"
            )
        condition = when_cube(step["when"], scope, step.at("when")) if "when" in step else ALWAYS
        outer = scope
        if condition is None or (reached := scope.inner("", condition)) is None:
            sources = self._sources(step, scope, name, previous)
            return sources[0] if sources else ()
        sources = self._sources(step, reached, name, previous)
        expand = getattr(self, f"_{kind}")
        inside: Wire = expand(step, reached, name, sources)
        for key, found in reached.collections.items():
            outer.collections[key] = found if key in outer.collections else tuple(guard(w, condition) for w in found)
        return scope.registry.otherwise(condition, inside, sources[0] if sources else ())

    def _sources(self, step: MarkedDict, scope: Scope, name: str, previous: Wire | None) -> tuple[Wire, ...]:
        if "from" in step:
            if step["from"] is None or step["from"] == []:
                return ()
            return read_sources(step["from"], scope, f"{name}.from", step.at("from"))
        if previous is None:
            raise SpaceError("the first step needs `from`", place=step.place, accepted=accepted_names(scope.wires))
        return (previous,)

    def _op(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        return add_op(step, scope, name, sources, reserved=COMMON)

    def _dag(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        return expand_dag(step["dag"], scope, name, sources, step.at("dag"))

    def _inside(self, data: Any, keys: tuple[str, ...], what: str, place: str) -> MarkedDict:
        if not isinstance(data, MarkedDict):
            raise SpaceError(f"{what} is a mapping", place=place, value=data, accepted=", ".join(keys))
        check_keys(data, keys, what)
        if "body" not in data:
            raise SpaceError(f"{what} has no `body`", place=place, accepted=", ".join(keys))
        return data

    def _run(self, data: MarkedDict, scope: Scope, entering: Wire) -> Wire:
        """Expand `choices`, `body` and `output` of a group, an iteration or a cell."""
        if "choices" in data:
            declare_choices(data["choices"], scope, data.at("choices"))
        last = self.body(data["body"], scope, entering, data.at("body"))
        if "output" not in data:
            return last
        found = read_sources(data["output"], scope, "output", data.at("output"))
        if len(found) != 1:
            raise SpaceError("`output` of a body is one value", place=data.at("output"), value=data["output"])
        return found[0]

    def _group(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        data = self._inside(step["group"], GROUP_KEYS, "`group`", step.at("group"))
        entering = self._one(sources, step)
        inner = scope.inner(name, wires={"in": entering})
        return self._run(data, inner, entering) if inner is not None else entering

    def _one(self, sources: tuple[Wire, ...], step: MarkedDict) -> Wire:
        if len(sources) != 1:
            raise SpaceError(
                "this kind of step reads one value",
                place=step.at("from"),
                value=len(sources),
                remedy="join them in a step before",
            )
        return sources[0]

    def _repeat(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        data = self._inside(step["repeat"], REPEAT_KEYS, "`repeat`", step.at("repeat"))
        carried = self._one(sources, step)
        times = read_term(data.get("times"), scope, f"{name}.times", data.at("times"))
        values = scope.registry.choices[times.choice].values if times.choice else (times.const,)
        counts = [self._count(v, data.at("times")) for v in values]
        variable = data.get("as", "i")
        each: list[Wire] = []
        for i in range(max(counts)):
            cube: Cube = (
                make_cube({times.choice: [k for k, n in enumerate(counts) if n > i]})
                if times.choice and min(counts) <= i
                else ALWAYS
            )
            inner = scope.inner(f"{name}.{i}", cube, wires={"in": carried})
            if inner is None:
                break
            inner = replace(inner, loops={**scope.loops, str(variable): i})
            result = self._run(data, inner, carried)
            each.append(guard(result, cube))
            carried = scope.registry.otherwise(cube, result, carried)
        scope.collections[f"{name}.*"] = tuple(each)
        for i, wire in enumerate(each):
            scope.collections[f"{name}.{i}"] = (wire,)
        return carried

    def _count(self, value: Value, place: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1000:
            raise SpaceError(
                "`times` is a whole number", place=place, value=value, accepted="0 to 1000, or a choice of such"
            )
        return value

    def _either(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        data = step["either"]
        if not isinstance(data, MarkedDict) or not data:
            raise SpaceError("`either` maps names to lists of steps", place=step.at("either"), value=data)
        entering = self._one(sources, step)
        if "by" in step:
            term = read_term(step["by"], scope, name, step.at("by"))
            if not term.choice or term.cases:
                raise SpaceError("`by` names a choice", place=step.at("by"), value=step["by"], accepted="$name")
            choice = term.choice
            declared = [text_of(v) for v in scope.registry.declared[choice]]
            for key in data:
                if key not in declared:
                    raise SpaceError(
                        f"{choice!r} is never {key!r}", place=data.at(key), accepted=accepted_names(declared)
                    )
        else:
            choice = scope.declare(name, tuple(data), step.at("either"), ordinal=False)
        found: list[tuple[Cube, int]] = []
        for k, value in enumerate(scope.registry.choices[choice].values):
            key, cube = text_of(value), make_cube({choice: [k]})
            inner = scope.inner(f"{name}.{key}", cube, wires={"in": entering})
            if inner is None:
                continue
            if key not in data:
                raise SpaceError(f"no steps for {key!r}", place=data.place, accepted=accepted_names(data))
            empty = data[key] is None or data[key] == []
            found.extend(guard(entering if empty else self.body(data[key], inner, entering, data.at(key)), cube))
        return tuple(found)

    def _cell(self, step: MarkedDict, scope: Scope, name: str, sources: tuple[Wire, ...]) -> Wire:
        cell = step["cell"]
        if not isinstance(cell, str) or cell not in self._cells:
            raise SpaceError(
                f"no cell is named {cell!r}",
                place=step.at("cell"),
                accepted=accepted_names(self._cells),
                remedy=suggestion(cell, self._cells) or None,
            )
        data = self._inside(self._cells[cell], CELL_KEYS, f"cell {cell!r}", self._cells[cell].place)
        if cell in self._open:
            raise SpaceError(f"cell {cell!r} uses itself", place=step.at("cell"))
        names = data.get("inputs", ["in"])
        if not isinstance(names, list) or not names or any(not isinstance(n, str) for n in names):
            raise SpaceError("`inputs` of a cell lists names", place=data.at("inputs"), value=names)
        if len(names) != len(sources):
            raise SpaceError(
                f"cell {cell!r} reads {len(names)} values",
                place=step.at("from"),
                value=len(sources),
                accepted=", ".join(names),
            )
        inner = scope.inner(name)
        if inner is None:
            return ()
        tied = step.get("tied", True)
        inner = replace(
            inner,
            choice_path=str(cell) if tied else join(scope.choice_path, name),
            choice_when=ALWAYS if tied else inner.choice_when,
            wires=dict(zip(names, sources, strict=True)),
            collections={},
            names={} if tied else dict(scope.names),
        )
        self._open.append(cell)
        self.used_cells.add(cell)
        result = self._run(data, inner, sources[0])
        self._open.pop()
        return result
