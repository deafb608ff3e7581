"""Values, choices and conditions of the space language."""

from __future__ import annotations

from typing import Any

from gnas.architecture import Value
from gnas.errors import SpaceError
from gnas.space.cube import Cube, both, implies, make_cube
from gnas.space.marks import MarkedDict, MarkedList, accepted_names, check_keys, suggestion
from gnas.space.program import Term
from gnas.space.scope import Scope, as_value, join, text_of

CHOICE_KEYS = ("choice", "name", "ordinal")
DECLARATION_KEYS = ("values", "ordinal", "when")


def declare_choices(data: Any, scope: Scope, place: str) -> None:
    """Read a `choices:` section into the scope.

    Raises:
        SpaceError: Malformed.
    """
    if not isinstance(data, MarkedDict):
        raise SpaceError("`choices` is a mapping of names to values", place=place, value=data)
    for name, body in data.items():
        here = data.at(name)
        ordinal: bool | None = None
        cube: Cube = ()
        values = body
        if isinstance(body, MarkedDict):
            check_keys(body, DECLARATION_KEYS, f"choice {name!r}")
            if "values" not in body:
                raise SpaceError(f"choice {name!r} has no `values`", place=here, accepted=", ".join(DECLARATION_KEYS))
            values, ordinal = body["values"], _flag(body, "ordinal")
            condition = when_cube(body["when"], scope, body.at("when")) if "when" in body else ()
            if condition is None:
                continue
            cube = condition
        inner = scope.inner("", cube)
        if inner is not None:
            full = inner.declare(name, value_list(values, here), here, ordinal=ordinal)
            scope.names[name] = full


def _flag(data: MarkedDict, key: str) -> bool | None:
    flag = data.get(key)
    if flag is not None and not isinstance(flag, bool):
        raise SpaceError(f"`{key}` is true or false", place=data.at(key), value=flag)
    return flag


def value_list(data: Any, place: str) -> tuple[Value, ...]:
    """The values of a choice.

    Raises:
        SpaceError: Not a list of values.
    """
    if not isinstance(data, MarkedList):
        raise SpaceError("the values of a choice are a list", place=place, value=data, accepted="[32, 64, 128]")
    return tuple(as_value(v, data.at(k)) for k, v in enumerate(data))


def read_term(data: Any, scope: Scope, name: str, place: str) -> Term:
    """A value that may be constant, a reference, an inline choice or a case distinction.

    Args:
        data: The YAML.
        scope: Where it stands.
        name: Name, below the scope's path, of an inline choice.
        place: Place in the file.

    Raises:
        SpaceError: Malformed, or a choice that may be inactive here.
    """
    if isinstance(data, str) and data.startswith("$"):
        return _reference(data[1:], scope, place)
    if isinstance(data, MarkedDict) and "choice" in data:
        check_keys(data, CHOICE_KEYS, "a choice")
        values = value_list(data["choice"], data.at("choice"))
        named = data.get("name")
        parent = name.rpartition(".")[0]
        full = scope.declare(join(parent, str(named)) if named else name, values, place, ordinal=_flag(data, "ordinal"))
        return Term(choice=full)
    if isinstance(data, MarkedDict) and "by" in data:
        check_keys(data, ("by", "cases", "default"), "a case distinction")
        selector = _reference(str(data["by"]).removeprefix("$"), scope, data.at("by"))
        return _cases(selector, data, scope, name)
    if isinstance(data, MarkedDict):
        raise SpaceError(
            "not a value",
            place=place,
            value=dict(data),
            accepted="a constant, $name, {choice: […]} or {by: $name, cases: {…}}",
            remedy=suggestion(next(iter(data), ""), ("choice", "by")) or None,
        )
    return Term(const=as_value(data, place))


def _reference(name: str, scope: Scope, place: str) -> Term:
    if name in scope.loops:
        return Term(const=scope.loops[name])
    full = scope.choice_named(name, place)
    if not implies(scope.when, scope.registry.active(full)):
        conditions = "; ".join(
            f"{c} in {[text_of(v) for v in values]}" for c, values in scope.registry.choices[full].when
        )
        raise SpaceError(
            f"choice {full!r} may be inactive here",
            place=place,
            accepted=f"a place reached only where {conditions}",
            remedy="put the same `when` on the step, or use `by_op`",
        )
    return Term(choice=full)


