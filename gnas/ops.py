"""Ops: how types pass through a node, and which layer computes it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gnas.architecture import Value
from gnas.errors import InvalidShapeError

if TYPE_CHECKING:
    from torch import nn

Params = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Type of a value that flows along an edge.

    Attributes:
        kind: The domain's word for it (`nodes`, `edges`, `image`).
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
    """A module as a call, `factory(**kwargs)`: built by `build`, written as source by `export`, so both are one thing.

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
    """

    @property
    def name(self) -> str:
        """How spaces name it."""
        ...

    @property
    def context(self) -> tuple[str, ...]:
        """Model inputs it reads beside its edges (`("edge_index", "batch")`)."""
        ...

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        """Type of the output.

        Raises:
            InvalidShapeError: The op does not accept these inputs or parameters.
        """
        ...

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        """The layer for inputs that `infer` accepted."""
        ...


Inference = Callable[[tuple[TensorType, ...], Params], TensorType]
Construction = Callable[[tuple[TensorType, ...], Params], Layer]


@dataclass(frozen=True, slots=True)
class SimpleOp:
    """An op from two functions, with its parameters checked and completed before they are called.

    Ops travel to worker processes, so the functions are module-level ones (or partials of them), not lambdas.

    Attributes:
        name: How spaces name it.
        inference: `infer` for complete parameters.
        construction: `layer` for complete parameters.
        defaults: Every parameter with its default.
        accepted: The values of the parameters that take only some.
        arity: Fewest and most inputs; None for no upper limit.
        context: Model inputs it reads beside its edges.
    """

    name: str
    inference: Inference
    construction: Construction
    defaults: Params = field(default_factory=dict)
    accepted: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    arity: tuple[int, int | None] = (1, 1)
    context: tuple[str, ...] = ()

    def infer(self, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
        """Type of the output.

        Raises:
            InvalidShapeError: Another number of inputs, or inputs or parameter values it does not accept.
        """
        least, most = self.arity
        if len(inputs) < least or (most is not None and len(inputs) > most):
            expected = f"{least} inputs" if least == most else f"{least} to {'any number of' if most is None else most}"
            raise InvalidShapeError(self.name, f"{len(inputs)} inputs", expected)
        try:
            return self.inference(inputs, self.complete(params))
        except InvalidShapeError as error:
            raise InvalidShapeError(self.name, error.received, error.expected) from error

    def layer(self, inputs: tuple[TensorType, ...], params: Params) -> Layer:
        """The layer for inputs that `infer` accepted."""
        return self.construction(inputs, self.complete(params))

    def complete(self, params: Params) -> Params:
        """The parameters with the defaults filled in.

        Raises:
            InvalidShapeError: A parameter of that name or value does not exist, or a number is out of range.
        """
        for name, value in params.items():
            if name not in self.defaults:
                close = difflib.get_close_matches(name, self.defaults, n=1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                expected = ", ".join(self.defaults) or "no parameters"
                raise InvalidShapeError(self.name, f"parameter {name!r}{hint}", expected)
            if name in self.accepted and value not in self.accepted[name]:
                accepted = ", ".join(map(str, self.accepted[name]))
                raise InvalidShapeError(self.name, f"{name}={value!r}", accepted)
            _check_number(self.name, name, value, self.defaults[name])
        return {**self.defaults, **params}


_PROBABILITIES = ("dropout", "rate")


def _check_number(op: str, name: str, value: Value, default: Value) -> None:
    """A parameter whose default is a number takes numbers: whole where the default is, and never negative."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if isinstance(default, bool):
        fits, expected = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        fits, expected = number and isinstance(value, int), "a whole number, 0 or more"
    elif isinstance(default, float) and name in _PROBABILITIES:
        fits, expected = number and float(str(value)) < 1, "a number from 0 to less than 1"
    elif isinstance(default, float):
        fits, expected = number, "a number, 0 or more"
    else:
        return
    if not fits:
        raise InvalidShapeError(op, f"{name}={value!r}", expected)


def features(value: TensorType) -> int:
    """Size of the last dimension.

    Raises:
        InvalidShapeError: It varies from batch to batch, or there is none.
    """
    if not value.shape or not isinstance(value.shape[-1], int):
        raise InvalidShapeError("features", value, "a last dimension of fixed size")
    return value.shape[-1]


def with_features(value: TensorType, size: int) -> TensorType:
    """The type with another last dimension."""
    return replace(value, shape=(*value.shape[:-1], size))


def same_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    """Inference of ops that keep the type of their first input and need all inputs to be equal in type.

    Raises:
        InvalidShapeError: The inputs differ.
    """
    for other in inputs[1:]:
        if other != inputs[0]:
            raise InvalidShapeError("inputs", ", ".join(map(str, inputs)), f"all {inputs[0]}")
    return inputs[0]
