"""A traced graph as one graph: regions without gradients, or with another precision, are put in their place.

`torch.export` keeps `with torch.no_grad():` and `with torch.autocast(…):` as calls of graphs of their own.
"""

from __future__ import annotations

import operator
from typing import Any

from torch import fx

from gnas.autospace.functional import ATEN, op_name
from gnas.errors import SpaceError

_GRADIENTS, _PRECISION = "wrap_with_set_grad_enabled", "wrap_with_autocast"


def whole_graph(module: fx.GraphModule) -> tuple[fx.Graph, dict[str, str]]:
    """A copy of a module's graph with metadata and with regions in their place, and the new names of its nodes.

    Names change where a graph does not allow them (`input`).

    Raises:
        SpaceError: A region asks for lower precision on the CPU.
    """
    graph = fx.Graph()
    made = _into(graph, module, {})
    return graph, {old.name: new.name for old, new in made.items() if isinstance(new, fx.Node)}


def _into(graph: fx.Graph, module: fx.GraphModule, given: dict[fx.Node, Any]) -> dict[fx.Node, Any]:
    """Copies nodes; `given` has what stands for placeholders. What stands for each node; for a region a list."""
    made: dict[fx.Node, Any] = dict(given)
    for node in module.graph.nodes:
        name = op_name(node)
        if node in made:
            continue
        if node.op == "get_attr" and isinstance(getattr(module, str(node.target), None), fx.GraphModule):
            made[node] = getattr(module, str(node.target))
        elif name in {_GRADIENTS, _PRECISION}:
            made[node] = _region(graph, node, made)
        elif node.target is operator.getitem and isinstance(made.get(node.args[0]), list):
            made[node] = made[node.args[0]][node.args[1]]
        else:
            made[node] = graph.node_copy(node, lambda n: made[n])
            made[node].meta = dict(node.meta)
    return made


def _region(graph: fx.Graph, node: fx.Node, made: dict[fx.Node, Any]) -> list[Any]:
    """What a region returns, its nodes copied; without gradients nothing of it is followed back."""
    if op_name(node) == _PRECISION:
        device, _, enabled, _, inner, *args = node.args
        if enabled and device == "cpu":
            raise SpaceError(
                "the model switches to lower precision inside its forward",
                value=f"torch.autocast({device!r})",
                accepted="a forward without it",
                remedy="put torch.autocast around the call of the model",
            )
        stopped = False
    else:
        enabled, inner, *args = node.args
        stopped = not enabled
    module: fx.GraphModule = made[inner]  # type: ignore[index]
    placeholders = [n for n in module.graph.nodes if n.op == "placeholder"]
    values = [made[a] if isinstance(a, fx.Node) else a for a in args]
    inside = _into_region(graph, module, dict(zip(placeholders, values, strict=True)))
    return [_stopped(graph, value) if stopped and isinstance(value, fx.Node) else value for value in inside]


def _into_region(graph: fx.Graph, module: fx.GraphModule, given: dict[fx.Node, Any]) -> list[Any]:
    output = next(n for n in module.graph.nodes if n.op == "output")
    made = _into(graph, module, {**given, output: None})
    returned: Any = output.args[0]
    listed = returned if isinstance(returned, (tuple, list)) else [returned]
    return [made[v] if isinstance(v, fx.Node) else v for v in listed]


def _stopped(graph: fx.Graph, value: fx.Node) -> fx.Node:
    if not getattr(value.meta.get("val"), "is_floating_point", lambda: False)():
        return value
    made = graph.call_function(ATEN.detach.default, (value,))
    made.meta = dict(value.meta)
    return made
