"""The segment graph of a model, each segment marked by what the space can do with it."""

from __future__ import annotations

from math import prod

from gnas.architecture import INPUT, Architecture, Node, Value
from gnas.auto.words import amount
from gnas.autospace import AutoSpace
from gnas.autospace.coverage import Coverage
from gnas.space.draw import draw_svg

MOST_SEGMENTS = 600
"""Larger graphs are not drawn: no one reads them, and laying them out takes long."""
_LONGEST = 30


def segment_svg(space: AutoSpace, cover: Coverage) -> str | None:
    """The whole model's segment graph as SVG text; None where it is too large to be read.

    A segment is `removable` where a depth choice takes its parameters away, `narrowable` where only width choices
    touch it, `fixed` where none does, and `operations` where it has no parameters.
    """
    full = space.full()
    if len(full.nodes) > MOST_SEGMENTS:
        return None
    kinds = _kinds(space, cover)
    nodes = tuple(_shown(node, kinds, space) for node in full.nodes)
    return draw_svg(Architecture(nodes, full.outputs))


def _kinds(space: AutoSpace, cover: Coverage) -> dict[str, str]:
    kinds = {name: "narrowable" for width in cover.widths for name, _ in width.places}
    return kinds | dict.fromkeys(cover.removable, "removable")


def _shown(node: Node, kinds: dict[str, str], space: AutoSpace) -> Node:
    if node.op == INPUT:
        return node
    own = [(name, size) for name, size in node.params if name in space.structure.traced.parameters]
    found = {kinds.get(name, "fixed") for name, _ in own}
    kind = next((k for k in ("removable", "narrowable", "fixed") if k in found), "operations")
    params: list[tuple[str, Value]] = [("", _short(node.op))]
    if node.name:
        params.append(("in", _short(node.name)))
    if own:
        params.append(("with", f"{amount(_elements(own))} parameters"))
    return Node(kind, tuple(params), node.inputs, node.name, node.ordered)


def _elements(own: list[tuple[str, Value]]) -> int:
    sizes = (size if isinstance(size, tuple) else (size,) for _, size in own)
    return sum(prod(int(s) for s in size if isinstance(s, int)) for size in sizes)


def _short(text: str) -> str:
    words = dict.fromkeys(text.split("+"))
    text = " · ".join(words) if len(words) > 1 else text
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
