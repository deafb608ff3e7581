"""The check that a space can only produce valid networks, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import IDENTITY, INPUT, NONE, Architecture
from gnas.errors import InvalidShapeError, SpaceError
from gnas.space.constraints import possible_ops
from gnas.space.marks import accepted_names, suggestion
from gnas.space.protocol import Codes
from gnas.space.scope import text_of

if TYPE_CHECKING:
    from gnas.ops import Op, TensorType
    from gnas.space.yaml_space import YamlSpace

EXHAUSTIVE = 512
_POOL = 4096
_MOST = 400


def check_types(space: YamlSpace, ops: Mapping[str, Op], inputs: Mapping[str, TensorType], output: TensorType) -> None:
    """Infer the types of architectures that together cover every pair of values of choices met in a large sample (all
    architectures of a small space).

    Raises:
        SpaceError: An unknown op or input, types that do not fit, a wrong output, or no output at all.
    """
    _check_names(space, ops, inputs)
    seen: set[str] = set()
    for code in covering_codes(space):
        architecture = space.decode(code)
        if architecture.digest not in seen:
            seen.add(architecture.digest)
            _check_one(space, architecture, ops, inputs, output)


def _check_names(space: YamlSpace, ops: Mapping[str, Op], inputs: Mapping[str, TensorType]) -> None:
    program = space.definition.program
    for node in program.nodes:
        for op in possible_ops(node, program):
            if op == INPUT and node.name in space.definition.inputs and not node.wires:
                if node.name not in inputs:
                    raise SpaceError(
                        f"the task has no input {node.name!r}",
                        place=node.place,
                        accepted=accepted_names(inputs),
                        remedy=suggestion(node.name, inputs) or None,
                    )
            elif op not in ops and op not in (NONE, IDENTITY):
                raise SpaceError(
                    f"no op is named {op!r}",
                    place=node.place,
                    accepted=accepted_names(sorted(ops)),
                    remedy=suggestion(op, ops) or None,
                )


def covering_codes(space: YamlSpace) -> Codes:
    """Assignments that cover every value of every choice, and the pairs of values met in a sample of 4,096."""
    if space.definition.program.choices and space.size_bound <= EXHAUSTIVE:
        return np.concatenate([*space.iterate_codes()])
    pool = space.sample_codes(np.random.default_rng(0), _POOL)
    return np.concatenate([pool[_covering_rows(pool, space)], _missing_values(space, pool)])


def _missing_values(space: YamlSpace, pool: Codes) -> Codes:
    """Rows for values that a pool uniform over assignments hardly reaches (a shallow depth among deep ones)."""
    found = []
    rng = np.random.default_rng(1)
    for column, choice in enumerate(space.choices):
        for code in range(len(choice.values)):
            if not (pool[:, column] == code).any() and (row := space.with_value(column, code, pool, rng)) is not None:
                found.append(row)
    return np.array(found, dtype=np.int16).reshape(-1, len(space.choices))


def _covering_rows(pool: Codes, space: YamlSpace) -> list[int]:
    """Greedy choice of rows that together hold every pair of values in the pool, at most 400."""
    offsets = np.concatenate([[0], np.cumsum([len(c.values) for c in space.choices])])
    width = int(offsets[-1])
    onehot: NDArray[np.bool_] = np.zeros((len(pool), width), dtype=bool)
    row, column = np.nonzero(pool >= 0)
    onehot[row, offsets[column] + pool[row, column]] = True
    open_: NDArray[np.float32] = ((onehot.T.astype(np.float32) @ onehot.astype(np.float32)) > 0).astype(np.float32)
    candidates = onehot[:1024].astype(np.float32)
    chosen: list[int] = []
    while len(chosen) < _MOST:
        gain = np.einsum("ij,ij->i", candidates @ open_, candidates)
        best = int(gain.argmax())
        if gain[best] == 0:
            break
        chosen.append(best)
        on = np.flatnonzero(onehot[best])
        open_[np.ix_(on, on)] = 0
    single = ~onehot[chosen].any(axis=0) & onehot.any(axis=0)
    chosen.extend(int(onehot[:, k].argmax()) for k in np.flatnonzero(single))
    return chosen


def _check_one(
    space: YamlSpace,
    architecture: Architecture,
    ops: Mapping[str, Op],
    inputs: Mapping[str, TensorType],
    output: TensorType,
) -> None:
    from gnas.build import infer_types

    shown = ", ".join(f"{k}={text_of(v)}" for k, v in architecture.assignment)
    if not architecture.outputs:
        raise SpaceError(
            "an architecture of this space has no output: all that leads to it is `none` or missing",
            place=space.definition.file,
            value=shown,
            remedy="add the constraint `- connected: true`",
        )
    try:
        types = infer_types(architecture, ops, inputs)
    except InvalidShapeError as error:
        raise SpaceError(
            f"types do not fit: {error}",
            place=_place(space, str(error.name)),
            value=shown or None,
            remedy="change the ops or the wiring there",
        ) from error
    if len(architecture.outputs) != 1:
        count = len(architecture.outputs)
        raise SpaceError("a network returns one value", place=space.definition.file, value=count, accepted="1 output")
    given = types[architecture.outputs[0]]
    if given != output:
        last = architecture.nodes[architecture.outputs[0]]
        raise SpaceError(
            f"the output of {last.name!r} is {given}",
            place=_place(space, last.name),
            value=shown or None,
            accepted=str(output),
        )


def _place(space: YamlSpace, name: str) -> str:
    """Place in the YAML of the node an error names (`node`, or `node (op)`)."""
    nodes = sorted(space.definition.program.nodes, key=lambda n: -len(n.name))
    return next((n.place for n in nodes if n.place and n.name in name), space.definition.file)
