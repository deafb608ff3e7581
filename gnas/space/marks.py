"""YAML with places: safe loading that remembers the line and column of every key and item."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import yaml

from gnas.errors import SpaceError


class MarkedDict(dict[str, Any]):
    """A mapping that knows where it and its keys stand."""

    place: str = ""
    places: dict[str, str]

    def at(self, key: str) -> str:
        """Place of a key, or of the mapping."""
        return self.places.get(key, self.place)


class MarkedList(list[Any]):
    """A sequence that knows where it and its items stand."""

    place: str = ""
    places: list[str]

    def at(self, index: int) -> str:
        """Place of an item."""
        return self.places[index]


def load_marked(text: str, source: str) -> MarkedDict:
    """The mapping that a YAML text holds.

    Args:
        text: The YAML.
        source: File name, for places.

    Raises:
        SpaceError: Not YAML, not a mapping, or a repeated key.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        loader = yaml.SafeLoader("")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = getattr(error, "problem", None) or str(error)
        raise SpaceError(
            f"not YAML: {problem}", place=place, remedy="check indentation, colons and brackets"
        ) from error
    data = _convert(root, "", source, loader) if root is not None else None
    if not isinstance(data, MarkedDict):
        raise SpaceError(
            "a search space is a mapping", place=source, accepted="keys inputs, choices, cells, graph, output"
        )
    return data


def _place(node: yaml.Node, path: str, source: str) -> str:
    where = f"{source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    return f"{where} ({path})" if path else where


def _convert(node: yaml.Node, path: str, source: str, loader: yaml.SafeLoader) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, path, source, loader)
    if isinstance(node, yaml.SequenceNode):
        items = MarkedList(_convert(v, f"{path}[{i}]", source, loader) for i, v in enumerate(node.value))
        items.place = _place(node, path, source)
        items.places = [_place(v, f"{path}[{i}]", source) for i, v in enumerate(node.value)]
        return items
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError as error:
        raise SpaceError(f"not a plain value: {error}", place=_place(node, path, source)) from error


def _convert_mapping(node: yaml.MappingNode, path: str, source: str, loader: yaml.SafeLoader) -> MarkedDict:
    found = MarkedDict()
    found.place = _place(node, path, source)
    found.places = {}
    for key_node, value_node in node.value:
        key = _key(key_node, path, source, loader)
        here = f"{path}.{key}" if path else key
        if key in found:
            raise SpaceError(f"key {key!r} stands twice", place=_place(key_node, here, source))
        found.places[key] = _place(key_node, here, source)
        found[key] = _convert(value_node, here, source, loader)
    return found


def _key(node: yaml.Node, path: str, source: str, loader: yaml.SafeLoader) -> str:
    """A key as text. `true`, `false` and `null` are their own text; what YAML 1.1 also takes for them is refused."""
    key = _convert(node, path, source, loader)
    if (isinstance(key, bool) or key is None) and node.value in ("true", "false", "null"):
        return str(node.value)
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise SpaceError(
            "a key must be a name or a number",
            place=_place(node, path, source),
            value=key,
            remedy="put words like yes, no, on and off in quotes",
        )
    return str(key)


def suggestion(word: object, known: Iterable[str]) -> str:
    """`did you mean 'x'?` where a known name is close; else the empty text."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def accepted_names(names: Iterable[str], limit: int = 24) -> str:
    """Names listed for an error message."""
    listed = list(names)
    shown = ", ".join(listed[:limit])
    return f"{shown}, … ({len(listed)} in all)" if len(listed) > limit else shown or "none"


def check_keys(data: MarkedDict, known: Iterable[str], what: str) -> None:
    """Refuse keys that are not known.

    Raises:
        SpaceError: With place and suggestion.
    """
    known = list(known)
    for key in data:
        if key not in known:
            raise SpaceError(
                f"unknown key {key!r} in {what}",
                place=data.at(key),
                accepted=", ".join(known),
                remedy=suggestion(key, known) or None,
            )
