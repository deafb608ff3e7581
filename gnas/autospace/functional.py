"""A traced graph without in-place ops: what reads a value after it was written to reads the written value."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

ATEN = torch.ops.aten
_VIEWS = frozenset(
    [
        "alias",
        "chunk",
        "detach",
        "diagonal",
        "expand",
        "expand_as",
        "flatten",
        "movedim",
        "narrow",
        "numpy_T",
        "permute",
        "reshape",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "swapaxes",
        "t",
        "transpose",
        "tensor_split",
        "unbind",
        "unflatten",
        "unfold",
        "unsqueeze",
        "view",
        "view_as",
        "real",
        "imag",
        "view_as_real",
        "view_as_complex",
        "contiguous",
        "lift_fresh",
        "mT",
        "mH",
    ]
)
"""Ops whose result may share memory with their first argument."""


def op_name(node: fx.Node) -> str:
    """`conv2d` for `aten.conv2d.default`, `getitem` for Python's; empty for what is no call."""
    if node.op != "call_function":
        return ""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet.__name__ if packet is not None else getattr(node.target, "__name__", node.target))


def without_writes(graph: fx.Graph, buffers: frozenset[str]) -> bool:
    """Replace every in-place op of `graph` by the op that returns a new value, in place; whether that was possible.

    It is not where the written memory is read afterwards through another view of it, or where an op has no such
    counterpart.
    Counters that only a write reads (`num_batches_tracked`) are left out; batch normalisation goes on updating its
    buffers.

    Args:
        graph: A graph of ATen ops, changed.
        buffers: Names of the placeholders of buffers.
    """
    order = {node: index for index, node in enumerate(graph.nodes)}
    roots = _roots(graph)
    for node in list(graph.nodes):
        name = op_name(node)
        if not _writes(node, name):
            continue
        written = node.args[0]
        if written.name in buffers and not node.users and name == "add_":
            graph.erase_node(node)
            continue
        functional = _counterpart(node, name)
        later = {user for user in written.users if order[user] > order[node]}
        if functional is None or written.op == "placeholder" or _shared(written, node, roots, order):
            return False
        node.target = functional
        for user in later:
            user.replace_input_with(written, node)
    return True


def _writes(node: fx.Node, name: str) -> bool:
    return bool(node.op == "call_function" and name.endswith("_") and not name.endswith("__"))


def _counterpart(node: fx.Node, name: str) -> Any:
    packet = getattr(ATEN, name[:-1], None)
    overload: str = getattr(node.target, "_overloadname", "")
    if name == "bernoulli_" and overload == "float":
        return ATEN.bernoulli.p
    if name == "copy_" or packet is None:
        return None
    wanted = [str(a.type) for a in node.target._schema.arguments]  # type: ignore[union-attr]
    named = getattr(packet, overload, None)
    others = (getattr(packet, other) for other in packet.overloads())
    # NOTE: overloads are told apart by types: `pow_.Scalar` is `pow.Tensor_Scalar`, and there is another `pow.Scalar`.
    for found in (named, *others):
        if found is not None and [str(a.type) for a in found._schema.arguments] == wanted:
            return found
    return None


def _roots(graph: fx.Graph) -> dict[fx.Node, set[fx.Node]]:
    """For each value the set of values that may share its memory, as one set per family."""
    family: dict[fx.Node, set[fx.Node]] = {}
    for node in graph.nodes:
        name = op_name(node)
        source = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        shares = name in _VIEWS or (_writes(node, name)) or node.target is operator.getitem
        if source is not None and shares:
            family[source].add(node)
            family[node] = family[source]
        else:
            family[node] = {node}
    return family


def _shared(written: fx.Node, write: fx.Node, families: dict[fx.Node, set[fx.Node]], order: dict[fx.Node, int]) -> bool:
    """Whether another value with the same memory is read after the write."""
    now = order[write]
    if any(n.op == "placeholder" for n in families[written]):
        return True
    for other in families[written]:
        if other in (written, write) or op_name(other).endswith("_"):
            continue
        if order[other] > now:
            continue
        if any(order[user] > now for user in other.users):
            return True
    return False


def restore_batch_norm(graph: fx.Graph) -> None:
    """Put `aten.batch_norm`, which updates its buffers, where functionalising left one that returns the new buffers."""
    for node in list(graph.nodes):
        name = op_name(node)
        if name == "_native_batch_norm_legit_functional":
            x, weight, bias, mean, var, training, momentum, eps = node.args
        elif name == "_native_batch_norm_legit_no_training":
            x, weight, bias, mean, var, momentum, eps = node.args
            training = False
        else:
            continue
        with graph.inserting_before(node):
            made = graph.call_function(
                ATEN.batch_norm.default, (x, weight, bias, mean, var, training, momentum, eps, False)
            )
        made.meta = dict(node.meta)
        made.meta["val"] = node.meta["val"][0]
        for user in list(node.users):
            if user.target is operator.getitem and user.args[1] == 0:
                user.replace_all_uses_with(made)
                graph.erase_node(user)
            elif user.target is operator.getitem:
                # NOTE: a layer called twice: its second call reads the buffers that the first one has updated.
                if user.args[1] in (3, 4):
                    user.replace_all_uses_with(mean if user.args[1] == 3 else var)
                if not user.users:
                    graph.erase_node(user)
        if not node.users:
            graph.erase_node(node)


def with_gradients(graph: fx.Graph) -> None:
    """Put ops that have gradients where functionalising left some that have none, in place."""
    for node in list(graph.nodes):
        name = op_name(node)
        if name == "copy" and isinstance(node.args[1], fx.Node):
            target, source = node.args[:2]
            dtype = node.meta["val"].dtype
            with graph.inserting_before(node):
                cast = _made(graph, node, ATEN.to.dtype, source, dtype)
                made = _made(graph, node, ATEN.expand_as.default, cast, target)
        elif name in {"slice_scatter", "select_scatter"} and node.meta["val"].is_complex():
            target, source, *rest = node.args
            dim: Any = rest[0] if rest else node.kwargs.get("dim", 0)
            axis = int(dim) % node.meta["val"].dim()
            with graph.inserting_before(node):
                parts = [_made(graph, node, ATEN.view_as_real.default, n) for n in (target, source)]
                whole = _made(graph, node, node.target, *parts, axis, *rest[1:])
                made = _made(graph, node, ATEN.view_as_complex.default, whole)
        else:
            continue
        node.replace_all_uses_with(made)
        graph.erase_node(node)


def _made(graph: fx.Graph, like: fx.Node, target: Any, *args: Any) -> fx.Node:
    """A call at the place of `like`, with its value worked out on the fake tensors of its operands."""
    made = graph.call_function(target, args)
    made.meta = dict(like.meta)
    made.meta["val"] = target(*fx.map_arg(args, lambda n: n.meta["val"]))
    return made
