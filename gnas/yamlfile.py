"""YAML files whose values know their line: read safely, duplicate keys refused, every error told with its place."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from gnas.errors import SpecError, UserError

KeyPath = tuple[str | int, ...]
_MOST_VALUES = 100_000


class ManySpecErrors(SpecError):  # noqa: N818
    """Several complaints about one file, one a line."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.errors,)


def raise_all(errors: Sequence[UserError]) -> None:
    """Raises the complaints, if any, as one error.

    Raises:
        UserError: There is at least one.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ManySpecErrors(errors)


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads `1e-3` as a number and keeps the keys of mappings as they are written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


# NOTE: YAML 1.1 takes `1e-3` (no dot) for text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A YAML mapping and where its values stand.

    Attributes:
        label: The file's name as messages show it.
        values: The mapping, keys as written.
        lines: Line (from 1) of each key path; of `()` the first line.
    """

    label: str
    values: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """`spec.yaml:12: budget.trials`; an absent key has the line of the section that lacks it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        where = f"{self.label}:{self.lines.get(known, 1)}"
        return f"{where}: {dotted(path)}" if path else where

    def find(self, name: str) -> KeyPath | None:
        """The key path written `name` (`data.targets.0`), if the file holds it or the section it belongs to."""
        wanted = name.replace("[", ".").replace("]", "").split(".")
        by_name = {tuple(str(part) for part in path): path for path in self.lines}
        if tuple(wanted) in by_name:
            return by_name[tuple(wanted)]
        if len(wanted) > 1 and tuple(wanted[:-1]) in by_name:
            return (*by_name[tuple(wanted[:-1])], wanted[-1])
        return None

    def relocate(self, error: UserError) -> UserError:
        """The same error, its place given with file and line where it is a key path of this file."""
        path = self.find(error.place) if error.place else None
        if path is None or isinstance(error, ManySpecErrors):
            return error
        return type(error)(
            error.problem, place=self.place(path), value=error.value, accepted=error.accepted, remedy=error.remedy
        )


def dotted(path: KeyPath) -> str:
    """`('data', 'targets', 0)` as `data.targets[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(path: Path, *, what: str = "spec") -> YamlFile:
    """Reads a YAML file whose top level is a mapping.

    Args:
        path: The file.
        what: What it is, for messages.

    Raises:
        SpecError: The file is absent, unreadable, empty, no YAML, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(
            f"no such {what} file", place=str(path), remedy=f"write one with: gnas init DOMAIN --out {path.name}"
        ) from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"byte {error.start} is not UTF-8 text", place=str(path), remedy="save the file in the encoding UTF-8"
        ) from None
    except OSError as error:
        raise SpecError(
            f"cannot be read ({error.strerror})", place=str(path), accepted="a readable YAML file"
        ) from None
    return parse_yaml(text, label=path.name, what=what)


def parse_yaml(text: str, *, label: str, what: str = "spec") -> YamlFile:
    """Parses YAML text; `label` stands for the file in messages.

    Raises:
        SpecError: As `read_yaml`.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise SpecError(
                f"the {what} is empty", place=label, accepted="key: value lines", remedy="see: gnas init DOMAIN"
            )
        if not isinstance(root, yaml.MappingNode):
            raise SpecError(
                f"the {what} is no mapping",
                place=f"{label}:{root.start_mark.line + 1}",
                value=_shorten(str(getattr(root, "value", ""))),
                accepted="key: value lines",
            )
        lines = _Walk(label).lines_of(root)
        values = cast("dict[str, Any]", loader.construct_document(root))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, label) from None
    except yaml.reader.ReaderError as error:
        raise SpecError(
            f"character {error.position} cannot stand in YAML",
            place=label,
            value=str(error.character),
            remedy="remove it or save the file as plain UTF-8 text",
        ) from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"a value cannot be read ({error})", place=label) from None
    return YamlFile(label, values, lines)


class _Walk:
    """Collects the lines of all key paths; refuses duplicate keys, keys that are no text, and recursion."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.duplicates: list[tuple[int, SpecError]] = []

    def lines_of(self, root: yaml.MappingNode) -> dict[KeyPath, int]:
        lines: dict[KeyPath, int] = {(): root.start_mark.line + 1}
        for path, line in self._visit(root, (), frozenset()):
            lines[path] = line
            if len(lines) > _MOST_VALUES:
                raise SpecError(f"more than {_MOST_VALUES:,} values", place=self.label)
        raise_all([error for _, error in sorted(self.duplicates, key=lambda pair: pair[0])])
        return lines

    def _visit(self, node: yaml.Node, path: KeyPath, above: frozenset[int]) -> Iterator[tuple[KeyPath, int]]:
        if id(node) in above:
            raise SpecError("a value contains itself", place=f"{self.label}:{node.start_mark.line + 1}: {dotted(path)}")
        above = above | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                yield (*path, index), item.start_mark.line + 1
                yield from self._visit(item, (*path, index), above)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise SpecError("a key is no text", place=f"{self.label}:{line}: {dotted(path)}")
                here = (*path, key.value)
                if key.value in first and key.value != "<<":
                    problem = f"key given twice (first on line {first[key.value]})"
                    place = f"{self.label}:{line}: {dotted(here)}"
                    self.duplicates.append((line, SpecError(problem, place=place, remedy="keep one of them")))
                first.setdefault(key.value, line)
                yield here, line
                yield from self._visit(value, here, above)


def _syntax_error(error: yaml.MarkedYAMLError, label: str) -> SpecError:
    mark = error.problem_mark or error.context_mark
    place = f"{label}:{mark.line + 1}" if mark else label
    received = None
    if mark and mark.buffer is not None:
        rows = mark.buffer.split("\n")
        received = _shorten(rows[min(mark.line, len(rows) - 1)].strip("\0 "))
    remedy = "indent with spaces, write `key: value`, and quote text that holds `:` or `#`"
    if error.problem and "tag" in error.problem:
        remedy = "remove the tag: only plain values are read"
    return SpecError(
        f"not valid YAML ({error.problem or error.context})", place=place, value=received or None, remedy=remedy
    )


def _shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
