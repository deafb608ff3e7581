"""Ops: how types pass through a node, and which layer computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gnas.architecture import Value

if TYPE_CHECKING:
    from torch import nn

Params = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Type of a value that flows along an edge.

    Attributes:
        kind: The domain's word for it (`atoms`, `bonds`, `molecules`, `image`).
        shape: Dimensions; a string names a dimension that varies from batch to batch (`("atom", 64)`).
        dtype: Name of the torch dtype.
    """

    kind: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{self.kind}{list(self.shape)}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A module as a call: `factory(**kwargs)`. Built by `build`, written as source by `export`, so that both are one thing.

    Attributes:
        factory: A class of `torch.nn` or `torch_geometric.nn`, or one defined in a module that itself imports only
            torch and torch-geometric (its source is then copied into the exported `model.py`).
        kwargs: Arguments whose `repr` is valid Python: numbers, strings, booleans, None, lists and tuples of those.
    """

    factory: type[nn.Module]
    kwargs: dict[str, object] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The module, with freshly initialised parameters."""
        return self.factory(**self.kwargs)


@runtime_checkable
class Op(Protocol):
    """An operation a space can name.

    The module that `layer` describes is called with the node's inputs in order, then with the model inputs named in
    `context`: `module(*values, *[model_inputs[name] for name in context])`.

    Attributes:
        name: How spaces name it.
        context: Model inputs it reads beside its edges (`("edge_index", "batch")`).
    """

    name: str
    context: tuple[str, ...]

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        """Type of the output.

        Raises:
            InvalidShapeError: The op does not accept these inputs or parameters.
        """
        ...

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        """The layer for inputs that `infer` accepted."""
        ...
