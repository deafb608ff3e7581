"""Initial weights drawn once, at the end: a fill that a later one overwrites is never computed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["Fill", "LateFills"]

_BLOCK = 65_536  # numbers
_ROW_BITS = 20
_TABLE_SEED = 20_011


class Fill(NamedTuple):
    """A tensor that is to be filled with random numbers.

    Attributes:
        tensor: What is filled.
        normal: Whether the numbers are normal; uniform otherwise.
        first, second: Mean and standard deviation, or the bounds.
    """

    tensor: Tensor
    normal: bool
    first: float
    second: float


class LateFills(TorchFunctionMode):
    """Inside, random fills of whole float32 tensors on the CPU wait until `draw`, and the last one of a tensor counts.

    Constructors of layers fill the same weights up to three times. Whatever else a constructor does to a tensor that
    waits makes it be filled first, so that no one reads a number that is not there yet; other random functions draw
    from torch's generator as ever. The distributions are torch's.

    The numbers are made of two stretches of fixed tables, for each block of 65,536 at places of their own: fractions
    whose bits are added modulo 2 for uniform ones, and for normal ones a rotation of two normal ones by an angle of its
    own, so that the distribution stays what it is in the table. That takes a tenth of the time of a generator; any two
    numbers of a network come from different pairs of the table but for chance.

    Attributes:
        defaults: Torch's dtype and device, as they were at the start.
        early: Fills so far that could not wait.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.defaults = (torch.get_default_dtype(), str(torch.get_default_device()))
        self.early = 0
        self._random = random.Random(seed)
        self._waiting: dict[int, Fill] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """A torch function as it would be, but for random fills."""
        named = kwargs or {}
        reader = _FILLS.get(func)
        if reader is not None:
            fill = reader(*args, **named)
            if fill is not None and _is_whole(fill.tensor):
                self.add(fill)
                return fill.tensor
        if self._waiting and func not in _HARMLESS:
            for tensor in _tensors((*args, *named.values())):
                self._settle(tensor)
        return func(*args, **named)

    def add(self, fill: Fill) -> None:
        """Lets a fill of a whole tensor wait, in place of the one that waited for it."""
        key = fill.tensor.data_ptr()
        self._waiting.pop(key, None)
        self._waiting[key] = fill

    def waiting(self, tensor: Tensor) -> Fill | None:
        """The fill that waits for the memory of a tensor."""
        return self._waiting.get(tensor.data_ptr()) if tensor.numel() else None

    def order(self) -> tuple[Fill, ...]:
        """What waits, in the order of `draw`."""
        return tuple(self._waiting.values())

    def keep(self, fills: tuple[Fill, ...]) -> None:
        """Forgets all that waits but `fills`, which an earlier `order` gave."""
        self._waiting = {fill.tensor.data_ptr(): fill for fill in fills}

    def draw(self) -> None:
        """Fills all tensors that wait, in the order of their last fills."""
        for fill in self._waiting.values():
            self._fill(fill)
        self._waiting.clear()

    def _settle(self, tensor: Tensor) -> None:
        if tensor.layout is not torch.strided or tensor.device.type != "cpu":
            return
        fill = self._waiting.pop(tensor.untyped_storage().data_ptr(), None)
        if fill is not None:
            self.early += 1
            self._fill(fill)

    def _fill(self, fill: Fill) -> None:
        values: NDArray[np.float32] = fill.tensor.detach().numpy().reshape(-1)
        draw = _draw_normal if fill.normal else _draw_uniform
        for start in range(0, len(values), _BLOCK):
            draw(values[start : start + _BLOCK], fill.first, fill.second, self._random)


def _draw_uniform(values: NDArray[np.float32], low: float, high: float, places: random.Random) -> None:
    """Uniform numbers from `low` to `high`, but for rounding; `values`, shape (number,), are overwritten."""
    table, n = _uniform_table(), len(values)
    one, other = places.getrandbits(_ROW_BITS), places.getrandbits(_ROW_BITS)
    # From 1 to 2: the exponent of the one stretch stays, and the fraction becomes another.
    np.bitwise_xor(table[0, one : one + n], table[1, other : other + n], out=values.view(np.int32))
    np.multiply(values, high - low, out=values)
    np.add(values, low + low - high, out=values)


