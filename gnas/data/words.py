"""Labels as text: what one cell says, as a number and in order."""

from __future__ import annotations

import math
from collections.abc import Container


def text_of(cell: object, missing: Container[str]) -> str:
    """A label as text: numbers without their fraction where it is zero; empty where it is missing.

    Args:
        cell: As read.
        missing: Texts, in lower case, that say nothing.
    """
    text = "" if cell is None else str(int(cell)) if isinstance(cell, bool) else str(cell).strip()
    if text.lower() in missing:
        return ""
    value = number(text)
    return str(int(value)) if math.isfinite(value) and value == int(value) else text


def number(text: str) -> float:
    """What a text says as a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def order(text: str) -> tuple[float, str]:
    """A key that sorts numbers by value, then text."""
    value = number(text)
    return (math.inf if math.isnan(value) else value, text)
