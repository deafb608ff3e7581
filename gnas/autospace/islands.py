"""Submodules that cannot be traced stay in the graph as one opaque call: nothing inside them is searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

_library = torch.library.Library("gnas", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define("island(Tensor[] tensors, int number) -> Tensor[]")  # type: ignore[no-untyped-call]
_numbers = count()
_known: dict[int, Island] = {}
"""Islands of this process by number: a custom op takes no modules, so a traced graph has the number."""


@dataclass(slots=True)
class Island:
    """A submodule that stays as it is.

    Attributes:
        name: The user's name of it.
        module: Itself.
        reason: Why it could not be traced.
        number: What stands for it in a graph.
        in_spec: Structure of its `(args, kwargs)`, tensors and others.
        fixed: Its flat inputs that are no tensors, by position; the others are tensors.
        out_spec: Structure of what it returns.
        out_fixed: What it returns that is no tensor, by position.
        shapes: Shapes and types of its flat outputs on the example.
        rows: Size of the first dimension of its first tensor input on the example.
    """

    name: str
    module: nn.Module
    reason: str
    number: int
    in_spec: TreeSpec
    fixed: Mapping[int, Any]
    out_spec: TreeSpec
    out_fixed: Mapping[int, Any]
    shapes: list[tuple[tuple[int, ...], torch.dtype]]
    rows: int

    @property
    def kind(self) -> str:
        """The class of the module."""
        return type(self.module).__name__

    def call(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """Run the module on its tensor inputs; its flat outputs."""
        args, kwargs = tree_unflatten(_merged(tensors, self.fixed, self.in_spec), self.in_spec)
        return [
            t for t in tree_flatten(type(self.module).forward(self.module, *args, **kwargs))[0] if isinstance(t, Tensor)
        ]


def _merged(tensors: Iterable[Tensor], fixed: Mapping[int, Any], spec: TreeSpec) -> list[Any]:
    """Flat values of a structure: what is fixed at its places, tensors at the others."""
    given = iter(tensors)
    return [fixed[i] if i in fixed else next(given) for i in range(spec.num_leaves)]


def island_of(number: int) -> Island:
    """The island that a graph of this process calls by `number`."""
    return _known[number]


def _fake(tensors: list[Tensor], number: int) -> list[Tensor]:
    island = _known[number]
    made = []
    for shape, dtype in island.shapes:
        sizes = [tensors[0].shape[0] if i == 0 and s == island.rows else s for i, s in enumerate(shape)]
        made.append(tensors[0].new_empty(sizes, dtype=dtype))
    return made


def _real(tensors: list[Tensor], number: int) -> list[Tensor]:
    return _known[number].call(tensors)


_library.impl("island", _real, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
torch.library.register_fake("gnas::island", _fake, lib=_library)


@contextmanager
def opaque(islands: Iterable[Island]) -> Iterator[None]:
    """While open, each island's module leaves one opaque call in a trace."""
    with ExitStack() as stack:
        for island in islands:
            stack.enter_context(_replaced(island))
        yield


@contextmanager
def _replaced(island: Island) -> Iterator[None]:
    def forward(*args: Any, **kwargs: Any) -> Any:
        flat = tree_flatten((args, kwargs))[0]
        results = torch.ops.gnas.island([t for t in flat if isinstance(t, Tensor)], island.number)
        return tree_unflatten(_merged(results, island.out_fixed, island.out_spec), island.out_spec)

    # NOTE: it may have one of its own already: of an island found before, or of a library that wraps it.
    before = vars(island.module).get("forward")
    island.module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del island.module.forward
        else:
            island.module.forward = before


Exports = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], "str | None"]


def islands_in(
    model: nn.Module, example: tuple[tuple[Any, ...], dict[str, Any]], exports: Exports, known: set[str]
) -> list[Island]:
    """The smallest submodules that cannot be traced, outermost module excluded; empty if the fault is the model's own.

    Args:
        model: The model that could not be traced.
        example: Its inputs.
        exports: Says why a module cannot be traced on inputs, or None.
        known: Names of islands found before.
    """
    calls = _recorded(model, example)
    found: list[Island] = []

    def visit(module: nn.Module, prefix: str) -> None:
        for name, child in module.named_children():
            path = f"{prefix}{name}"
            if path in known:
                continue
            if path not in calls:
                visit(child, f"{path}.")
                continue
            args, kwargs, output = calls[path]
            reason = exports(child, args, kwargs)
            if reason is None:
                continue
            before = len(found)
            visit(child, f"{path}.")
            if len(found) == before:
                found.append(_island(path, child, reason, args, kwargs, output))

    visit(model, "")
    return found


def _recorded(model: nn.Module, example: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[str, tuple[Any, Any, Any]]:
    """First call of every submodule on the example: positional inputs, named inputs, output."""
    calls: dict[str, tuple[Any, Any, Any]] = {}
    handles = []
    for path, module in model.named_modules():
        if path:

            def hook(_: nn.Module, args: Any, kwargs: Any, output: Any, path: str = path) -> None:
                calls.setdefault(path, (args, kwargs, output))

            handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        with torch.no_grad():
            model(*example[0], **example[1])
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _island(
    path: str, module: nn.Module, reason: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> Island:
    flat, in_spec = tree_flatten((args, kwargs))
    out, out_spec = tree_flatten(output)
    first = next((t for t in flat if isinstance(t, Tensor) and t.dim()), None)
    island = Island(
        name=path,
        module=module,
        reason=reason,
        number=next(_numbers),
        in_spec=in_spec,
        fixed={i: v for i, v in enumerate(flat) if not isinstance(v, Tensor)},
        out_spec=out_spec,
        out_fixed={i: v for i, v in enumerate(out) if not isinstance(v, Tensor)},
        shapes=[(tuple(t.shape), t.dtype) for t in out if isinstance(t, Tensor)],
        rows=first.shape[0] if first is not None else -1,
    )
    _known[island.number] = island
    return island
