"""Outputs that no trace can hold: objects of classes that PyTorch cannot take apart, such as caches of keys and values.

They are left out while a model is traced: None stands in their place.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

_PLAIN = (Tensor, bool, int, float, complex, str, bytes, type(None))


def strange(output: Any) -> tuple[str, ...]:
    """Classes of the leaves of a model's output that are neither tensors nor plain values."""
    kinds = (type(leaf) for leaf in tree_flatten(output)[0] if not isinstance(leaf, _PLAIN))
    return tuple(dict.fromkeys(kind.__name__ for kind in kinds))


@contextmanager
def without_strange(model: nn.Module, output: Any, notes: list[str]) -> Iterator[None]:
    """While open, the model returns None in place of what `strange` names of `output`; a note says so."""
    kinds = strange(output)
    if not kinds:
        yield
        return
    notes.append(f"outputs of class {', '.join(kinds)} are no tensors and are left out")
    own, before = model.forward, vars(model).get("forward")

    @functools.wraps(own)
    def forward(*args: Any, **kwargs: Any) -> Any:
        return tree_map(lambda leaf: leaf if isinstance(leaf, _PLAIN) else None, own(*args, **kwargs))

    model.forward = forward
    try:
        yield
    finally:
        if before is None:
            del model.forward
        else:
            model.forward = before
