"""`model.py` of a sub-network: its graph as plain PyTorch, one line an operation, with the user's names of modules."""

from __future__ import annotations

import math
import operator
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from gnas.auto.structure_text import Signature, returned
from gnas.autospace.network import SubNetwork
from gnas.autospace.program import module_of
from gnas.errors import ExportError
from gnas.export.source import SourceCollector

_LINE = 120
_RESERVED = frozenset({"self", "torch", "aten", "operator", "math", "nn", "Tensor", "Part", "Model", "load", "Path"})


def module_source(network: SubNetwork, signature: Signature, facts: Mapping[str, str]) -> str:
    """The source of a file that defines `Model`, with the state-dict keys of `network`, and `load`.

    Args:
        network: What to write.
        signature: How the model is called.
        facts: What the file's head tells of its making, name to text.

    Raises:
        ExportError: It calls modules that could not be traced, or an operation that has no name in torch.
    """
    sources = SourceCollector(reserved=_RESERVED)
    for module, name in (("operator", ""), ("math", ""), ("pathlib", "Path"), ("torch", ""), ("torch", "nn")):
        sources.add_import(module, name)
    sources.add_import("torch", "Tensor")
    bodies = {mode: _Body(network, mode, sources).method() for mode in network.modes}
    definitions = sources.definitions()
    text = "\n\n".join(
        [
            _head(facts),
            f"from __future__ import annotations\n\n{sources.import_block()}\n\naten = torch.ops.aten",
            *(f"\n{definition}" for definition in definitions),
            "\n" + _tensors(network),
            "\n" + _PART,
            "\n" + _model(network, signature, bodies),
            "\n" + _LOAD,
        ]
    )
    return _without_unused(text)


class _Body:
    """Statements of one mode's graph."""

    def __init__(self, network: SubNetwork, training: bool, sources: SourceCollector) -> None:
        self._graph, self._program = network.graph(training=training), network.program(training=training)
        self._sources = sources
        self._names: dict[fx.Node, str] = {}
        # NOTE: a value of the name of a function would hide it.
        functions = {getattr(n.target, "__name__", "") for n in self._graph.nodes if n.op == "call_function"}
        self._taken = _RESERVED | functions

    def method(self) -> str:
        """The method but for its name: parameters, then the body, whose last line returns a tuple."""
        body = self._body()
        placed = {node.name: name for node, name in self._names.items() if node.op == "placeholder"}
        names = [placed[name] for name in self._program.inputs if name is not None]
        return f"({', '.join(['self', *(f'{name}: Tensor' for name in names)])}) -> tuple:\n{body}"

    def _body(self) -> str:
        lines: list[str] = []
        module = None
        for node in self._graph.nodes:
            self._names[node] = self._name(node)
            if node.op == "output":
                values = "".join(f"{self._value(v)}, " for v in node.args[0]).strip()
                lines.append(f"        return ({values})")
            elif node.op == "call_function":
                if module_of(node) != module:
                    module = module_of(node)
                    lines.append(f"        # {module or 'the model'}")
                lines.append(self._call(node))
            elif node.op == "call_module":
                raise ExportError(
                    "a module that could not be traced is code of yours and cannot be written as plain source",
                    place=str(node.target),
                )
        return "\n".join(lines)

    def _name(self, node: fx.Node) -> str:
        if node.op == "get_attr":
            return f"self{_path(str(node.target))}"
        return f"{node.name}_" if node.name in self._taken else node.name

    def _call(self, node: fx.Node) -> str:
        arguments = [self._value(v) for v in node.args] + [f"{k}={self._value(v)}" for k, v in node.kwargs.items()]
        return f"        {self._names[node]} = {self._target(node)}({', '.join(arguments)})"

    def _target(self, node: fx.Node) -> str:
        target: Any = node.target
        if isinstance(target, torch._ops.OpOverload):
            namespace, _, name = str(target).partition(".")
            return f"aten.{name}" if namespace == "aten" else f"torch.ops.{namespace}.{name}"
        name, module = getattr(target, "__name__", ""), getattr(target, "__module__", "") or ""
        for library, short in ((operator, "operator"), (math, "math"), (torch, "torch")):
            if getattr(library, name, None) is target:
                return f"{short}.{name}"
        if module.startswith("gnas.") and callable(target):
            return self._sources.function(target)
        raise ExportError("an operation has no name in torch", place=module_of(node) or None, value=str(target))

    def _value(self, value: Any) -> str:
        match value:
            case fx.Node():
                return self._names[value]
            case bool() | None | int() | str():
                return repr(value)
            case float():
                return repr(value) if math.isfinite(value) else f'float("{value}")'
            case complex():
                return repr(value)
            case torch.device():
                return "self.device"
            case torch.dtype() | torch.layout() | torch.memory_format():
                return repr(value)
            case slice():
                return f"slice({self._value(value.start)}, {self._value(value.stop)}, {self._value(value.step)})"
            case tuple():
                return f"({''.join(self._value(v) + ', ' for v in value).strip()})"
            case list():
                return f"[{', '.join(self._value(v) for v in value)}]"
            case dict():
                return "{" + ", ".join(f"{k!r}: {self._value(v)}" for k, v in value.items()) + "}"
        raise ExportError("an argument cannot be written as source", value=value)


