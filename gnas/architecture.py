"""Architecture: a frozen labelled DAG, its canonical digest and its JSON form. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

Scalar = bool | int | float | str | None
Value = Scalar | tuple[Scalar, ...]
"""One value of a choice or of an op's parameter."""
Assignment = tuple[tuple[str, Value], ...]
"""Choice names and their values, in the order of the space's choices; inactive choices are absent."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes:
        op: Name of the op; `input` for a model input (its `params` then hold `("name", …)`).
        params: The op's parameters, sorted by name.
        inputs: Indices of earlier nodes.
        name: Readable place in the space (`layers.2.conv`); no part of the digest.
        ordered: Whether the order of `inputs` matters (it does not for sums and concatenations).
    """

    op: str
    params: tuple[tuple[str, Value], ...] = ()
    inputs: tuple[int, ...] = ()
    name: str = ""
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Architecture:
    """A frozen labelled DAG in topological order.

    Attributes:
        nodes: Live nodes in topological order.
        outputs: Indices of the nodes whose values the model returns.
        assignment: The choices it came from; no part of the digest.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    assignment: Assignment = ()
