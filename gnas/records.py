"""Strict JSON of frozen dataclasses: unknown keys, missing keys and wrong types are errors that say where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: object) -> dict[str, Any]:
    """Plain JSON types of a record; tuples become lists, non-finite numbers stay (`NaN`, `Infinity`)."""
    text = _adapter(type(record)).dump_json(record)
    plain: dict[str, Any] = json.loads(text)
    return plain


def from_json(kind: type[T], data: str | bytes | dict[str, Any]) -> T:
    """A record from what `to_json` gave, or from its text.

    Raises:
        ValueError: Unknown or missing key, wrong type, or not JSON; one line that names the key.
    """
    from pydantic import ValidationError

    text = json.dumps(data) if isinstance(data, dict) else data
    try:
        record: T = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "record"
        raise ValueError(f"{kind.__name__}: {place}: {first['msg'].lower()}") from error
    return record
