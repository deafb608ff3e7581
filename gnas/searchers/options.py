"""Checked options: the free-form mapping of a spec becomes the fields of a searcher, or one clear error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from gnas.errors import SpecError

S = TypeVar("S")

PLACE = "search.options"


def from_options(kind: type[S], options: Mapping[str, object]) -> S:
    """The dataclass `kind` with `options` as its fields.

    Raises:
        SpecError: An unknown option, a value of another type, or one out of range.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise SpecError(
                "unknown option",
                place=f"{PLACE}.{name}",
                accepted=", ".join(names) or "no option",
                remedy=f"did you mean {near[0]!r}?" if near else "remove it",
            )
    return kind(**{name: _converted(name, value, hints[name]) for name, value in options.items()})


def require(holds: bool, name: str, value: object, accepted: str) -> None:
    """Checks the range of one option.

    Raises:
        SpecError: `holds` is false.
    """
    if not holds:
        raise SpecError("option out of range", place=f"{PLACE}.{name}", value=value, accepted=accepted)


def _converted(name: str, value: object, hint: Any) -> object:
    if get_origin(hint) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise SpecError("wrong type", place=f"{PLACE}.{name}", value=value, accepted="a list of names")
    literal = get_args(hint)
    if literal:
        if value in literal:
            return value
        raise SpecError(
            "unknown value", place=f"{PLACE}.{name}", value=value, accepted=", ".join(str(item) for item in literal)
        )
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    raise SpecError("wrong type", place=f"{PLACE}.{name}", value=value, accepted=f"a value of type {hint.__name__}")
