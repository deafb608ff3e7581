"""Layers built once and copied afterwards: the same numbers as by building, for a fraction of the time.

Most of what a constructor does (signatures inspected, hooks laid out, the same weights filled twice) gives the same
every time. A layer whose only randomness is fills that can wait is kept as a blueprint; every network, the
first one too, gets a copy with memory of its own, filled from the network's own generator.
"""

from __future__ import annotations

import enum
import random
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from gnas.fills import Fill, LateFills
from gnas.ops import Layer

__all__ = ["build_layer"]

_CAPACITY = 1024
_Copies = dict[int, Any]
_Copier = Callable[[_Copies], Any]

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, torch.dtype, torch.device, torch.Size, enum.Enum)
# Describes a class, is never changed after construction, and takes longer to make than the rest of a layer.
_DESCRIPTIONS = frozenset({"torch_geometric.inspector.Inspector"})


class _OpaqueError(Exception):
    """Something in a module that cannot be copied safely."""


def build_layer(layer: Layer, fills: LateFills) -> nn.Module:
    """The module of a layer, whose random fills wait in `fills`.

    Its numbers depend on torch's generator and that of `fills` alone, not on what the process has built before: a layer
    is copied always or never.
    """
    key = (layer.factory, repr(layer.kwargs), *fills.defaults)
    if key in _BLUEPRINTS:
        blueprint = _BLUEPRINTS[key]
        return _build(layer, fills) if blueprint is None else blueprint.copy(fills)
    before, waiting = (_random_states(), fills.early), fills.order()
    module = _build(layer, fills)
    blueprint = None
    if before == (_random_states(), fills.early):
        try:
            blueprint = _Blueprint(module, fills)
            # Also what waited for tensors that the constructor let go of (tied weights): copies do not draw for them.
            fills.keep(waiting)
        except _OpaqueError:
            blueprint = None
    while len(_BLUEPRINTS) >= _CAPACITY:
        del _BLUEPRINTS[next(iter(_BLUEPRINTS))]
    _BLUEPRINTS[key] = blueprint
    return module if blueprint is None else blueprint.copy(fills)


def _build(layer: Layer, fills: LateFills) -> nn.Module:
    with fills:
        return layer.build()


