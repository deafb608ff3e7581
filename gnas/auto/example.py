"""Example inputs in a few characters: `1x3x224x224`, `float32[2,3,32,32]`, `mask=int64[1,16]<2; labels=none`.

The text is read by a grammar of its own; nothing of it is evaluated as Python. Inputs it cannot say come from a
function of the user's (`file.py:inputs`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gnas.auto.target import call, load_function
from gnas.checking import suggest
from gnas.errors import SpecError

GRAMMAR = (
    "SIZES such as 1x3x224x224, DTYPE[SIZES] such as float32[2,3,32,32], DTYPE[SIZES]<BOUND for whole numbers from 0, "
    "true, false, none or a number; NAME=… for inputs given by name; several with `;` between them; or a function "
    "package.module:function or file.py:function"
)
_TYPES = {
    name: getattr(torch, name)
    for name in (
        "float16 bfloat16 float32 float64 complex64 complex128 uint8 int8 int16 int32 int64 bool".split()  # noqa: SIM905
    )
}
_MOST_ELEMENTS = 1 << 28
_NAMED = re.compile(r"([A-Za-z_]\w*)\s*=\s*(.*)", flags=re.S)
_TENSOR = re.compile(r"(?:([a-z]\w*)\s*\[\s*([\d\s,]*)\]|(\d+(?:x\d+)+))\s*(?:<\s*(\d+))?")
_FUNCTION = re.compile(r"[^;=\[\]<>]+:[A-Za-z_]\w*")
_WORDS = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs of a model.

    Attributes:
        args: By position.
        kwargs: By name.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def read_example(text: str, model: nn.Module, *, folder: Path | None = None, place: str = "--example") -> Example:
    """Example inputs as the user wrote them, on the device of the model.

    Floating-point inputs are standard normal, whole numbers uniform from 0 to below their bound (2 where none is
    given), truth values even, all from a fixed seed.

    Args:
        text: See `GRAMMAR`.
        model: Tells the device; with a model on `meta` the inputs take no memory.
        folder: Where the file of a function is looked for.
        place: How messages name the place of `text`.

    Raises:
        SpecError: It cannot be read, or its function fails.
    """
    if _FUNCTION.fullmatch(text.strip()):
        name = text.strip()
        return placed(_of_function(call(load_function(name, folder=folder, place=place), name), name), model)
    generator = torch.Generator().manual_seed(0)
    device = _device(model)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for part in (piece.strip() for piece in text.split(";")):
        named = _NAMED.fullmatch(part)
        value = _value(named[2] if named else part, generator, device, place)
        if named and named[1] in kwargs:
            raise SpecError("an input is named twice", place=place, value=named[1])
        if not named and kwargs:
            raise SpecError("an input without a name stands after one with a name", place=place, value=part)
        if named:
            kwargs[named[1]] = value
        else:
            args.append(value)
    return Example(tuple(args), kwargs)


def placed(example: Example, model: nn.Module) -> Example:
    """The inputs on the device of the model."""
    device = _device(model)
    args, kwargs = tree_map(
        lambda v: v.to(device) if isinstance(v, Tensor) and v.device != device else v, (example.args, example.kwargs)
    )
    return Example(args, kwargs)


def _of_function(made: Any, name: str) -> Example:
    if isinstance(made, Tensor):
        return Example((made,), {})
    if isinstance(made, Mapping):
        return Example((), dict(made))
    if isinstance(made, (tuple, list)):
        if len(made) == 2 and isinstance(made[0], (tuple, list)) and isinstance(made[1], Mapping):
            return Example(tuple(made[0]), dict(made[1]))
        return Example(tuple(made), {})
    raise SpecError(
        "the function does not return inputs",
        place=name,
        value=type(made).__name__,
        accepted="a tensor, a tuple of inputs, a mapping of inputs by name, or (tuple, mapping)",
    )


def _device(model: nn.Module) -> torch.device:
    first = next(iter([*model.parameters(), *model.buffers()]), None)
    return torch.device("cpu") if first is None else first.device


def _value(text: str, generator: torch.Generator, device: torch.device, place: str) -> Any:
    lowered = text.strip().lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    for kind in (int, float):
        try:
            return kind(lowered)
        except ValueError:
            continue
    found = _TENSOR.fullmatch(text.strip())
    if found is None:
        raise SpecError("an example that cannot be read", place=place, value=text.strip(), accepted=GRAMMAR)
    dtype_name, sizes, short, bound = found.groups()
    dtype = _TYPES.get(dtype_name or "float32")
    if dtype is None:
        raise SpecError(
            "unknown type of numbers",
            place=place,
            value=dtype_name,
            accepted=", ".join(_TYPES),
            remedy=suggest(dtype_name, list(_TYPES)) or None,
        )
    shape = [int(s) for s in (short.split("x") if short else sizes.replace(",", " ").split())]
    return _tensor(shape, dtype, None if bound is None else int(bound), generator, device, place)


def _tensor(
    shape: list[int],
    dtype: torch.dtype,
    bound: int | None,
    generator: torch.Generator,
    device: torch.device,
    place: str,
) -> Tensor:
    floating = dtype.is_floating_point or dtype.is_complex
    if bound is not None and (floating or dtype is torch.bool or bound < 1):
        raise SpecError(
            "a bound is for whole numbers and at least 1", place=place, value=f"{dtype}<{bound}".removeprefix("torch.")
        )
    if device.type == "meta":
        return torch.empty(shape, dtype=dtype, device=device)
    if math.prod(shape) > _MOST_ELEMENTS:
        raise SpecError("an example too large", place=place, value=shape, accepted=f"at most {_MOST_ELEMENTS:,} values")
    if floating:
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(device, dtype)
    top = 2 if bound is None else bound
    return torch.randint(0, top, shape, generator=generator).to(device, dtype)