def _cases(selector: Term, data: MarkedDict, scope: Scope, name: str) -> Term:
    cases = data.get("cases")
    if not isinstance(cases, MarkedDict):
        raise SpaceError("`cases` is a mapping of values to what they give", place=data.at("cases"), value=cases)
    values = scope.registry.choices[selector.choice].values if selector.choice else (selector.const,)
    declared = scope.registry.declared[selector.choice] if selector.choice else None
    for key in cases:
        if declared is not None and key not in {text_of(v) for v in declared}:
            raise SpaceError(
                f"{data['by']} is never {key!r}",
                place=cases.at(key),
                accepted=accepted_names(text_of(v) for v in declared),
            )
    found = []
    for value in values:
        key = text_of(value)
        source = cases if key in cases else data
        key = key if key in cases else "default"
        if key not in source:
            raise SpaceError(f"no case for {value!r}, and no `default`", place=cases.place)
        cube = make_cube({selector.choice: scope.registry.codes(selector.choice, [value])}) if selector.choice else ()
        inner = scope.inner("", cube)
        if inner is not None:
            found.append((value, read_term(source[key], inner, name, source.at(key))))
    if not selector.choice:
        return found[0][1]
    return Term(choice=selector.choice, cases=tuple(found))


def when_cube(data: Any, scope: Scope, place: str) -> Cube | None:
    """A `when:` mapping as a cube; None where it can never hold.

    Raises:
        SpaceError: Malformed.
    """
    if not isinstance(data, MarkedDict):
        raise SpaceError(
            "`when` is a mapping of choices to accepted values", place=place, value=data, accepted="{pool: [sum, mean]}"
        )
    cube: Cube = ()
    for key, accepted in data.items():
        name, here = key.removeprefix("$"), data.at(key)
        if name in scope.loops:
            if not _accepted((scope.loops[name],), accepted, name, here, strict=False):
                return None
            continue
        full = scope.choice_named(name, here)
        values = _accepted(scope.registry.declared[full], accepted, name, here, strict=True)
        codes = scope.registry.codes(full, values)
        if not codes:
            return None
        # NOTE: a choice that is itself conditional brings its own conditions, so that `when` need not repeat them.
        own = both(((full, codes),), scope.registry.active(full))
        joined = both(cube, own) if own is not None else None
        if joined is None:
            return None
        cube = joined
    return cube


def _accepted(values: tuple[Value, ...], accepted: Any, name: str, place: str, *, strict: bool) -> tuple[Value, ...]:
    """Which of a choice's values a condition accepts."""
    if isinstance(accepted, MarkedDict):
        check_keys(accepted, ("not", "min", "max"), "a condition")
        found = values
        if "not" in accepted:
            out = _accepted(values, accepted["not"], name, place, strict=strict)
            found = tuple(v for v in found if v not in out)
        for bound in ("min", "max"):
            if bound in accepted:
                limit = accepted[bound]
                if not isinstance(limit, int | float) or any(not isinstance(v, int | float) for v in values):
                    raise SpaceError(f"`{bound}` needs numbers", place=accepted.at(bound), value=limit)
                found = tuple(v for v in found if (v >= limit if bound == "min" else v <= limit))  # type: ignore[operator]
        return found
    wanted = [as_value(v, place) for v in accepted] if isinstance(accepted, MarkedList) else [as_value(accepted, place)]
    for value in wanted:
        if strict and not any(v == value and type(v) is type(value) for v in values):
            raise SpaceError(
                f"choice {name!r} has no such value",
                place=place,
                value=value,
                accepted=accepted_names(text_of(v) for v in values),
                remedy=suggestion(value, [text_of(v) for v in values]) or None,
            )
    return tuple(v for v in values if any(v == w and type(v) is type(w) for w in wanted))
