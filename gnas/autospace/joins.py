"""Depth: joins, the units that drop their operands, bypasses, and the circuit that says which drops leave a network."""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import fx

from gnas.autospace.functional import op_name
from gnas.autospace.program import Program, Traced, module_of, source_of, value_of
from gnas.autospace.records import Circuit, Gate, Unit

Key = tuple[str, str, int, int]
"""Module, op, how many such ops of that module came before, operand: the same place in every program of a model."""

_LISTS = {"cat": "cat", "concat": "cat", "concatenate": "cat", "stack": "stack"}
_COMPUTING = frozenset(
    [
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "convolution",
        "linear",
        "bilinear",
        "matmul",
        "mm",
        "bmm",
        "addmm",
        "baddbmm",
        "einsum",
        "scaled_dot_product_attention",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "lstm_cell",
        "gru_cell",
        "rnn_tanh_cell",
        "rnn_relu_cell",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "embedding",
        "embedding_bag",
        "index_select",
        "scatter_add",
        "scatter_reduce",
        "fft_rfft",
        "fft_irfft",
        "island",
    ]
)
"""Ops that cost something; a unit whose drop saves none of them, and no weights, is none."""
_GATES = frozenset({"sigmoid", "hardsigmoid", "tanh", "softmax", "hardtanh"})


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of a join that may be dropped.

    Attributes:
        key: Its place.
        join: The op that reads it.
        source: What it is.
    """

    key: Key
    join: fx.Node
    source: fx.Node


@dataclass(frozen=True, slots=True)
class Depth:
    """What can be dropped and bypassed in a model.

    Attributes:
        circuit: Liveness over all programs.
        units: The circuit's units.
        unit_of: Unit of each operand that has one.
        bypasses: Blocks and gates that can be passed by.
        bypassed: For each program (by position) the value that a bypass replaces and the one read instead, one
            pair each.
    """

    circuit: Circuit
    units: tuple[Unit, ...]
    unit_of: Mapping[Key, int]
    bypasses: tuple[Unit, ...]
    bypassed: tuple[tuple[tuple[fx.Node, fx.Node], ...], ...]


def join_kind(node: fx.Node) -> str:
    """`add`, `sub`, `cat` or `stack` for a join; empty for any other op, which needs all it reads."""
    name = op_name(node)
    if name in _LISTS:
        return _LISTS[name]
    if name in {"add", "sub"} and isinstance(value_of(node), torch.Tensor):
        return name
    return ""


def read_by(node: fx.Node) -> list[fx.Node | None]:
    """Operands of a join in order; None for numbers."""
    values = node.args[0] if join_kind(node) in {"cat", "stack"} else node.args[:2]
    return [v if isinstance(v, fx.Node) else None for v in values]  # type: ignore[union-attr]


def keys(program: Program) -> dict[fx.Node, tuple[str, str, int]]:
    """Places of joins and products, by which programs of one model are laid over each other."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[fx.Node, tuple[str, str, int]] = {}
    for node in program.graph.nodes:
        kind = join_kind(node) or ("mul" if op_name(node) == "mul" else "")
        if kind:
            place = (module_of(node), kind)
            found[node] = (*place, seen[place])
            seen[place] += 1
    return found


def operands(program: Program) -> dict[Key, Operand]:
    """Operands of joins whose absence leaves shape and type of the result."""
    found: dict[Key, Operand] = {}
    for node, key in keys(program).items():
        kind = join_kind(node)
        reads = read_by(node) if kind else []
        for index, source in enumerate(reads):
            if source is not None and _droppable(node, kind, index, reads):
                found[(*key, index)] = Operand((*key, index), node, source)
    return found


def _droppable(node: fx.Node, kind: str, index: int, reads: list[fx.Node | None]) -> bool:
    if kind in {"cat", "stack"}:
        # NOTE: an empty list of numbers may be concatenated to anything, and says nothing of shapes (a cache's first).
        ranks = {value_of(read).dim() for read in reads if read is not None}
        return len(reads) > 1 and len(set(reads)) == len(reads) and len(ranks) == 1
    other, own = reads[1 - index], reads[index]
    if other is None or own is None or other is own or (kind == "sub" and index == 0):
        return False
    return _same(other, node) and value_of(own).dim() > 0


