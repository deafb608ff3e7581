"""Checks values of a YAML file against a pydantic model; every complaint has place, value and what is accepted."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gnas.errors import SpecError
from gnas.yamlfile import KeyPath, YamlFile

M = TypeVar("M", bound=BaseModel)
_WORDS: dict[object, str] = {
    int: "integer",
    float: "number",
    bool: "true or false",
    str: "text",
    Path: "path of a file",
    type(None): "null",
    Any: "any value",
}


def check(model: type[M], values: object, file: YamlFile, at: KeyPath = ()) -> tuple[M | None, list[SpecError]]:
    """Values checked strictly: text is no number, a number is no text.

    Args:
        model: What they must fit.
        values: Plain values as YAML gave them.
        file: Where they stand.
        at: Key path of `values` in the file.

    Returns:
        The checked record, or None and the complaints in the order of the file.
    """
    plain = drop_empty(model, values)
    record, found = _validate(model, plain)
    if record is None:
        details = _without_other_branches(found, plain)
        complaints = [_complaint(model, plain, path, detail, file, at) for path, detail in details]
        lines = [file.lines.get((*at, *path), 0) for path, _ in details]
        return None, [complaints[index] for index in sorted(range(len(lines)), key=lines.__getitem__)]
    return record, []


def _validate(model: type[M], plain: object) -> tuple[M | None, list[ErrorDetails]]:
    """Strict validation in JSON mode, which still takes lists for tuples and text for paths and dates."""
    text = json.dumps(plain, default=str)
    try:
        return model.model_validate_json(text, strict=True), []
    except ValidationError as error:
        strict = error.errors(include_url=False)
    # NOTE: behind a `BeforeValidator` strict mode no longer knows that the list came from JSON; lax mode judges those.
    spurious = {e["loc"] for e in strict if e["type"] == "tuple_type" and isinstance(e["input"], list)}
    if not spurious:
        return None, strict
    kept = [e for e in strict if e["loc"] not in spurious]
    try:
        record = model.model_validate_json(text)
    except ValidationError as error:
        # Validators of whole models run only once their fields are right, so strict mode has not seen them.
        known = {e["loc"] for e in kept}
        kept += [e for e in error.errors(include_url=False) if e["loc"] not in known]
        return None, kept
    return (None, kept) if kept else (record, [])


def drop_empty(model: type[BaseModel], values: object) -> object:
    """`values` without the sections that are written but empty (`constraints:` with all its lines commented out)."""
    if not isinstance(values, Mapping):
        return values
    kept: dict[str, object] = {}
    for key, value in values.items():
        info = _fields(model).get(key)
        section = section_of(info.annotation) if info else None
        if value is None and info is not None and _is_section(info.annotation):
            continue
        kept[key] = drop_empty(section, value) if section else value
    return kept


def describe(info: FieldInfo) -> str:
    """What a field accepts, in words: `integer >= 1 or null`."""
    limits = [text for item in info.metadata if (text := _limit(item))]
    words = describe_type(info.annotation)
    if not limits:
        return words
    rest = " or null" if words.endswith(" or null") else ""
    return f"{words.removesuffix(' or null')} {' and '.join(limits)}{rest}"


def describe_type(annotation: Any) -> str:
    """What a type accepts, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        limits = [text for item in arguments[1:] for part in _metadata(item) if (text := _limit(part))]
        return " ".join([describe_type(arguments[0]), *([" and ".join(limits)] if limits else [])])
    if origin is Literal:
        return ", ".join(str(argument) for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(argument) for argument in arguments)
    if origin in (list, tuple, set, frozenset, Sequence):
        return f"list of {describe_type(arguments[0])}" if arguments else "list"
    if origin in (dict, Mapping) or annotation is dict:
        return "mapping (key: value lines)"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"mapping with the keys {', '.join(_fields(annotation))}"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def suggest(received: object, accepted: Sequence[str]) -> str:
    """`did you mean 'trials'?`, or nothing when no name is near."""
    near = difflib.get_close_matches(str(received), accepted, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def _metadata(item: object) -> Sequence[object]:
    return item.metadata if isinstance(item, FieldInfo) else (item,)


def _limit(item: object) -> str:
    for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
        value = getattr(item, attribute, None)
        if value is not None:
            return f"{sign} {value}"
    shortest = getattr(item, "min_length", None)
    return f"with at least {shortest} entries" if shortest else ""


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _is_section(annotation: Any) -> bool:
    return section_of(annotation) is not None or get_origin(annotation) is dict


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation, if there is one (`SpaceRef` in `str | SpaceRef | None`)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = section_of(argument)
        if found is not None:
            return found
    return None


def _without_other_branches(errors: Sequence[ErrorDetails], values: object) -> list[tuple[KeyPath, ErrorDetails]]:
    """Errors with the key path in the file; of a union only the branch that fits the value best."""
    located = [(_path(error["loc"], values, error["type"]), error) for error in errors]
    paths = [path for path, _ in located]
    kept: dict[KeyPath, ErrorDetails] = {}
    for path, error in located:
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in paths)
        if not deeper and path not in kept:
            kept[path] = error
    return list(kept.items())


