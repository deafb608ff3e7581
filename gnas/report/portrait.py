"""Portraits of the best architectures: drawing, choices, values and training curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from gnas.errors import GnasError
from gnas.evaluation import Evaluation
from gnas.report.compare import ComparisonRow
from gnas.report.progress import ranking
from gnas.report.record import RunRecord

_MOST = 4
_SVG = "http://www.w3.org/2000/svg"
_PICTURE = "data:image/png;base64,"
_SCRIPTED = {"script", "foreignObject", "iframe", "image", "a", "use", "animate", "set"}


@dataclass(frozen=True, slots=True)
class Portrait:
    """One of the best architectures.

    Attributes:
        title: `finalist 1`, or its rank in the search.
        evaluation: Its evaluation in the search.
        svg: The drawing, checked to hold nothing active; empty if it cannot be drawn.
        remark: Why there is no drawing.
    """

    title: str
    evaluation: Evaluation
    svg: str = ""
    remark: str = ""


def portraits(record: RunRecord, rows: tuple[ComparisonRow, ...]) -> tuple[Portrait, ...]:
    """The finalists of the search, the chosen one first, or its best architectures where there are no finalists."""
    return tuple(_portrait(title, evaluation, record) for title, evaluation in _best(record, rows))


def drawable(svg: str, scope: str, label: str, *, pictures: bool = False) -> str:
    """A drawing as safe inline SVG.

    Args:
        svg: The drawing.
        scope: Put before its ids, which must be unique in the page.
        label: What it shows, for those who do not see it.
        pictures: Whether it may hold PNG pictures within itself.

    Raises:
        ValueError: It is no well-formed SVG, or holds scripts, links or event handlers.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"not well-formed: {error}") from error
    if root.tag not in {f"{{{_SVG}}}svg", "svg"}:
        raise ValueError(f"not an SVG but {root.tag!r}")
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2]
        picture = pictures and tag == "image" and element.get("href", "").startswith(_PICTURE)
        if tag in _SCRIPTED and not picture:
            raise ValueError(f"element {element.tag!r} is not allowed")
        for name, value in list(element.attrib.items()):
            plain = name.rpartition("}")[2].lower()
            if (
                plain.startswith("on")
                or (plain in {"href", "src"} and not picture)
                or "url(" in value.replace("url(#", "")
            ):
                raise ValueError(f"attribute {name!r} is not allowed")
            element.set(name, f"{scope}-{value}" if name == "id" else value.replace("url(#", f"url(#{scope}-"))
    root.set("role", "img")
    root.set("aria-label", label)
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _best(record: RunRecord, rows: tuple[ComparisonRow, ...]) -> Iterator[tuple[str, Evaluation]]:
    known = {evaluation.digest: evaluation for evaluation in reversed(record.search)}
    named = [(row.name, known[row.digest]) for row in rows if row.kind == "finalist" and row.digest in known]
    if named:
        yield from named[:_MOST]
        return
    for rank, evaluation in enumerate(ranking(record.search, record.objective)[: _MOST - 1], start=1):
        yield f"number {rank} of the search", evaluation


def _portrait(title: str, evaluation: Evaluation, record: RunRecord) -> Portrait:
    if record.space is None:
        return Portrait(title, evaluation, remark="The space could not be read, so there is no drawing.")
    from gnas.space.draw import draw_svg

    try:
        architecture = record.space.decode(record.space.encode(dict(evaluation.assignment)))
        svg = drawable(draw_svg(architecture), evaluation.digest, f"Drawing of {title}")
    except (GnasError, ValueError) as error:
        return Portrait(title, evaluation, remark=f"It could not be drawn: {error}")
    return Portrait(title, evaluation, svg)
