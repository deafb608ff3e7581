"""Why channels cannot be searched: the operation that keeps them whole, and where it stands in the user's code."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import fx

from gnas.autospace.dimensions import RULES
from gnas.autospace.functional import op_name
from gnas.autospace.islands import island_of
from gnas.autospace.program import module_of, source_of
from gnas.autospace.structure import Structure

_BY_OP = {
    "embedding": "rows of an embedding are chosen by the input's numbers",
    "view": "this reshape mixes them with a dimension that varies or is no channel",
    "reshape": "this reshape mixes them with a dimension that varies or is no channel",
    "flatten": "this reshape mixes them with a dimension that varies or is no channel",
    "softmax": "softmax mixes all places of this dimension",
    "log_softmax": "softmax mixes all places of this dimension",
    "sort": "sorting mixes all places of this dimension",
    "topk": "the largest values are picked along this dimension",
    "getitem": "one place of this dimension is picked",
    "select": "single places of this dimension are picked by number",
    "index": "places of this dimension are picked by number",
    "index_select": "places of this dimension are picked by number",
    "gather": "places of this dimension are picked by number",
    "split": "a part of one channel is split off",
    "slice": "a range with steps, or of one channel, is cut out",
    "unbind": "each place of this dimension goes its own way",
    "stack": "this dimension numbers the values that are stacked",
    "lstm": "the recurrent layer is called in a form that is not followed",
    "gru": "the recurrent layer is called in a form that is not followed",
    "pad": "this dimension is padded",
    "constant_pad_nd": "this dimension is padded",
    "scaled_dot_product_attention": "positions of a sequence, or heads that are shared or masked",
    "conv1d": "what the convolution reads has no channels that can shrink",
    "conv2d": "what the convolution reads has no channels that can shrink",
    "linear": "what the linear layer reads has no channels that can shrink",
}
_INPUT = "it reads an input of the model, whose shape is given"
_LOOP = "a reshape makes these channels factors of themselves"
_PICKING = frozenset({"embedding", "index", "index_select", "gather", "topk", "sort"})
_ELEMENTWISE = "it meets a dimension of another kind, which varies, is broadcast or stays whole"
_REDUCING = frozenset("amax amin max min std var prod argmax argmin logsumexp norm linalg_vector_norm median".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Blocked:
    """Channels that one operation keeps whole.

    Attributes:
        op: The operation (`topk`; `output` for outputs of the model).
        reason: Why, in words.
        module: The user's module that calls it.
        source: File and line of the call, where known.
        channels: How many channels, counted once where they are tied.
        tensors: Parameters that have them, with the dimension.
    """

    op: str
    reason: str
    module: str
    source: str
    channels: int
    tensors: tuple[tuple[str, int], ...]


def blocked(structure: Structure) -> tuple[Blocked, ...]:
    """What keeps channels of parameters whole, most channels first; sizes of kernels and the like are left out."""
    label, causes = structure.classes.label, structure.dimensions.table.causes
    cause = _causes(structure)
    given = frozenset(name for program in structure.traced.programs for name in program.inputs if name is not None)
    channels: dict[tuple[str, str, str, str], set[int]] = defaultdict(set)
    tensors: dict[tuple[str, str, str, str], dict[tuple[str, int], None]] = defaultdict(dict)
    for name, dims in structure.dimensions.tensors.items():
        if name not in structure.traced.parameters:
            continue
        for axis, atoms in enumerate(dims):
            if atoms is None:
                continue
            classes = np.unique(label[atoms])
            for number in np.unique(cause[classes]).tolist():
                if number == _FREE:
                    continue
                node = causes[number][1] if number >= 0 else None
                if axis > 1 and isinstance(node, fx.Node) and op_name(node).startswith("conv"):
                    continue
                key = _told(node, given)
                channels[key].update(classes[cause[classes] == number].tolist())
                tensors[key][(name, axis)] = None
    found = [Blocked(*key, len(channels[key]), tuple(tensors[key])) for key in channels]
    return tuple(sorted(found, key=lambda b: (-b.channels, b.op, b.module)))


_FREE = -2
_UNKNOWN = -1


def _causes(structure: Structure) -> NDArray[np.int64]:
    """Number of the cause that freezes each class, `(class,)`; what products pass on has the cause it came from."""
    classes, causes = structure.classes, structure.dimensions.table.causes
    cause = np.where(classes.frozen, _UNKNOWN, _FREE).astype(np.int64)
    for number, (atoms, _) in enumerate(causes):
        here = classes.label[atoms]
        cause[here[cause[here] < 0]] = number
    changed = True
    while changed:
        changed = False
        for whole, factors in classes.products:
            for axis, factor in enumerate(factors):
                rows = np.moveaxis(whole, axis, 0).reshape(len(factor), -1)
                best = cause[rows].max(axis=1)
                passed = (cause[factor] == _UNKNOWN) & (best >= 0)
                cause[factor[passed]] = best[passed]
                lacking = (cause[rows] == _UNKNOWN) & (cause[factor] >= 0)[:, None]
                cause[rows[lacking]] = np.broadcast_to(cause[factor][:, None], rows.shape)[lacking]
                changed = changed or bool(passed.any() or lacking.any())
    return cause


def _told(node: object, given: frozenset[str]) -> tuple[str, str, str, str]:
    """Op, reason, module and source of a cause; `given` are the model's inputs."""
    if not isinstance(node, fx.Node):
        return "reshape", _LOOP, "", ""
    if node.op == "output":
        return "output", "outputs of the model keep their shape", "", ""
    name = op_name(node)
    reads = any(n.op == "placeholder" and n.name in given for n in node.all_input_nodes)
    why = _INPUT if reads and name in RULES and name not in _PICKING else _why(node, name)
    return name, why, module_of(node), shown(source_of(node))


def _why(node: fx.Node, name: str) -> str:
    if name == "island":
        return f"{island_of(int(node.args[1])).name} could not be traced and is called as it is"  # type: ignore[arg-type]
    if name not in RULES:
        return f"the operation {name} is not known, so all it reads and returns stays whole"
    if name in _BY_OP:
        return _BY_OP[name]
    if name in _REDUCING:
        return f"{name} over this dimension would change with fewer channels"
    if RULES[name].__name__ == "elementwise":
        return _ELEMENTWISE
    return f"{name} needs this dimension whole"


def shown(source: str) -> str:
    """`file:line` relative to the working directory where it is below that."""
    path, _, line = source.rpartition(":")
    try:
        return f"{Path(path).relative_to(Path.cwd())}:{line}"
    except ValueError:
        return source