def _path(loc: tuple[int | str, ...], values: object, kind: str) -> KeyPath:
    """A location without the union tags pydantic puts between the keys."""
    path: list[str | int] = []
    here = values
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        inside = part in here if isinstance(here, Mapping) else isinstance(part, int) and part < _length(here)
        if inside:
            here = here[part]  # type: ignore[index]
        elif not (last and kind == "missing"):
            continue
        path.append(part)
    return tuple(path)


def _length(value: object) -> int:
    return len(value) if isinstance(value, list | tuple) else 0


def _at(values: object, path: KeyPath) -> object:
    for part in path:
        try:
            values = values[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _owner(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that holds the last key of a path."""
    owner: type[BaseModel] | None = model
    keys = [part for part in path if isinstance(part, str)]
    for part in keys[:-1]:
        if owner is None:
            return None
        info = _fields(owner).get(part)
        owner = section_of(info.annotation) if info else None
    return owner


def _complaint(
    model: type[BaseModel], values: object, path: KeyPath, error: ErrorDetails, file: YamlFile, at: KeyPath
) -> SpecError:
    place = file.place((*at, *path))
    owner = _owner(model, path)
    fields = _fields(owner) if owner else {}
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    info = fields.get(name)
    kind, received = error["type"], _at(values, path)
    shown = "null" if received is None else _shorten(received)
    if kind == "extra_forbidden":
        near = suggest(path[-1], list(fields))
        return SpecError("unknown key", place=place, accepted=None if near else ", ".join(fields), remedy=near or None)
    if kind == "missing":
        return SpecError("missing key", place=place, accepted=describe(info) if info else None, remedy="add it")
    if kind in ("value_error", "assertion_error"):
        problem = str(error.get("ctx", {}).get("error", error["msg"]))
        return SpecError(problem, place=place, value=None if isinstance(received, Mapping) else received)
    if kind == "literal_error":
        accepted = describe(info) if info else str(error.get("ctx", {}).get("expected", ""))
        return SpecError(
            "unknown value",
            place=place,
            value=shown,
            accepted=accepted,
            remedy=suggest(received, [word.strip() for word in accepted.replace(" or ", ",").split(",")]) or None,
        )
    problem = "wrong type" if kind.endswith(("_type", "_parsing")) else "value not accepted"
    accepted = describe(info) if info else error["msg"]
    remedy = "put it in quotes" if kind == "string_type" and isinstance(received, int | float) else None
    return SpecError(problem, place=place, value=shown, accepted=accepted, remedy=remedy)


def _shorten(value: object, most: int = 80) -> object:
    text = repr(value)
    return value if len(text) <= most else text[: most - 1] + "…"
