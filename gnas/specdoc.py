"""The reference of the spec, made from the models that check it: `python -m gnas.specdoc > docs/spec.md`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gnas.checking import describe, describe_type, section_of
from gnas.domain import domain_names, load_domain
from gnas.evaluate.recipe import Recipe
from gnas.searchers import ALGORITHMS, make_searcher
from gnas.spec import Spec

_HEAD = """\
# The spec

One YAML file describes a run. `gnas init DOMAIN --out FILE` writes one with comments, `gnas plan FILE` checks it,
`gnas run FILE` runs it. Paths in it are relative to the file. Keys that do not exist, values of the wrong type and keys
given twice are told with file, line and key path, all at once; nothing is guessed. A section that is written but empty
has its defaults.

This page is made from the models that check the file (`python -m gnas.specdoc > docs/spec.md`); a test keeps it so.
"""
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def reference() -> str:
    """The reference as Markdown: a table for each section, those of the installed domains included."""
    parts = [_HEAD]
    parts += list(_sections("The top level", Spec, ""))
    parts += list(_search_options())
    parts += list(_sections("`recipe`: how candidates are trained", Recipe, "recipe"))
    for name in domain_names():
        parts += list(_sections(f"`data` of the domain `{name}`", load_domain(name).data_model, "data"))
    return "\n".join(parts)


def explanations(record: type[object]) -> dict[str, str]:
    """What the docstring of a model or dataclass says of each of its fields."""
    found: dict[str, str] = {}
    current = ""
    _, _, listed = inspect.cleandoc(record.__doc__ or "").partition("Attributes:\n")
    for line in listed.splitlines():
        text = line.strip()
        begun = _ATTRIBUTE.match(text)
        if begun and line.startswith("    ") and not line.startswith("     "):
            current = begun.group(1)
            found[current] = begun.group(2)
        elif current and text:
            found[current] += f" {text}"
    return found


def _sections(title: str, model: type[BaseModel], path: str) -> Iterator[str]:
    about = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    yield f"## {title}\n\n{about}\n\n| key | accepted | default | |\n|---|---|---|---|"
    texts = explanations(model)
    nested: list[tuple[str, type[BaseModel]]] = []
    for name, info in model.model_fields.items():
        inner = section_of(info.annotation)
        here = f"{path}.{name}" if path else name
        if inner is not None:
            nested.append((here, inner))
        yield f"| `{name}` | {_accepted(info, inner)} | {_default(info)} | {texts.get(name, '').replace('|', '/')} |"
    yield ""
    for here, inner in nested:
        yield from _sections(f"`{here}`", inner, here)


def _search_options() -> Iterator[str]:
    """The options of each search algorithm."""
    for algorithm in ALGORITHMS:
        kind: type[Any] = type(make_searcher(algorithm))
        if not fields(kind):
            continue
        about = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        yield f"## `search.options` of `{algorithm}`\n\n{about}\n\n| key | accepted | default | |\n|---|---|---|---|"
        texts, hints = explanations(kind), get_type_hints(kind)
        for option in fields(kind):
            default = "" if option.default == () else f"`{json.dumps(option.default)}`"
            accepted = describe_type(hints[option.name])
            yield f"| `{option.name}` | {accepted} | {default} | {texts.get(option.name, '')} |"
        yield ""


def _accepted(info: FieldInfo, inner: type[BaseModel] | None) -> str:
    if inner is None:
        return describe(info).replace("|", "/")
    return "section below" if info.annotation is inner else "text, or the section below"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value: Any = info.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel) or value in ((), {}, []):
        return ""
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


if __name__ == "__main__":
    print(reference(), end="")
