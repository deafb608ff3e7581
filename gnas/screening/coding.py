"""Cells of a table as codes of a space, with the place of whatever does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Value
from gnas.errors import DataError, SpaceError
from gnas.screening.tables import Block
from gnas.space.marks import accepted_names, suggestion
from gnas.space.protocol import Choice, Codes, Space
from gnas.space.scope import text_of

_MISSING = ("", "nan", "null", "na", "n/a")


@dataclass
class Coder:
    """Reads rows of tables as assignments of a space.

    Attributes:
        space: The space.
        dropped: Cells so far that named a value for a choice which is inactive in their row; they change nothing.
    """

    space: Space
    dropped: int = 0
    _known: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)

    def codes(self, block: Block) -> Codes:
        """Codes of the rows of a block, shape `(n, choice)`.

        A choice with one value needs no column; a cell may be empty where its choice is inactive.

        Raises:
            DataError: A choice without a column, or a cell outside the space; with file, line and column.
        """
        choices = self.space.choices
        self._check_columns(block)
        codes = np.full((len(block.rows), len(choices)), -1, dtype=np.int16)
        for index, choice in enumerate(choices):
            active = active_rows(choices, codes, index)
            if choice.name not in block.names:
                codes[active, index] = 0
                continue
            read = self._read(choice, block, active)
            self.dropped += int(((read >= 0) & ~active).sum())
            codes[:, index] = np.where(active, read, -1)
        self._check_rows(block, codes)
        return codes

    def _check_columns(self, block: Block) -> None:
        missing = [c.name for c in self.space.choices if len(c.values) > 1 and c.name not in block.names]
        if missing:
            raise DataError(
                f"no column for {len(missing)} of the {len(self.space.choices)} choices of space {self.space.name}",
                place=str(block.file),
                value=accepted_names(missing, 8),
                accepted=f"one column for each choice; the file has {accepted_names(block.names, 12)}",
                remedy=suggestion(missing[0], block.names) or f"see: gnas space info {self.space.name}",
            )

    def _read(self, choice: Choice, block: Block, active: NDArray[np.bool_]) -> NDArray[np.int16]:
        known = self._known.setdefault(choice.name, {text_of(v): i for i, v in enumerate(choice.values)})
        cells = block.column(choice.name)
        for cell in set(cells) - known.keys():
            code = _code_of(cell, choice.values)
            if code is not None:
                known[cell] = code
        out = np.array([known.get(cell, -2) for cell in cells], dtype=np.int16)
        wrong = np.flatnonzero((out == -2) | ((out == -1) & active))
        if wrong.size:
            row = int(wrong[0])
            texts = [text_of(v) for v in choice.values]
            problem = "is active in this row and needs a value" if out[row] == -1 else "has no such value"
            raise DataError(
                f"choice {choice.name!r} {problem}",
                place=block.place(row, choice.name),
                value=cells[row],
                accepted=accepted_names(texts),
                remedy=suggestion(cells[row], texts) or None,
            )
        return out

    def _check_rows(self, block: Block, codes: Codes) -> None:
        bad = np.flatnonzero(~self.space.contains_codes(codes))
        if bad.size:
            row = int(bad[0])
            values = {
                c.name: c.values[k] for c, k in zip(self.space.choices, codes[row].tolist(), strict=True) if k >= 0
            }
            try:
                self.space.encode(values)
                reason, accepted = "the row is outside the space", None
            except SpaceError as error:
                reason, accepted = error.problem, error.accepted
            raise DataError(
                reason,
                place=f"{block.file} line {block.lines[row]}",
                accepted=accepted,
                remedy=f"{len(bad)} of {len(codes)} rows are outside space {self.space.name}: correct or remove them",
            )


def active_rows(choices: tuple[Choice, ...], codes: Codes, index: int) -> NDArray[np.bool_]:
    """In which rows a choice is active, from the codes of the choices before it; shape `(n,)`."""
    active = np.ones(len(codes), dtype=np.bool_)
    place = {choice.name: i for i, choice in enumerate(choices)}
    for parent, accepted in choices[index].when:
        column = place[parent]
        good = [k for k, v in enumerate(choices[column].values) if any(_same(v, a) for a in accepted)]
        active &= np.isin(codes[:, column], good)
    return active


def numbers(block: Block, name: str) -> NDArray[np.float64]:
    """A numeric column, shape `(n,)`; empty cells and `nan` are NaN.

    Raises:
        DataError: A cell that is no number, with its line.
    """
    cells = block.column(name)
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.lower() in _MISSING:
            continue
        try:
            out[row] = float(cell)
        except ValueError:
            raise DataError(
                "not a number", place=block.place(row, name), value=cell, accepted="a number, or an empty cell"
            ) from None
    return out


def number_columns(block: Block, leave: tuple[str, ...]) -> Mapping[str, NDArray[np.float64]]:
    """Every column that holds nothing but numbers and empty cells, but those named in `leave`."""
    found = {}
    for name in block.names:
        if name in leave or not name:
            continue
        try:
            column = numbers(block, name)
        except DataError:
            continue
        if np.isfinite(column).any():
            found[name] = column
    return found


def _code_of(cell: str, values: tuple[Value, ...]) -> int | None:
    """The index of the value a cell means, −1 for an empty cell, None if there is no such value."""
    if cell.lower() in ("true", "false"):
        return next((i for i, v in enumerate(values) if isinstance(v, bool) and text_of(v) == cell.lower()), None)
    spread = cell.replace(" ", "").replace("(", "[").replace(")", "]")
    for i, value in enumerate(values):
        if isinstance(value, tuple) and text_of(value).replace(" ", "") == spread:
            return i
        if value is None and cell in ("None", "null"):
            return i
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    for i, value in enumerate(values):
        if isinstance(value, int | float) and not isinstance(value, bool) and float(value) == number:
            return i
    return -1 if cell.lower() in _MISSING else None


def _same(a: object, b: object) -> bool:
    return a == b and type(a) is type(b)
