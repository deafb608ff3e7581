"""`int(tensor)` in code that is being traced: a number that varies with the inputs instead of an error.

Python wants a real integer of `int(…)`, which a trace does not have; `tensor.item()` gives a symbol. Graph networks
count their graphs so (`int(batch.max()) + 1`). Where a trace fails at such a line, `int` means the other for the module
that the line is in, while it is traced again.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

Scope = dict[str, Any]


class _Kind(type):
    """Makes `Whole` stand for `int` in `int(x)` and `isinstance(x, int)`."""

    def __call__(cls, value: Any = 0, *rest: Any) -> Any:
        return value.item() if isinstance(value, Tensor) and not rest else builtins.int(value, *rest)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, builtins.int)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, builtins.int)


class Whole(metaclass=_Kind):
    """`int`, but a tensor gives what its `item()` gives."""


def scope_of(error: BaseException) -> Scope | None:
    """The globals of the innermost line that calls `int`, if an export failed because of what such a line gives."""
    if "DataDependent" not in type(error).__name__:
        return None
    frames = list(traceback.walk_tb(error.__traceback__))
    lines = traceback.StackSummary.extract(iter(frames))
    for (frame, _), line in zip(reversed(frames), reversed(lines), strict=True):
        if "int(" in (line.line or "") and "/torch/" not in line.filename and "int" not in frame.f_globals:
            return frame.f_globals
    return None


@contextmanager
def symbolic(scopes: Sequence[Scope]) -> Iterator[None]:
    """While open, `int` gives symbols in these modules."""
    for scope in scopes:
        scope["int"] = Whole
    try:
        yield
    finally:
        for scope in scopes:
            scope.pop("int", None)
