"""The record of one figure, and the file of a run folder that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gnas.errors import StudyError
from gnas.records import from_json, to_json

FIGURES = "figures.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a task's predictions.

    Attributes:
        title: One line above it.
        svg: One `<svg>` element without scripts, links or ids that matter elsewhere. Pictures may be in it as PNG
            (`data:image/png;base64,…`). Colours follow the page through the classes `line`, `dot` and `bar` with
            `tone0` to `tone5`, and `grid`, `axis`, `tick`, `label`; `data-tip` holds a text shown on pointing.
        caption: What is to be seen, one or two sentences below it.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    title: str
    svg: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    figures: tuple[Figure, ...]


def figures_json(figures: Sequence[Figure]) -> dict[str, Any]:
    """What `figures.json` holds, as plain JSON types."""
    return to_json(_File(tuple(figures)))


def read_figures(out: Path) -> tuple[Figure, ...]:
    """The figures of a run folder; none where it has no such file.

    Raises:
        StudyError: The file is damaged.
    """
    path = out / FIGURES
    if not path.is_file():
        return ()
    try:
        return from_json(_File, path.read_bytes()).figures
    except ValueError as error:
        remedy = "start the same gnas run again"
        raise StudyError(f"cannot be read ({error})", place=str(path), remedy=remedy) from error
