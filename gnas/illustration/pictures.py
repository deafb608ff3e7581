"""Pictures as PNG, and a gallery of them with a line below each."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from gnas.illustration.figure import Figure

_TILE, _GAP, _TEXT, _ACROSS = 84.0, 10.0, 17.0, 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        pixels: `(row, column)` grey or `(row, column, 3)` RGB, uint8.
        lines: Short texts below it.
        tip: Text shown on pointing.
        right: Whether the prediction shown is right; None where that is no question.
    """

    pixels: NDArray[np.uint8]
    lines: tuple[str, ...] = ()
    tip: str = ""
    right: bool | None = None


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file.

    Source: W3C PNG specification, third edition, sections 5 and 11.

    Args:
        pixels: `(row, column)` grey or `(row, column, 3)` RGB.
    """
    height, width = pixels.shape[:2]
    flat = np.ascontiguousarray(pixels).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), dtype=np.uint8), flat], axis=1)
    colour = 2 if pixels.ndim == 3 else 0
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def gallery_figure(tiles: Sequence[Tile], title: str, caption: str = "") -> Figure:
    """Pictures in rows of six, framed by whether their prediction is right."""
    lines = max((len(tile.lines) for tile in tiles), default=0)
    down = _TILE + lines * _TEXT + _GAP
    rows = -(-len(tiles) // _ACROSS)
    width, height = _ACROSS * (_TILE + _GAP) + _GAP, rows * down + _GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">']
    for number, tile in enumerate(tiles):
        x = _GAP + (number % _ACROSS) * (_TILE + _GAP)
        y = _GAP + (number // _ACROSS) * down
        parts.append(_tile(tile, x, y))
    return Figure(title, "\n".join([*parts, "</svg>"]), caption)


def _tile(tile: Tile, x: float, y: float) -> str:
    picture = base64.b64encode(png(tile.pixels)).decode()
    tip = f" data-tip={quoteattr(tile.tip)}" if tile.tip else ""
    tone = 5 if tile.right is None else 3 if tile.right else 4
    parts = [
        f"<g{tip}>",
        f'<image x="{x:g}" y="{y:g}" width="{_TILE:g}" height="{_TILE:g}" preserveAspectRatio="xMidYMid" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{picture}"/>',
        f'<rect class="line tone{tone}" x="{x:g}" y="{y:g}" width="{_TILE:g}" height="{_TILE:g}" style="fill:none"/>',
    ]
    for number, line in enumerate(tile.lines, start=1):
        at = y + _TILE + number * _TEXT - 4
        parts.append(f'<text class="tick" x="{x + _TILE / 2:g}" y="{at:g}" text-anchor="middle">{escape(line)}</text>')
    return "\n".join([*parts, "</g>"])


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