def _same(a: fx.Node, b: fx.Node) -> bool:
    x, y = value_of(a), value_of(b)
    tensors = isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)
    return bool(tensors and x.dtype == y.dtype and [str(s) for s in x.shape] == [str(s) for s in y.shape])


def depth_of(traced: Traced, ties: Mapping[fx.Node, object] | None = None, *, all_bypasses: bool = False) -> Depth:
    """Units, bypasses and circuit of a model.

    Args:
        traced: The model.
        ties: For each value what its channels are (equal where they are tied); a bypass needs them tied. None for any.
        all_bypasses: Whether a bypass is offered although channels are not tied.
    """
    per_program = [operands(p) for p in traced.programs]
    first = per_program[0]
    common = [k for k in first if all(k in other for other in per_program[1:])]
    grouped = _grouped(first, common)
    units: list[Unit] = []
    unit_of: dict[Key, int] = {}
    names: Counter[str] = Counter()
    for members in grouped:
        if not any(_saves(traced.evaluation, [first[k] for k in members])):
            continue
        for key in members:
            unit_of[key] = len(units)
        units.append(_unit([first[k] for k in members], names))
    circuit = _circuit(traced, per_program, unit_of, len(units))
    bypasses, pairs = _bypasses(traced, names, ties, all_bypasses=all_bypasses)
    return Depth(circuit, tuple(units), unit_of, bypasses, pairs)


def _grouped(found: Mapping[Key, Operand], common: list[Key]) -> Iterator[list[Key]]:
    """Operands dropped together: a value that only joins read goes as a whole.

    The inner sum of a longer one has no own unit.
    """
    by_source: dict[fx.Node, list[Key]] = defaultdict(list)
    for key in common:
        by_source[found[key].source].append(key)
    for source, members in by_source.items():
        readers = {found[k].join for k in members}
        only_joins = set(source.users) <= readers and source.op != "placeholder"
        if only_joins and len(members) == 1 and _inner(source, found[members[0]].join):
            continue
        if only_joins:
            yield members
        else:
            yield from ([k] for k in members)


def _inner(source: fx.Node, join: fx.Node) -> bool:
    return join_kind(source) in {"add", "sub"} and join_kind(join) in {"add", "sub"}


def _saves(program: Program, dropped: list[Operand]) -> Iterator[bool]:
    """Whether what only these operands need costs anything."""
    edges = Counter((o.source, o.join) for o in dropped)
    gone: set[fx.Node] = set()
    stack = [o.source for o in dropped]
    while stack:
        node = stack.pop()
        if node in gone or any(u not in gone and not edges[(node, u)] for u in node.users):
            continue
        gone.add(node)
        if node.op == "placeholder":
            value = value_of(node)
            yield node.name in program.state and isinstance(value, torch.Tensor) and value.dim() > 1
        else:
            yield op_name(node) in _COMPUTING
            stack.extend(node.all_input_nodes)
    yield False


def _unit(members: list[Operand], names: Counter[str]) -> Unit:
    source = members[0].source
    module = _origin(source)
    join = module_of(members[0].join) or "the model"
    kind = "operand" if len(members) == 1 else "value"
    text = f"{module or op_name(source) or source.name} into {op_name(members[0].join)} of {join}"
    if len(members) > 1:
        text = f"{module or op_name(source) or source.name} into {len(members)} joins"
    names[text] += 1
    name = text if names[text] == 1 else f"{text} ({names[text]})"
    return Unit(name, kind, module, source_of(members[0].join))  # type: ignore[arg-type]


def _origin(node: fx.Node) -> str:
    """Module that made a value; for an op of an outer forward (an activation) that of what it reads."""
    while node.op == "call_function" and len(node.all_input_nodes) == 1 and not module_of(node):
        node = node.all_input_nodes[0]
    return module_of(node) if node.op == "call_function" else node.name


def _circuit(
    traced: Traced, per_program: list[dict[Key, Operand]], unit_of: Mapping[Key, int], n_units: int
) -> Circuit:
    gates: list[Gate] = []
    outputs: list[int] = []
    for program, found in zip(traced.programs, per_program, strict=True):
        unit = {(o.join, i): unit_of.get(k, -1) for k, o in found.items() for i in (k[3],)}
        place: dict[fx.Node, int] = {}
        for node in program.graph.nodes:
            if node.op == "output":
                continue
            if join_kind(node):
                pairs = [(place[s], unit.get((node, i), -1)) for i, s in enumerate(read_by(node)) if s is not None]
                droppable = [(node, i) in unit for i, s in enumerate(read_by(node)) if s is not None]
                gate = Gate("any", tuple(pairs)) if all(droppable) else _mixed(pairs, droppable)
            else:
                gate = Gate("all", tuple((place[s], -1) for s in node.all_input_nodes))
            place[node] = len(gates)
            gates.append(gate)
        outputs.extend(place[v] for v in program.outputs if isinstance(v, fx.Node))
    return Circuit(tuple(gates), tuple(outputs), n_units)