def _path(name: str) -> str:
    """`.blocks[0].weight` for `blocks.0.weight`."""
    parts = (f".{p}" if p.isidentifier() else f"[{p}]" if p.isdecimal() else f"[{p!r}]" for p in name.split("."))
    return "".join(parts)


def _tensors(network: SubNetwork) -> str:
    rows = [f'    "{name}": ({tuple(p.shape)}, {p.dtype}, {_kind(p)!r}),' for name, p in _named(network)]
    return "\n".join(["# Shape, type and kind of each tensor.", "TENSORS = {", *rows, "}"])


def _named(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)]


def _kind(tensor: Tensor) -> str:
    if not isinstance(tensor, nn.Parameter):
        return "buffer"
    return "parameter" if tensor.requires_grad else "frozen"


def _model(network: SubNetwork, signature: Signature, bodies: Mapping[bool, str]) -> str:
    methods = {False: "_evaluate", True: "_train"}
    same = len(bodies) == 2 and bodies[True] == bodies[False]
    shown = {mode: body for mode, body in bodies.items() if not (mode and same)}
    call = ", ".join(signature.expressions)
    choose = "self._train if self.training else self._evaluate" if len(shown) == 2 else "self._evaluate"
    lines = [
        "class Model(Part):",
        '    """The network; `train()` and `eval()` choose between the graphs of the two modes."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        "        for name, (shape, dtype, kind) in TENSORS.items():",
        "            self.place(name.split('.'), torch.empty(shape, dtype=dtype), kind)",
        "",
        "    @property",
        "    def device(self) -> torch.device:",
        '        """Where the tensors are."""',
        "        return next(iter(self.state_dict().values())).device",
        "",
        f"    def forward(self, {signature.parameters}):",
        f'        """{signature.told}"""',
        *(f"        {line}" for line in signature.checks),
        f"        flat = ({choose})({call})" if len(shown) == 2 else f"        flat = {choose}({call})",
        f"        return {returned(network.program(training=False).out_spec, 'flat')}",
    ]
    for mode, body in shown.items():
        lines += ["", f"    def {methods[mode]}{body}"]
    return "\n".join(lines)


def _head(facts: Mapping[str, str]) -> str:
    told = [
        textwrap.fill(
            f"{name}: {_plain(text)}", _LINE, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        )
        for name, text in facts.items()
    ]
    first = "A sub-network of a model, as plain PyTorch. It needs torch, and safetensors to read the weights."
    return "\n".join(['"""' + first, "", *told, '"""'])


def _plain(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _without_unused(text: str) -> str:
    """Imports that nothing uses are left out."""
    lines = text.split("\n")
    kept = []
    for line in lines:
        found = re.fullmatch(r"import (operator|math)", line)
        if found is None or re.search(rf"(?<![\w.]){found[1]}\.", text):
            kept.append(line)
    return "\n".join(kept)


_PART = '''class Part(nn.Module):
    """Holds tensors and parts under the names they have in the original model."""

    def __getitem__(self, name: int | str):
        """A part or tensor whose name is no identifier."""
        return getattr(self, str(name))

    def place(self, path: list[str], tensor: Tensor, kind: str) -> None:
        """Registers a tensor below this part."""
        first, *rest = path
        if rest:
            if first not in self._modules:
                self.add_module(first, Part())
            self._modules[first].place(rest, tensor, kind)
        elif kind == "buffer":
            self.register_buffer(first, tensor)
        else:
            self.register_parameter(first, nn.Parameter(tensor, requires_grad=kind == "parameter"))'''

_LOAD = '''def load(weights: str | Path | None = None) -> Model:
    """The trained network, ready for use; `weights` is by default the file beside this one."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights or Path(__file__).with_name("weights.safetensors")))
    return model.eval()
'''
