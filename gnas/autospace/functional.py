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


_SCATTERS = {"slice": ATEN.slice_scatter.default, "select": ATEN.select_scatter.default}
"""What puts a value into the place of a view."""


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
        views = _views_of(written)
        whole = [written, *(view.args[0] for view in views)]
        later = [{user for user in value.users if order.get(user, 0) > order[node]} for value in whole]
        if (
            whole[-1].op == "placeholder"
            or _shared(whole, node, roots, order)
            or not _made_functional(graph, node, name)
        ):
            return False
        value = node
        for old, users, view in zip(whole, later, [None, *views], strict=True):
            if view is not None:
                value = _written_back(graph, view, value)
                order[value], roots[value] = order[node], roots[node]
                roots[node].add(value)
            for user in users:
                user.replace_input_with(old, value)
    return True


def _views_of(node: fx.Node) -> list[fx.Node]:
    """The slices that a value is of another, innermost first."""
    found = []
    while op_name(node) in _SCATTERS:
        found.append(node)
        node = node.args[0]  # type: ignore[assignment]
    return found


def _written_back(graph: fx.Graph, view: fx.Node, value: fx.Node) -> fx.Node:
    """What a view was taken of, with a new value in the place of the view."""
    scatter = _SCATTERS[op_name(view)]
    with graph.inserting_after(value):
        return _made(graph, value, scatter, view.args[0], value, *view.args[1:], **view.kwargs)


def _made_functional(graph: fx.Graph, node: fx.Node, name: str) -> bool:
    """Turn a call that writes into one that returns the written value; whether there is one."""
    if name == "copy_":
        written, source = node.args[:2]
        if not isinstance(source, fx.Node):
            return False
        with graph.inserting_before(node):
            cast = _made(graph, node, ATEN.to.dtype, source, node.meta["val"].dtype)
        node.target, node.args, node.kwargs = ATEN.expand_as.default, (cast, written), {}
        return True
    functional = _counterpart(node, name)
    if functional is None:
        return False
    node.target = functional
    return True


def _writes(node: fx.Node, name: str) -> bool:
    return bool(node.op == "call_function" and name.endswith("_") and not name.endswith("__"))


def _counterpart(node: fx.Node, name: str) -> Any:
    packet = getattr(ATEN, name[:-1], None)
    overload: str = getattr(node.target, "_overloadname", "")
    if name == "bernoulli_" and overload == "float":
        return ATEN.bernoulli.p
    if packet is None:
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


def _shared(
    whole: list[fx.Node], write: fx.Node, families: dict[fx.Node, set[fx.Node]], order: dict[fx.Node, int]
) -> bool:
    """Whether another value with the same memory than the written one and what it is a view of is read later."""
    now = order[write]
    if any(n.op == "placeholder" for n in families[write]):
        return True
    for other in families[write]:
        if other in whole or other is write or op_name(other).endswith("_"):
            continue
        if order.get(other, 0) > now:
            continue
        if any(order.get(user, 0) > now for user in other.users):
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


def _made(graph: fx.Graph, like: fx.Node, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
    """A call at the place of `like`, with its value worked out on the fake tensors of its operands."""
    made = graph.call_function(target, args, kwargs)
    made.meta = dict(like.meta)
    made.meta["val"] = target(*fx.map_arg(args, lambda n: n.meta["val"]), **fx.map_arg(kwargs, lambda n: n.meta["val"]))
    return made
