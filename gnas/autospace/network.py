"""The module of a sub-network: the same calling convention and parameter names as the model.

One graph for each mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, fx, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from gnas.autospace.functional import op_name
from gnas.autospace.islands import island_of
from gnas.autospace.program import Program
from gnas.errors import SpaceError


class IslandCall(nn.Module):
    """A submodule that was not traced, called on tensors alone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.module = island_of(number).module

    def forward(self, tensors: list[Tensor]) -> list[Tensor]:
        """Flat tensor inputs to flat tensor outputs."""
        return island_of(self.number).call(tensors)


class SubNetwork(nn.Module):
    """What is left of a model.

    Parameters and buffers have the names they have in the model, with fewer rows and columns where channels were
    removed. `train()` and
    `eval()` choose between the two traced programs.

    Args:
        tensors: Parameters and buffers by name.
        persistent: Names of the buffers that belong to the state dict.
        programs: Program that was cut, with the graph that is left, by mode (training or not).
        islands: Names of islands by their number.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        persistent: frozenset[str],
        programs: Mapping[bool, tuple[Program, fx.Graph]],
        islands: Mapping[int, str],
    ) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            holder, leaf = holder_of(self, name)
            if isinstance(tensor, nn.Parameter):
                holder.register_parameter(leaf, tensor)
            else:
                holder.register_buffer(leaf, tensor, persistent=name in persistent)
        for number, name in islands.items():
            holder, leaf = holder_of(self, name)
            holder.add_module(leaf, IslandCall(number))
        self._programs = {mode: program for mode, (program, _) in programs.items()}
        self._graphs = {mode: _with_attributes(program, graph, islands) for mode, (program, graph) in programs.items()}
        self._calls = {mode: compiled(graph) for mode, graph in self._graphs.items()}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns, in the same structure."""
        mode = self.training if self.training in self._programs else False
        program = self._programs[mode]
        inputs = as_inputs(program, args, kwargs)
        return tree_unflatten(list(self._calls[mode](self, *inputs.values())), program.out_spec)

    @property
    def modes(self) -> tuple[bool, ...]:
        """Modes with a graph of their own: False is evaluation, True is training."""
        return tuple(self._graphs)

    def program(self, *, training: bool = False) -> Program:
        """The program of a mode that was cut: structures of inputs and outputs."""
        return self._programs[training if training in self._programs else False]

    def graph(self, *, training: bool = False) -> fx.Graph:
        """The graph of a mode; tensors are attributes by name."""
        return self._graphs[training if training in self._graphs else False]


def as_inputs(program: Program, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Tensor inputs of a program by their placeholders, in its order.

    Raises:
        SpaceError: They nest in another way than the example's.
    """
    expected = program.in_spec.child(1).context or []
    ordered = {k: kwargs[k] for k in expected if k in kwargs} | {k: v for k, v in kwargs.items() if k not in expected}
    flat, spec = tree_flatten((args, ordered))
    if len(flat) != len(program.inputs) or str(spec) != str(program.in_spec):
        raise SpaceError(
            "inputs of another structure than the example's",
            value=str(spec).replace("\n", " "),
            accepted=str(program.in_spec).replace("\n", " "),
            remedy="pass the same arguments by position and by name as when the model was traced",
        )
    return {name: value for value, name in zip(flat, program.inputs, strict=True) if name is not None}


def holder_of(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The submodule of `root` that has a tensor or module of this name, made where it is missing, and its last part."""
    *path, leaf = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]  # type: ignore[assignment]
    return root, leaf


def _with_attributes(program: Program, graph: fx.Graph, islands: Mapping[int, str]) -> fx.Graph:
    """Placeholders of the model's tensors become attributes, islands calls of modules.

    The others keep the inputs' order.
    """
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.name in program.state:
            with graph.inserting_before(node):
                made = graph.get_attr(program.state[node.name])
            made.meta = dict(node.meta)
            node.replace_all_uses_with(made)
            graph.erase_node(node)
        elif op_name(node) == "island":
            with graph.inserting_before(node):
                made = graph.call_module(islands[int(node.args[1])], (node.args[0],))
            node.replace_all_uses_with(made)
            graph.erase_node(node)
    present = {n.name for n in graph.nodes if n.op == "placeholder"}
    missing = [name for name in program.inputs if name is not None and name not in present]
    if missing:
        raise AssertionError(f"inputs lost: {missing}")
    return graph


def compiled(graph: fx.Graph) -> Callable[..., tuple[Any, ...]]:
    """Python function of a graph; its first argument is the module that holds the tensors."""
    code = graph.python_code("self")
    scope: dict[str, Any] = dict(code.globals)
    exec(compile(code.src, "<sub-network>", "exec"), scope)
    function: Callable[..., tuple[Any, ...]] = scope["forward"]
    return function