def _random_states() -> tuple[bytes, object, bytes]:
    """What every generator that a constructor may use stands at."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 — is read, not drawn from
    state: Tensor = torch.default_generator.get_state()
    return state.numpy().tobytes(), random.getstate(), repr((name, rest)).encode() + np.asarray(keys).tobytes()


class _Blueprint:
    """A module taken apart: how to make each of its tensors and each attribute of its modules."""

    def __init__(self, module: nn.Module, fills: LateFills) -> None:
        """Reads the fills of the module in `fills`, and lets go of its tensors' memory unless it raises.

        Raises:
            _OpaqueError: It holds something that may not be shared and cannot be copied.
        """
        self._root = id(module)
        self._kept = module  # Keeps alive what the identities stand for.
        modules = list(module.modules())
        tensors = {id(t): t for m in modules for t in (*m._parameters.values(), *m._buffers.values()) if t is not None}
        known = {*tensors, *map(id, modules)}
        self._modules = [(id(m), _checked_class(m), *_split(m, known)) for m in modules]
        waits = {key: fills.waiting(tensor) for key, tensor in tensors.items()}
        if not all(map(_is_plain, tensors.values())) or _share_memory(list(tensors.values())):
            raise _OpaqueError
        self._tensors = [(key, _tensor_copier(tensor, waits[key])) for key, tensor in tensors.items()]
        # In the order of the fills, which is not that of the attributes.
        order = {id(fill): place for place, fill in enumerate(fills.order())}
        waiting = sorted((order[id(fill)], key, fill) for key, fill in waits.items() if fill is not None)
        self._fills = [(key, *fill[1:]) for _, key, fill in waiting]
        for tensor in tensors.values():
            if fills.waiting(tensor) is not None:
                tensor.data = torch.empty(0)

    def copy(self, fills: LateFills) -> nn.Module:
        """A module of its own, whose fills wait in `fills`."""
        copies: _Copies = {key: make() for key, make in self._tensors}
        for key, normal, first, second in self._fills:
            fills.add(Fill(copies[key], normal, first, second))
        for key, kind, _, _ in self._modules:
            copies[key] = object.__new__(kind)
        for key, _, shared, copiers in self._modules:
            attributes = copies[key].__dict__
            attributes.update(shared)
            for name, copier in copiers:
                attributes[name] = copier(copies)
        module: nn.Module = copies[self._root]
        return module


_BLUEPRINTS: dict[tuple[type[nn.Module], str, torch.dtype, str], _Blueprint | None] = {}


def _checked_class(module: nn.Module) -> type[nn.Module]:
    kind = type(module)
    if kind.__reduce_ex__ is not object.__reduce_ex__ or kind.__reduce__ is not object.__reduce__:
        raise _OpaqueError
    if hasattr(kind, "__deepcopy__") or any("__slots__" in vars(base) for base in kind.__mro__[:-1]):
        raise _OpaqueError
    return kind


def _split(module: nn.Module, known: set[int]) -> tuple[dict[str, Any], list[tuple[str, _Copier]]]:
    """Attributes that copies share, and how to copy the others. The order of attributes does not matter."""
    shared: dict[str, Any] = {}
    copiers: list[tuple[str, _Copier]] = []
    for name, value in vars(module).items():
        copier = _copier(value, known)
        if copier is None:
            shared[name] = value
        else:
            copiers.append((name, copier))
    return shared, copiers


def _copier(value: object, known: set[int]) -> _Copier | None:
    """How to copy a value; None where copies may share it.

    Raises:
        _OpaqueError: Neither is safe.
    """
    if isinstance(value, Tensor | nn.Module):
        if id(value) not in known:
            raise _OpaqueError
        return _Lookup(id(value))
    if isinstance(value, _ATOMS) or _is_fixed(value):
        return None
    if isinstance(value, weakref.ref) and id(value()) in known:
        target = id(value())
        return lambda copies: weakref.ref(copies[target])
    if isinstance(value, types.MethodType) and id(value.__self__) in known:
        function, owner = value.__func__, id(value.__self__)
        return lambda copies: types.MethodType(function, copies[owner])
    return _container_copier(value, known)


def _container_copier(value: object, known: set[int]) -> _Copier | None:
    kind = type(value)
    if kind in (dict, OrderedDict):
        assert isinstance(value, dict)
        if not value:
            return lambda copies: kind()
        if any(not isinstance(key, _ATOMS) for key in value):
            raise _OpaqueError
        items = [(key, _copier(item, known), item) for key, item in value.items()]
        return lambda copies: kind((key, item if copier is None else copier(copies)) for key, copier, item in items)
    if kind in (list, tuple, set, frozenset):
        assert isinstance(value, list | tuple | set | frozenset)
        parts = [(_copier(item, known), item) for item in value]
        if kind in (tuple, frozenset) and all(copier is None for copier, _ in parts):
            return None
        return lambda copies: kind(item if copier is None else copier(copies) for copier, item in parts)
    raise _OpaqueError


class _Lookup:
    """The copy of a tensor or a module."""

    __slots__ = ("_key",)

    def __init__(self, key: int) -> None:
        self._key = key

    def __call__(self, copies: _Copies) -> Any:
        return copies[self._key]


def _is_fixed(value: object) -> bool:
    """Whether a value is a function that remembers nothing, or a known description."""
    if isinstance(value, types.FunctionType):
        return value.__closure__ is None
    if isinstance(value, types.BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, types.ModuleType | type)
    return f"{type(value).__module__}.{type(value).__qualname__}" in _DESCRIPTIONS


def _is_plain(tensor: Tensor) -> TypeGuard[Tensor]:
    """Whether a tensor is one that `_tensor_copier` makes in full."""
    return (
        type(tensor) in (nn.Parameter, Tensor)
        and tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        and tensor.grad is None
        and tensor.is_leaf
        and not vars(tensor)
        and not tensor._backward_hooks
    )


def _share_memory(tensors: list[Tensor]) -> bool:
    places = [tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()]
    return len(set(places)) < len(places)


def _tensor_copier(tensor: Tensor, fill: Fill | None) -> Callable[[], Tensor]:
    shape, dtype, trained = tensor.shape, tensor.dtype, tensor.requires_grad
    values = None if fill is not None else tensor.detach().clone()

    def make() -> Tensor:
        data = torch.empty(shape, dtype=dtype) if values is None else values.clone()
        return nn.Parameter(data, trained) if is_parameter else data.requires_grad_(trained)

    is_parameter = isinstance(tensor, nn.Parameter)
    return make
