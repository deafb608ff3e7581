"""Figures of `gnas auto` as a reader wants them."""

from __future__ import annotations

from gnas.report.text import cost

_LONGEST_COUNT = 24
_FEW = 1000


def size_of_space(count: int) -> str:
    """An exact count; `about 3.2·10^57` beside the digits where it has too many to be read."""
    exact = f"{count:,}"
    if len(exact) <= _LONGEST_COUNT:
        return exact
    digits = str(count)
    return f"about {digits[0]}.{digits[1]}·10^{len(digits) - 1}"


def amount(n: int) -> str:
    """A number of parameters: `5`, `1.2 k`, `25.6 M`."""
    return f"{n}" if n < _FEW else cost("n_params", n)


def share(part: float, whole: float) -> str:
    """A share in per cent; one digit behind the point near the ends, where it matters."""
    if not whole:
        return "–"
    value = 100 * part / whole
    if part == whole or part == 0:
        return f"{value:.0f} %"
    return "< 0.1 %" if value < 0.05 else "> 99.9 %" if 99.95 <= value < 100 else f"{value:.1f} %"


def plural(n: int, one: str, several: str | None = None) -> str:
    """`1 join`, `3 joins`."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"
