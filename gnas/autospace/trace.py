"""Trace any PyTorch model into programs, with `torch.export` (PyTorch's own tracer of whole graphs), non-strict.

The batch may vary: the first dimension of every tensor input is dynamic, for a list of edges the second. Evaluation
and training mode are traced apart, since Python code may branch on `self.training`. Weight normalisation is folded
into the weights first.
"""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_flatten, tree_map

from gnas.autospace.exported import quiet, read_exported
from gnas.autospace.islands import Island, islands_in, opaque
from gnas.autospace.outputs import without_strange
from gnas.autospace.program import Program, Traced
from gnas.autospace.whole_numbers import Scope, scope_of, symbolic
from gnas.errors import SpaceError

Kwargs = dict[str, Any]


def trace(model: nn.Module, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Traced:
    """The programs of `model` in evaluation and in training mode.

    Args:
        model: Any module. It is not changed; its tensors are referred to, not copied (with weight normalisation:
            copied).
        args: Example inputs, given by position.
        kwargs: Example inputs, given by name.

    Raises:
        SpaceError: The model does not run on the example, or cannot be traced, with the line of the user's code.
    """
    example = (_contiguous(args), _contiguous(dict(kwargs or {})))
    was_training = {name: module.training for name, module in model.named_modules()}
    notes: list[str] = []
    try:
        model = _plain_weights(model, notes)
        output = _check_runs(model, *example)
        example = _two_rows(model, example, notes)
        found: dict[str, Island] = {}
        with without_strange(model, output, notes):
            evaluation, state = _program(model, example, False, found, notes)
            before = set(found)
            training = _training_program(model, example, found, notes)
            if set(found) != before:
                # NOTE: what only training mode cannot trace is opaque in both, so that both have the same parts.
                evaluation, state = _program(model, example, False, found, notes)
    finally:
        for name, module in model.named_modules():
            module.training = was_training.get(name, module.training)
    islands = {island.name: island.module for island in found.values()}
    persistent = frozenset(state) & frozenset(model.state_dict(keep_vars=True))
    return Traced(
        evaluation=evaluation,
        training=None if training is None else training[0],
        tensors=state if training is None else {**training[1], **state},
        parameters=frozenset(n for n, t in state.items() if isinstance(t, nn.Parameter)),
        persistent=persistent,
        islands=islands,
        example=example,
        notes=tuple(dict.fromkeys(notes)),
        name=type(model).__name__,
    )


def _contiguous(tree: Any) -> Any:
    return tree_map(lambda t: t.contiguous() if isinstance(t, Tensor) else t, tree)


def _plain_weights(model: nn.Module, notes: list[str]) -> nn.Module:
    """The model with parametrised weights (weight normalisation, spectral normalisation) folded into plain ones."""
    old_style = [
        m for m in model.modules() if any("WeightNorm" in type(h).__name__ for h in m._forward_pre_hooks.values())
    ]
    if not old_style and not any(parametrize.is_parametrized(m) for m in model.modules()):
        return model
    model = copy.deepcopy(model)
    for module in model.modules():
        if parametrize.is_parametrized(module):
            _unparametrize(module)
        for key, hook in list(module._forward_pre_hooks.items()):
            if "WeightNorm" in type(hook).__name__:
                hook.remove(module)  # type: ignore[attr-defined]
                del module._forward_pre_hooks[key]
    notes.append("parametrised weights (weight or spectral normalisation) were folded into plain weights of a copy")
    return model


def _unparametrize(module: nn.Module) -> None:
    """As `parametrize.remove_parametrizations`, which would also break the module that this one is a copy of.

    A copy shares the class that parametrising made for the original, and the properties are that class's.
    """
    parametrizations: Any = module.parametrizations
    values = {str(name): getattr(module, str(name)).detach() for name in parametrizations}
    trained = {str(n): any(p.requires_grad for p in parametrizations[n].parameters()) for n in parametrizations}
    del module._modules["parametrizations"]
    module.__class__ = type(module).__bases__[0]
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value.clone(), requires_grad=trained[name]))


def _check_runs(model: nn.Module, args: tuple[Any, ...], kwargs: Kwargs) -> Any:
    """What the model returns for the example; nothing on the `meta` device."""
    if any(t.device.type == "meta" for t in model.parameters()):
        return None
    model.eval()
    try:
        with torch.no_grad():
            return model(*args, **kwargs)
    except Exception as error:
        raise SpaceError(
            f"the model does not run on the example inputs ({type(error).__name__}: {_first_line(error)})",
            place=_user_frame(error) or type(model).__name__,
            value=_shapes(args, kwargs),
            accepted="inputs with the shapes and types that its forward expects",
            remedy="check the example",
        ) from error


def _two_rows(model: nn.Module, example: tuple[Any, Kwargs], notes: list[str]) -> tuple[tuple[Any, ...], Kwargs]:
    """Examples of one row are doubled: of a size of one a tracer cannot tell that it may vary."""
    tensors = [t for t in tree_flatten(example)[0] if isinstance(t, Tensor) and t.dim() > 0]
    if not tensors or any(t.shape[0] != 1 for t in tensors):
        return example
    doubled = tree_map(lambda t: torch.cat([t, t]) if isinstance(t, Tensor) and t.dim() > 0 else t, example)
    try:
        _check_runs(model, *doubled)
    except SpaceError:
        notes.append("the example has one row and the model takes no two: the batch size is fixed at one")
        return example
    made: tuple[tuple[Any, ...], Kwargs] = doubled
    return made


