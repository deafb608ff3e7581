"""How a model is called, as Python source: the parameters of its forward, and what it returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils._pytree import TreeSpec

from gnas.autospace.program import Program
from gnas.errors import ExportError

_SIMPLE = (bool, int, float, str, type(None))


@dataclass(frozen=True, slots=True)
class Signature:
    """The forward of a plain module.

    Attributes:
        parameters: Between the brackets of its `def`, after `self`.
        told: Its docstring.
        checks: Statements that refuse other values where an input was fixed when the model was traced.
        expressions: For each tensor of the flat inputs the expression that gives it.
    """

    parameters: str
    told: str
    checks: tuple[str, ...]
    expressions: tuple[str, ...]


def signature_of(program: Program, positional: Sequence[str]) -> Signature:
    """The signature of a traced model.

    Args:
        program: Its evaluation mode.
        positional: Names of the parameters of the original forward, for inputs that the example gave by position.

    Raises:
        ExportError: An input has a structure that plain Python has no words for.
    """
    args, kwargs = program.in_spec.child(0), program.in_spec.child(1)
    tops = [
        (_cleaned(positional[i] if i < len(positional) else f"input_{i}"), s) for i, s in enumerate(_children(args))
    ]
    named = list(zip([str(key) for key in kwargs.context or []], _children(kwargs), strict=True))
    flat = iter(zip(program.inputs, program.constants, strict=True))
    parameters: list[str] = []
    checks: list[str] = []
    expressions: list[str] = []
    for position, (name, spec) in enumerate([*tops, *named]):
        if position == len(tops) and named:
            parameters.append("*")
        leaves = [(path, *next(flat)) for path in _paths(spec, name)]
        expressions += [path for path, tensor, _ in leaves if tensor is not None]
        fixed = [(path, value) for path, tensor, value in leaves if tensor is None]
        alone = len(leaves) == 1 and fixed and leaves[0][0] == name and isinstance(fixed[0][1], _SIMPLE)
        parameters.append(f"{name}={fixed[0][1]!r}" if alone else name)
        checks += [line for path, value in fixed if isinstance(value, _SIMPLE) for line in _check(path, value)]
    return Signature(", ".join(_defaults_last(parameters)), _told(program), tuple(checks), tuple(expressions))


def returned(spec: TreeSpec, flat: str) -> str:
    """Source of what a model returns, built from a flat tuple of the name `flat`.

    Classes of outputs that only a library knows become plain dicts of their fields, or tuples.
    """
    counter = iter(range(spec.num_leaves))

    def text(spec: TreeSpec) -> str:
        if spec.is_leaf():
            return f"{flat}[{next(counter)}]"
        values = [text(child) for child in _children(spec)]
        if spec.type is list:
            return f"[{', '.join(values)}]"
        keys = _keys(spec)
        if keys is not None:
            return "{" + ", ".join(f"{k!r}: {v}" for k, v in zip(keys, values, strict=True)) + "}"
        return f"({''.join(v + ', ' for v in values).strip()})"

    return text(spec)


def _keys(spec: TreeSpec) -> list[Any] | None:
    """Names of the entries of a mapping, or of the fields of a class of outputs."""
    context = spec.context
    if spec.type is tuple or not isinstance(context, (list, tuple)) or not context:
        return None
    # NOTE: mappings and Hugging Face's outputs tell their keys, dataclasses registered by torch a list of lists.
    keys = list(context[0]) if isinstance(context[0], (list, tuple)) else list(context)
    fitting = len(keys) == spec.num_children and all(isinstance(key, (str, int)) for key in keys)
    return keys if fitting else None


def _children(spec: TreeSpec) -> list[TreeSpec]:
    return [spec.child(i) for i in range(spec.num_children)]


def _paths(spec: TreeSpec, path: str) -> list[str]:
    """Expressions of the leaves below `path`."""
    if spec.is_leaf():
        return [path]
    children = _children(spec)
    keys: list[Any] | None = list(range(len(children))) if spec.type in (tuple, list) else _keys(spec)
    if keys is None:
        raise ExportError("an input has a structure that cannot be written as source", value=str(spec.type))
    return [p for key, child in zip(keys, children, strict=True) for p in _paths(child, f"{path}[{key!r}]")]


def _check(path: str, value: object) -> list[str]:
    test = f"{path} is not None" if value is None else f"{path} != {value!r}"
    return [f"if {test}:", f"    raise ValueError({f'{path} was {value!r} when the model was traced, and is fixed'!r})"]


def _defaults_last(parameters: list[str]) -> list[str]:
    """After a parameter with a default those by position need one too: such a default is left out."""
    star = parameters.index("*") if "*" in parameters else len(parameters)
    found = list(parameters)
    for i in range(star):
        if "=" in found[i] and any("=" not in later for later in found[i:star]):
            found[i] = found[i].partition("=")[0]
    return found


def _told(program: Program) -> str:
    sizes = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in program.inputs:
            value = node.meta.get("val")
            shape = ", ".join("n" if not isinstance(s, int) else str(s) for s in getattr(value, "shape", ()))
            sizes.append(f"{node.name} {str(getattr(value, 'dtype', '')).removeprefix('torch.')} ({shape})")
    return f"Takes {'; '.join(sizes)}." if sizes else "Takes no tensor."


def _cleaned(name: str) -> str:
    return re.sub(r"\W", "_", name)
