"""Programs as `torch.export` leaves them, made ours: without writes, tensors under the model's own names."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind

from gnas.autospace.functional import op_name, restore_batch_norm, with_gradients, without_writes
from gnas.autospace.program import Program
from gnas.autospace.regions import whole_graph
from gnas.errors import SpaceError


def read_exported(model: nn.Module, exported: ExportedProgram, training: bool) -> tuple[Program, dict[str, Tensor]]:
    """The program of an export, and the model's tensors it reads, by name.

    Args:
        model: What was exported.
        exported: In the mode that `training` tells.
        training: Whether the model was in training mode.

    Raises:
        SpaceError: Inputs or outputs have a structure that cannot be flattened.
    """
    buffers = frozenset(
        s.arg.name
        for s in exported.graph_signature.input_specs
        if s.kind is InputKind.BUFFER and hasattr(s.arg, "name")
    )
    graph, renamed = whole_graph(exported.graph_module)
    if not without_writes(graph, frozenset(renamed[b] for b in buffers)):
        with quiet():
            exported = exported.run_decompositions({})
        graph, renamed = whole_graph(exported.graph_module)
        _drop_mutations(graph, exported)
        restore_batch_norm(graph)
    with_gradients(graph)
    for node in list(graph.nodes):
        if op_name(node) in {
            "_assert_scalar",
            "_assert_tensor_metadata",
            "sym_constrain_range_for_size",
            "_assert_async",
        }:
            graph.erase_node(node)
    graph.eliminate_dead_code(lambda n: n.op in {"placeholder", "output"})
    return _with_names(model, exported, graph, renamed, training)


def _drop_mutations(graph: fx.Graph, exported: ExportedProgram) -> None:
    output = next(n for n in graph.nodes if n.op == "output")
    kinds = [spec.kind for spec in exported.graph_signature.output_specs]
    kept = [arg for arg, kind in zip(output.args[0], kinds, strict=True) if kind is OutputKind.USER_OUTPUT]
    output.args = (tuple(kept),)


def _with_names(
    model: nn.Module, exported: ExportedProgram, graph: fx.Graph, renamed: Mapping[str, str], training: bool
) -> tuple[Program, dict[str, Tensor]]:
    owner = {id(t): name for name, t in reversed(list(_named(model)))}
    own = dict(_named(model))
    state: dict[str, str] = {}
    tensors: dict[str, Tensor] = {}
    inputs: list[str | None] = []
    constants: list[Any] = []
    for spec in exported.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            fixed = isinstance(spec.arg, ConstantArgument)
            inputs.append(None if fixed else renamed[spec.arg.name])
            constants.append(spec.arg.value if isinstance(spec.arg, ConstantArgument) else None)
            continue
        target = str(spec.target)
        tensor = own.get(target, exported.constants.get(target))
        if not isinstance(tensor, Tensor):
            continue
        name = owner.get(id(tensor), target)
        state[renamed[spec.arg.name]] = name
        tensors[name] = own.get(name, tensor)
    in_spec, out_spec = exported.call_spec.in_spec, exported.call_spec.out_spec
    if in_spec is None or out_spec is None:
        raise SpaceError(
            "the model's inputs or outputs have a structure that cannot be flattened", place=type(model).__name__
        )
    _fold_lifted(graph, {place for place, name in state.items() if not tensors[name].requires_grad})
    for node in list(graph.nodes):
        if node.op == "placeholder" and not node.users and node.name not in {*state, *inputs}:
            graph.erase_node(node)
    made = Program(graph, state, tuple(inputs), tuple(constants), in_spec, out_spec, training)
    return made, tensors


def _named(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _fold_lifted(graph: fx.Graph, constants: set[str]) -> None:
    """`lift_fresh_copy` of a constant is the constant, and so is `detach` of it; other `detach` stop gradients."""
    for node in list(graph.nodes):
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node):
            continue
        lifted = op_name(node) in {"lift_fresh_copy", "lift_fresh"}
        if lifted or (op_name(node) == "detach" and source.name in constants):
            node.replace_all_uses_with(source)
            graph.erase_node(node)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what tracing logs, warns of and prints (whole graphs, where it fails): errors are told by us."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