def _training_program(
    model: nn.Module, example: tuple[Any, Kwargs], found: dict[str, Island], notes: list[str]
) -> tuple[Program, dict[str, Tensor]] | None:
    try:
        return _program(model, example, True, found, notes)
    except SpaceError as error:
        notes.append(f"training mode could not be traced and runs as in evaluation mode: {error.problem}")
        return None


def _program(
    model: nn.Module, example: tuple[Any, Kwargs], training: bool, found: dict[str, Island], notes: list[str]
) -> tuple[Program, dict[str, Tensor]]:
    model.train(training)
    with opaque(found.values()):
        try:
            exported = _export(model, *example)
        except Exception as error:
            failing = islands_in(model, example, _exports, set(found))
            if not failing:
                raise _untraceable(model, error) from error
            found.update({island.name: island for island in failing})
            notes.extend(f"{i.name} ({i.kind}) could not be traced and stays as it is: {i.reason}" for i in failing)
            return _program(model, example, training, found, notes)
    notes.extend(_fixed_rows(exported, example, training))
    return read_exported(model, exported, training)


def _fixed_rows(exported: ExportedProgram, example: tuple[Any, Kwargs], training: bool) -> Iterator[str]:
    """What to tell of inputs whose first dimension (of edges: the second) tracing found to be the example's alone."""
    flat = tree_flatten(example)[0]
    rows = _rows(flat)
    values = {n.name: n.meta.get("val") for n in exported.graph.nodes if n.op == "placeholder"}
    given = [s.arg for s in exported.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    for argument, tensor in zip(given, flat, strict=True):
        for axis in _dynamic(tensor, rows) or ():
            value, size = values.get(argument.name), tensor.shape[axis]
            if isinstance(value, Tensor) and _is_fixed(value.shape[axis]) and size > 1:
                mode = "training" if training else "evaluation"
                yield f"{argument.name}: tracing found its size {size} fixed in {mode}; other sizes may not run"


def _is_fixed(size: Any) -> bool:
    return isinstance(size, int) or bool(size.node.expr.is_number)


def _exports(model: nn.Module, args: tuple[Any, ...], kwargs: Kwargs) -> str | None:
    """None if `model` can be exported, else why not."""
    try:
        _export(model, args, kwargs)
    except Exception as error:
        return f"{_user_frame(error) or ''} {_first_line(error)}".strip()
    return None


def _export(model: nn.Module, args: tuple[Any, ...], kwargs: Kwargs) -> ExportedProgram:
    bound = inspect.signature(model.forward).bind(*args, **kwargs).arguments
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
    rows = _rows(tensors)
    dynamic = {name: tree_map(lambda t: _dynamic(t, rows), value) for name, value in bound.items()}
    scopes: list[Scope] = []
    while True:
        try:
            with quiet(), symbolic(scopes):
                return torch.export.export(model, args, kwargs, dynamic_shapes=dynamic, strict=False)
        except Exception as error:
            scope = scope_of(error)
            if scope is None:
                raise
            scopes.append(scope)


def _rows(values: list[Any]) -> set[int]:
    return {t.shape[0] for t in values if isinstance(t, Tensor) and t.dim() > 1 and t.is_floating_point()}


def _dynamic(value: Any, rows: set[int]) -> dict[int, Any] | None:
    """The dimension that may vary: the first, but the second of a list of edges into rows of another input."""
    if not isinstance(value, Tensor) or value.dim() == 0:
        return None
    pairs = value.dim() == 2 and value.shape[0] == 2 and not value.is_floating_point() and value.dtype is not torch.bool
    if pairs and rows and 2 not in rows and (value.is_meta or not value.numel() or int(value.max()) < max(rows)):
        return {1: Dim.AUTO}
    return {0: Dim.AUTO}


def _untraceable(model: nn.Module, error: Exception) -> SpaceError:
    by_data = "DataDependent" in type(error).__name__
    why = "it branches on values of its tensors" if by_data else f"{type(error).__name__}: {_first_line(error)}"
    return SpaceError(
        f"the model cannot be traced ({why})",
        place=_user_frame(error) or type(model).__name__,
        accepted="a forward whose Python branches depend on shapes and settings, not on values of tensors",
        remedy="put that branch into a submodule of its own, which then stays as it is, or use torch.where",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]


def _user_frame(error: BaseException) -> str:
    """`file:line in function: code` of the innermost frame that is neither torch's nor ours; empty if there is none."""
    ours = str(Path(__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        library = any(
            part in frame.filename for part in ("/torch/", "/sympy/", "<frozen", "/contextlib.py", "/inspect.py")
        )
        if not library and not frame.filename.startswith(ours):
            return f"{frame.filename}:{frame.lineno} in {frame.name}: {(frame.line or '').rstrip(':')}"
    return ""


def _shapes(args: tuple[Any, ...], kwargs: Kwargs) -> str:
    show = tree_map(
        lambda t: f"{t.dtype}{list(t.shape)}".removeprefix("torch.") if isinstance(t, Tensor) else t, (args, kwargs)
    )
    return ", ".join([*(str(v) for v in show[0]), *(f"{k}={v}" for k, v in show[1].items())])
