"""`model.py`: a network written out as plain PyTorch, one line a layer, with the shapes beside them."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping

from gnas.build import Network, NetworkLayer
from gnas.errors import ExportError
from gnas.export.source import LIBRARIES, SourceCollector
from gnas.ops import TensorType

LINE = 120


def model_source(network: Network, inputs: Mapping[str, TensorType], facts: Mapping[str, str]) -> str:
    """The source of a file that defines `Model`, with the state-dict keys of `network`, and `load`.

    Args:
        network: What to write.
        inputs: Types of its inputs, in the order of its forward.
        facts: What the file's head tells of its making, name to text.

    Raises:
        ExportError: A layer cannot be written as source.
    """
    sources = SourceCollector(reserved=frozenset({"Model", "load"}))
    sources.add_import("pathlib", "Path")
    sources.add_import("torch", "Tensor")
    sources.add_import("torch", "nn")
    constructors = [_constructor(layer, sources) for layer in network.layers]
    definitions = sources.definitions()
    libraries = sorted({item.module.partition(".")[0] for item in sources.imports.values()} & set(LIBRARIES))
    parts = [
        _head(libraries, facts),
        f"from __future__ import annotations\n\n{sources.import_block()}",
        *(f"\n{text}" for text in definitions),
        "\n" + _class(network, inputs, constructors),
        "\n" + _LOAD,
    ]
    return "\n\n".join(parts)


def literal(value: object) -> str:
    """A value as Python source.

    Raises:
        ExportError: It is no number, string, boolean, None, or list, tuple or dict of these.
    """
    match value:
        case None | bool() | int():
            return repr(value)
        case float() if math.isfinite(value):
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case tuple():
            return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
        case dict():
            return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    raise ExportError("an argument of a layer cannot be written as source", value=value)


def _constructor(layer: NetworkLayer, sources: SourceCollector) -> str:
    try:
        kind = sources.expression(layer.layer.factory)
        arguments = [f"{name}={literal(value)}" for name, value in layer.layer.kwargs.items()]
    except ExportError as error:
        if error.place:
            raise
        raise ExportError(error.problem, place=layer.name, value=error.value, accepted=error.accepted) from error
    return _wrapped(f"        self.{layer.name} = {kind}(", arguments, ")")


def _class(network: Network, inputs: Mapping[str, TensorType], constructors: list[str]) -> str:
    output = network.types[network.architecture.outputs[0]]
    signature = _wrapped(
        "    def forward(", ["self", *(f"{name}: Tensor" for name in network.input_names)], ") -> Tensor:"
    )
    arguments = [f"            {name}: {_shape(name, inputs[name])}." for name in network.input_names]
    lines = [
        "class Model(nn.Module):",
        '    """The network: each layer once in `__init__`, each step once in `forward`."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *constructors,
        "",
        signature,
        '        """One forward.',
        "",
        "        Args:",
        *arguments,
        "",
        "        Returns:",
        f"            {_shape('', output)}.",
        '        """',
        *(_step(layer, network.types[layer.node]) for layer in network.layers),
        f"        return {_variable(network.output_name)}",
    ]
    return "\n".join(lines)


def _step(layer: NetworkLayer, kind: TensorType) -> str:
    arguments = [_variable(name) for name in (*layer.inputs, *layer.context)]
    line = f"        {_variable(layer.name)} = self.{layer.name}({', '.join(arguments)})"
    comment = f"  # {kind.kind} {_dimensions(kind)}"
    if len(line) + len(comment) <= LINE:
        return line + comment
    wrapped = _wrapped(f"        {_variable(layer.name)} = self.{layer.name}(", arguments, ")")
    return wrapped if len(line) > LINE else f"        #{comment[3:]}\n{wrapped}"


def _wrapped(opening: str, arguments: list[str], closing: str) -> str:
    """A call on one line; if it is too long, with its arguments indented below; if still so, one a line."""
    line = f"{opening}{', '.join(arguments)}{closing}"
    if len(line) <= LINE:
        return line
    indent = " " * (len(opening) - len(opening.lstrip()))
    inner = f"{indent}    {', '.join(arguments)}"
    if len(inner) > LINE:
        inner = "\n".join(f"{indent}    {argument}," for argument in arguments)
    return f"{opening}\n{inner}\n{indent}{closing}"


def _variable(name: str) -> str:
    return f"{name}_" if name == "self" else name


def _shape(name: str, kind: TensorType) -> str:
    what = "" if kind.kind == name else f"{kind.kind}, "
    return f"{what}{kind.dtype}, shape `{_dimensions(kind)}`"


def _dimensions(kind: TensorType) -> str:
    return f"({', '.join(map(str, kind.shape))}{',' if len(kind.shape) == 1 else ''})"


def _head(libraries: list[str], facts: Mapping[str, str]) -> str:
    first = f"A network found by architecture search, as plain PyTorch. It needs {' and '.join(libraries)},"
    told = [
        textwrap.fill(f"{name}: {_plain(text)}", LINE, subsequent_indent="    ", break_long_words=False)
        for name, text in facts.items()
    ]
    second = "and safetensors to read the weights."
    return "\n".join(['"""' + first, second, "", *told, '"""'])


def _plain(text: str) -> str:
    """Text that may stand in a docstring, whatever it holds."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


_LOAD = '''def load(weights: str | Path | None = None) -> Model:
    """The trained network, ready for use; `weights` is by default the file beside this one."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights or Path(__file__).with_name("weights.safetensors")))
    return model.eval()
'''