def _draw_normal(values: NDArray[np.float32], mean: float, deviation: float, places: random.Random) -> None:
    """Normal numbers; `values`, shape (number,), are overwritten."""
    table, n = _normal_table(), len(values)
    one, other = places.getrandbits(_ROW_BITS), places.getrandbits(_ROW_BITS)
    angle = places.random() * 2 * math.pi
    np.multiply(table[one : one + n], math.cos(angle) * deviation, out=values)
    values += table[other : other + n] * np.float32(math.sin(angle) * deviation)
    if mean:
        values += np.float32(mean)


@cache
def _uniform_table() -> NDArray[np.int32]:
    """Random fractions of single precision, shape (2, row); those of the first row have the exponent of 1."""
    generator = np.random.Generator(np.random.SFC64(_TABLE_SEED))
    table = generator.integers(0, 2**23, (2, 2**_ROW_BITS + _BLOCK), dtype=np.int32)
    table[0] |= np.float32(1).view(np.int32)
    return table


@cache
def _normal_table() -> NDArray[np.float32]:
    """Standard normal numbers, shape (row,)."""
    generator = np.random.Generator(np.random.SFC64(_TABLE_SEED + 1))
    table: NDArray[np.float32] = generator.standard_normal(2**_ROW_BITS + _BLOCK, dtype=np.float32)
    return table


def _is_whole(tensor: Tensor) -> bool:
    """Whether a tensor is all of a float32 memory on the CPU and may be overwritten."""
    return (
        tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and tensor.dtype is torch.float32
        and tensor.numel() > 0
        and tensor.is_contiguous()
        and tensor.untyped_storage().nbytes() == 4 * tensor.numel()
    )


def _tensors(values: Iterable[object]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())


def _method(
    tensor: Tensor, low: float = 0.0, high: float = 1.0, *, generator: torch.Generator | None = None, **names: float
) -> Fill | None:
    """`Tensor.uniform_`; None where torch itself has to answer."""
    refused = tensor.requires_grad and torch.is_grad_enabled()
    bounds = names.get("from", low), names.get("to", high)
    return None if refused or generator is not None or bounds[0] > bounds[1] else Fill(tensor, False, *bounds)


def _initialiser(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: torch.Generator | None = None
) -> Fill | None:
    """`nn.init.uniform_`; None where torch itself has to answer."""
    return None if generator is not None or a > b else Fill(tensor, False, a, b)


def _kaiming(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Fill | None:
    """`nn.init.kaiming_uniform_`. Source: He et al. 2015, eq. 14, arXiv:1502.01852; None where torch has to answer."""
    if generator is not None or tensor.dim() < 2 or mode != "fan_in" or nonlinearity != "leaky_relu":
        return None
    fan = tensor.numel() // tensor.shape[0] if tensor.numel() else 0
    bound = (6.0 / ((1.0 + a * a) * fan)) ** 0.5 if fan else 0.0
    return Fill(tensor, False, -bound, bound)


def _normal(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: torch.Generator | None = None
) -> Fill | None:
    """`Tensor.normal_`; None where torch itself has to answer."""
    refused = tensor.requires_grad and torch.is_grad_enabled()
    return None if refused or generator is not None or std < 0 else Fill(tensor, True, mean, std)


def _normal_initialiser(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: torch.Generator | None = None
) -> Fill | None:
    """`nn.init.normal_`; None where torch itself has to answer."""
    return None if generator is not None or std < 0 else Fill(tensor, True, mean, std)


def _randn(*size: int, **options: object) -> Fill | None:
    """`torch.randn` of a shape without options; None where torch itself has to answer."""
    return None if options or not size else Fill(torch.empty(*size), True, 0.0, 1.0)


_FILLS: dict[Callable[..., Any], Callable[..., Fill | None]] = {
    torch.randn: _randn,
    Tensor.normal_: _normal,
    nn.init.normal_: _normal_initialiser,
    Tensor.uniform_: _method,
    nn.init.uniform_: _initialiser,
    nn.init.kaiming_uniform_: _kaiming,
}
_GETTERS = (
    *(Tensor.data, Tensor.device, Tensor.dtype, Tensor.requires_grad, Tensor.shape, Tensor.ndim),
    *(Tensor.grad_fn, Tensor.is_leaf),
)
# What reads no number of a tensor.
_HARMLESS = frozenset(
    [
        *(getattr(getter, "__get__") for getter in _GETTERS),  # noqa: B009 — the stubs know no `__get__` here
        *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.stride, Tensor.is_floating_point, Tensor.is_contiguous),
    ]
)
