"""A model of a zoo, with calls of two sizes and the forms of its outputs.

A zoo is a Python file with `zoo() -> {name: (build, args, kwargs)}`. Optional: `randomize_(model)`, which gives
normalisation layers and what is initialised to zero other values, and `hints()` for the peer.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from gnas.testing.networks import Call, Forms, forms_of

_MORE_NODES = 7
_MORE_EDGES = 11


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and what a network in its place must do.

    Attributes:
        model: The original, in eval mode.
        calls: The example, and where found one of another size.
        forms: Of its outputs.
    """

    model: nn.Module
    calls: tuple[Call, ...]
    forms: Forms


def load_zoo(path: Path) -> ModuleType:
    """The zoo's module; its own folder comes first where it looks for others."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def load_subject(zoo: ModuleType, name: str, seed: int = 0) -> Subject:
    """The model called `name` in a zoo; raises whatever it raises where the original does not run."""
    build, args, kwargs = zoo.zoo()[name]
    torch.manual_seed(seed)
    model: nn.Module = build().eval()
    getattr(zoo, "randomize_", lambda module: module)(model)
    example = (tuple(args), dict(kwargs))
    calls = (example, *another_size(model, example))
    return Subject(model, calls, forms_of(model, calls))


def another_size(model: nn.Module, call: Call) -> tuple[Call, ...]:
    """The first of the resized calls that the original runs; none if there is none."""
    for resized in (_larger_batch(call), _larger_graph(call)):
        if resized is None:
            continue
        try:
            with torch.no_grad():
                model(*resized[0], **resized[1])
        except Exception:  # whatever an original makes of a size that it does not take
            continue
        return (resized,)
    return ()


def _changed(call: Call, change: Callable[[Tensor], Tensor]) -> Call:
    """A call with all tensors but scalars changed."""
    leaves, spec = tree_flatten(call)
    new: list[Any] = [change(leaf) if isinstance(leaf, Tensor) and leaf.dim() else leaf for leaf in leaves]
    args, kwargs = tree_unflatten(new, spec)
    return args, kwargs


def _tensors(call: Call) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(call)[0] if isinstance(leaf, Tensor) and leaf.dim()]


def _larger_batch(call: Call) -> Call | None:
    """One more row for all tensors, if their first dimensions agree."""
    if len({len(tensor) for tensor in _tensors(call)}) != 1:
        return None
    return _changed(call, lambda tensor: torch.cat([tensor, tensor[:1]]))


def _larger_graph(call: Call) -> Call | None:
    """More nodes and edges, if one tensor lists edges `(2, edge)` and others have a row a node."""
    tensors = _tensors(call)
    lists = [t for t in tensors if t.dtype == torch.int64 and t.dim() == 2 and len(t) == 2]
    rows = Counter(len(t) for t in tensors if t.is_floating_point() and t.dim() > 1)
    if len(lists) != 1 or not rows:
        return None
    edges = lists[0]
    n_nodes, n_edges = rows.most_common(1)[0][0], edges.shape[1]
    if edges.max() >= n_nodes:
        return None
    generator = torch.Generator().manual_seed(0)
    more = torch.randint(n_nodes + _MORE_NODES, (2, _MORE_EDGES), generator=generator)

    def grown(tensor: Tensor) -> Tensor:
        if tensor is edges:
            return torch.cat([edges, more], 1)
        count = {n_nodes: _MORE_NODES, n_edges: _MORE_EDGES}.get(len(tensor), 0)
        return torch.cat([tensor, tensor[-1:].expand(count, *tensor.shape[1:])])

    return _changed(call, grown)


@contextmanager
def quiet(tell: Callable[[str], None]) -> Iterator[None]:
    """Tells of an error by its type and first lines instead of raising it."""
    try:
        yield
    except Exception as error:  # a model may raise anything
        tell(f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")
