"""A drawing of an architecture as one self-contained SVG."""

from __future__ import annotations

from hashlib import blake2b
from html import escape
from itertools import pairwise
from typing import NamedTuple

from gnas.architecture import INPUT, Architecture, Node, Value
from gnas.space.layout import Layout, lay_out

_BOX_HEIGHT, _LINE_HEIGHT, _LAYER_GAP, _MARGIN = 30.0, 15.0, 30.0, 14.0
_CHARACTER, _SMALL_CHARACTER = 7.6, 6.1
_WIDEST_LINE = 30
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_COLOURS = (
    ("#dbeafe", "#3b82f6"),
    ("#dcfce7", "#22a35a"),
    ("#fef3c7", "#d99b0b"),
    ("#fce7f3", "#db4d97"),
    ("#ede9fe", "#8b5cf6"),
    ("#cffafe", "#0e9fb8"),
    ("#ffedd5", "#ea7a26"),
    ("#ecfccb", "#77ad1b"),
    ("#fee2e2", "#e05252"),
    ("#e0e7ff", "#6366f1"),
    ("#ccfbf1", "#14a394"),
    ("#fae8ff", "#c44bd6"),
)
_PLAIN = ("#f1f5f9", "#64748b")


class _Box(NamedTuple):
    """What a box says, and how it looks."""

    title: str
    lines: tuple[str, ...]
    hint: str
    fill: str
    stroke: str
    round: bool

    @property
    def width(self) -> float:
        """Width in pixels that the text needs."""
        longest = max((len(line) * _SMALL_CHARACTER for line in self.lines), default=0.0)
        return max(64.0, len(self.title) * _CHARACTER + 26, longest + 26)

    @property
    def height(self) -> float:
        """Height in pixels."""
        return _BOX_HEIGHT + _LINE_HEIGHT * len(self.lines) - (4 if self.lines else 0)


def draw_svg(architecture: Architecture) -> str:
    """The architecture, pruned, as SVG text: inputs above, output below, one colour for each op."""
    pruned = architecture.pruned()
    if not pruned.nodes:
        return _document(320, 60, [_text(160, 34, "empty: nothing reaches the output", 13, "#64748b")])
    colours = _colours(pruned)
    boxes = [_box(node, colours[node.op]) for node in pruned.nodes]
    edges = [(i, k) for k, node in enumerate(pruned.nodes) for i in dict.fromkeys(node.inputs)]
    for position, source in enumerate(pruned.outputs):
        name = "output" if len(pruned.outputs) == 1 else f"output {position + 1}"
        edges.append((source, len(boxes)))
        boxes.append(_Box(name, (), name, *_PLAIN, True))
    layout = lay_out([box.width for box in boxes], edges)
    tops = _tops(layout, boxes)
    height = tops[-1] + max(b.height for k, b in enumerate(boxes) if layout.layer[k] == layout.layers - 1)
    parts = [_edge(layout, tops, boxes, edge) for edge in edges]
    parts.extend(_draw_box(box, layout.x[k], tops[layout.layer[k]]) for k, box in enumerate(boxes))
    return _document(layout.width + 2 * _MARGIN, height + 2 * _MARGIN, parts)


def _colours(architecture: Architecture) -> dict[str, tuple[str, str]]:
    """One colour for each op, the same in every drawing unless two ops of one drawing would share it."""
    found: dict[str, tuple[str, str]] = {INPUT: _PLAIN}
    free = list(_COLOURS)
    for op in sorted({n.op for n in architecture.nodes} - {INPUT}):
        wished = _COLOURS[blake2b(op.encode(), digest_size=2).digest()[0] % len(_COLOURS)]
        found[op] = wished if wished in free or not free else free[0]
        if found[op] in free:
            free.remove(found[op])
    return found


def _box(node: Node, colour: tuple[str, str]) -> _Box:
    params = dict(node.params)
    if node.op == INPUT:
        return _Box(str(params.get("name", "input")), (), f"input {params.get('name', '')}", *colour, True)
    words = [f"{name} {_show(value)}" for name, value in node.params]
    hint = f"{node.name}: {node.op}({', '.join(f'{k}={_show(v)}' for k, v in node.params)})"
    return _Box(node.op, tuple(_wrap(words)), hint, *colour, False)


def _show(value: Value) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_show, value)) + ")"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrap(words: list[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= _WIDEST_LINE:
            lines[-1] += f" · {word}"
        else:
            lines.append(word)
    return lines


def _tops(layout: Layout, boxes: list[_Box]) -> list[float]:
    """Upper edge of each layer."""
    heights = [0.0] * layout.layers
    for k, box in enumerate(boxes):
        heights[layout.layer[k]] = max(heights[layout.layer[k]], box.height)
    tops = [0.0]
    for height in heights[:-1]:
        tops.append(tops[-1] + height + _LAYER_GAP)
    return tops


def _edge(layout: Layout, tops: list[float], boxes: list[_Box], edge: tuple[int, int]) -> str:
    """A smooth line from the lower side of one box to the upper side of another."""
    source, reader = edge
    route = layout.routes[edge]
    points = [(route[0][0], tops[route[0][1]] + boxes[source].height)]
    for x, layer in route[1:-1]:
        points.extend(((x, tops[layer]), (x, tops[layer + 1] - _LAYER_GAP)))
    points.append((route[-1][0], tops[layout.layer[reader]] - 2))
    path = [f"M{_at(points[0])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = (y1 - y0) / 2
        path.append(
            f"L{_at((x1, y1))}" if x0 == x1 else f"C{_at((x0, y0 + bend))} {_at((x1, y1 - bend))} {_at((x1, y1))}"
        )
    return f'<path d="{" ".join(path)}" fill="none" stroke="#94a3b8" stroke-width="1.6" marker-end="url(#gnas-arrow)"/>'


def _at(point: tuple[float, float]) -> str:
    return f"{point[0] + _MARGIN:.1f},{point[1] + _MARGIN:.1f}"


def _draw_box(box: _Box, x: float, top: float) -> str:
    x, top = x + _MARGIN, top + _MARGIN
    radius = box.height / 2 if box.round else 7
    parts = [
        f"<g><title>{escape(box.hint)}</title>",
        f'<rect x="{x - box.width / 2:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{radius:g}" fill="{box.fill}" stroke="{box.stroke}" stroke-width="1.4"/>',
        _text(x, top + 19.5, box.title, 13, "#0f172a", bold=not box.round),
    ]
    parts.extend(_text(x, top + 19.5 + _LINE_HEIGHT * (k + 1), line, 11, "#475569") for k, line in enumerate(box.lines))
    return "".join(parts) + "</g>"


def _text(x: float, y: float, text: str, size: int, colour: str, *, bold: bool = False) -> str:
    look = f'font-size="{size}" fill="{colour}"' + (' font-weight="600"' if bold else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" {look} text-anchor="middle">{escape(text)}</text>'


def _document(width: float, height: float, parts: list[str]) -> str:
    arrow = (
        '<defs><marker id="gnas-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0,0.8 L7.5,4 L0,7.2 z" fill="#94a3b8"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{escape(_FONT)}" role="img">'
        f"{arrow}{''.join(parts)}</svg>\n"
    )