def _mixed(pairs: list[tuple[int, int]], droppable: list[bool]) -> Gate:
    """A join with operands that it needs: those must live; it lives with or without the others."""
    return Gate("all", tuple((source, -1) for (source, _), free in zip(pairs, droppable, strict=True) if not free))


def _bypasses(
    traced: Traced, names: Counter[str], ties: Mapping[fx.Node, object] | None, *, all_bypasses: bool
) -> tuple[tuple[Unit, ...], tuple[tuple[tuple[fx.Node, fx.Node], ...], ...]]:
    per_program = [{**_gates(p), **_blocks(p)} for p in traced.programs]
    units: list[Unit] = []
    pairs: list[list[tuple[fx.Node, fx.Node]]] = [[] for _ in traced.programs]
    for key, (after, _) in per_program[0].items():
        found = [other.get(key) for other in per_program]
        if any(f is None for f in found):
            continue
        tied = all_bypasses or ties is None or all(ties.get(f[0]) == ties.get(f[1]) for f in found if f is not None)
        if not tied:
            continue
        text = f"past the gate of {key[1] or 'the model'}" if key[0] == "gate" else f"past {key[1]}"
        names[text] += 1
        units.append(Unit(text if names[text] == 1 else f"{text} ({names[text]})", "bypass", key[1], source_of(after)))
        for position, f in enumerate(found):
            if f is not None:
                pairs[position].append(f)
    return tuple(units), tuple(tuple(p) for p in pairs)


def _gates(program: Program) -> dict[tuple[str, str, int], tuple[fx.Node, fx.Node]]:
    """Products with what a sigmoid or its like made: the value may be read without its gate."""
    found: dict[tuple[str, str, int], tuple[fx.Node, fx.Node]] = {}
    for node, (module, kind, number) in keys(program).items():
        if kind != "mul" or len(node.args) < 2 or not all(isinstance(a, fx.Node) for a in node.args[:2]):
            continue
        a, b = node.args[:2]
        for value, gate in ((a, b), (b, a)):
            if op_name(gate) in _GATES and op_name(value) not in _GATES and _same(value, node):  # type: ignore[arg-type]
                found[("gate", module, number)] = (node, value)  # type: ignore[assignment]
                break
    return found


def _blocks(program: Program) -> dict[tuple[str, str, int], tuple[fx.Node, fx.Node]]:
    """Modules with weights, one tensor in and one of the same shape out, no join inside, called once."""
    inside: dict[str, list[fx.Node]] = defaultdict(list)
    order = {node: i for i, node in enumerate(program.graph.nodes)}
    for node in program.graph.nodes:
        for path, _ in (node.meta.get("nn_module_stack") or {}).values():
            if path and node.op == "call_function":
                inside[str(path)].append(node)
    found: dict[tuple[str, str, int], tuple[fx.Node, fx.Node]] = {}
    ends: set[tuple[fx.Node, fx.Node]] = set()
    for path, nodes in inside.items():
        within = set(nodes)
        reads = {s for n in nodes for s in n.all_input_nodes if s not in within}
        given = [s for s in reads if s.op != "placeholder" or s.name not in program.state]
        weights = [s for s in reads if s.op == "placeholder" and s.name in program.state]
        out = [n for n in nodes if any(u not in within for u in n.users)]
        together = order[nodes[-1]] - order[nodes[0]] == len(nodes) - 1
        if len(given) != 1 or len(out) != 1 or not weights or not together or any(join_kind(n) for n in nodes):
            continue
        if (
            not _same(out[0], given[0])
            or not any(op_name(n) in _COMPUTING for n in nodes)
            or (out[0], given[0]) in ends
        ):
            continue
        if out[0].target is operator.getitem:
            continue
        ends.add((out[0], given[0]))
        found[("block", path, 0)] = (out[0], given[0])
    return found
