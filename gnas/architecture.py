"""Architecture: a frozen labelled DAG, its pruned form, its canonical digest and its JSON form. No torch here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.canonical import canonical_digests
from gnas.errors import SpaceError

Scalar = bool | int | float | str | None
Value = Scalar | tuple[Scalar, ...]
"""One value of a choice or of an op's parameter."""
Assignment = tuple[tuple[str, Value], ...]
"""Choice names and their values, in the order of the space's choices; inactive choices are absent."""

INPUT = "input"
"""Op of a model input."""
NONE = "none"
"""Op that gives nothing: it vanishes, and so does what it alone feeds."""
IDENTITY = "identity"
"""Op that passes its one input on: readers read its input instead."""
MAX_ORDERED_INPUTS = 64


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

    An architecture whose output vanished under pruning is the empty graph: no nodes and no outputs.

    Attributes:
        nodes: Live nodes in topological order.
        outputs: Indices of the nodes whose values the model returns.
        assignment: The choices it came from; no part of the digest.

    Raises:
        SpaceError: Not a DAG in topological order, or an output that does not exist.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    assignment: Assignment = ()
    _digest: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, node in enumerate(self.nodes):
            if any(not 0 <= i < index for i in node.inputs):
                raise SpaceError(
                    "a node may read earlier nodes only",
                    place=f"node {index} ({node.name or node.op})",
                    value=node.inputs,
                    accepted=f"indices from 0 to {index - 1}" if index else "no inputs for the first node",
                )
            if node.ordered and len(node.inputs) > MAX_ORDERED_INPUTS:
                raise SpaceError(
                    f"a node with ordered inputs may have at most {MAX_ORDERED_INPUTS}",
                    place=f"node {index} ({node.name or node.op})",
                    value=len(node.inputs),
                )
        if any(not 0 <= i < len(self.nodes) for i in self.outputs):
            raise SpaceError(
                "outputs must be nodes", place="outputs", value=self.outputs, accepted=f"0 to {len(self.nodes) - 1}"
            )

    @property
    def digest(self) -> str:
        """Canonical digest, 32 hexadecimal characters: equal for isomorphic graphs once pruned."""
        if not self._digest:
            pruned = self.pruned()
            labels = tuple(label_text(node.op, node.params, node.ordered) for node in pruned.nodes)
            found = _digest(labels, tuple((n.inputs, n.ordered) for n in pruned.nodes), pruned.outputs)
            object.__setattr__(self, "_digest", found)
        return self._digest

    def pruned(self) -> Architecture:
        """The same architecture without what does not matter.

        Ops `none` vanish, and so do nodes left without live inputs; `identity` nodes with one live input are bypassed;
        nodes that no output needs are dropped. If an output vanishes, all does.
        """
        stands_for = _representatives(self.nodes)
        outputs = [stands_for[i] for i in self.outputs]
        if not outputs or min(outputs) < 0:
            return Architecture((), (), self.assignment)
        needed = set(outputs)
        inputs: dict[int, tuple[int, ...]] = {}
        for index in range(len(self.nodes) - 1, -1, -1):
            if index in needed:
                inputs[index] = tuple(r for i in self.nodes[index].inputs if (r := stands_for[i]) >= 0)
                needed.update(inputs[index])
        if len(needed) == len(self.nodes) and all(inputs[i] == node.inputs for i, node in enumerate(self.nodes)):
            return self
        order = sorted(needed)
        place = {old: new for new, old in enumerate(order)}
        nodes = tuple(
            Node(node.op, node.params, tuple(place[j] for j in inputs[i]), node.name, node.ordered)
            for i, node in ((i, self.nodes[i]) for i in order)
        )
        return Architecture(nodes, tuple(place[i] for i in outputs), self.assignment)

    def to_json(self) -> str:
        """JSON text from which `from_json` makes an equal architecture."""
        nodes = [
            {
                "op": n.op,
                "params": {k: list(v) if isinstance(v, tuple) else v for k, v in n.params},
                "inputs": n.inputs,
                "name": n.name,
                "ordered": n.ordered,
            }
            for n in self.nodes
        ]
        assignment = {k: list(v) if isinstance(v, tuple) else v for k, v in self.assignment}
        return json.dumps({"nodes": nodes, "outputs": self.outputs, "assignment": assignment})

    @classmethod
    def from_json(cls, text: str | bytes) -> Architecture:
        """The architecture that `to_json` wrote.

        Raises:
            SpaceError: Not such JSON.
        """
        try:
            data = json.loads(text)
            nodes = tuple(_node_from(n) for n in data["nodes"])
            return cls(nodes, tuple(int(i) for i in data["outputs"]), _pairs(data["assignment"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SpaceError(
                f"not the JSON of an architecture ({type(error).__name__}: {error})",
                accepted="what Architecture.to_json writes: nodes, outputs, assignment",
            ) from error


def _node_from(data: Mapping[str, Any]) -> Node:
    if not isinstance(data["op"], str) or not isinstance(data["name"], str) or not isinstance(data["ordered"], bool):
        raise TypeError("a node needs a text `op`, a text `name` and a boolean `ordered`")
    return Node(
        data["op"],
        tuple(sorted(_pairs(data["params"]))),
        tuple(int(i) for i in data["inputs"]),
        data["name"],
        data["ordered"],
    )


def _pairs(data: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
    return tuple((str(k), _value(v)) for k, v in data.items())


def _value(value: Any) -> Value:
    if isinstance(value, list):
        if any(not isinstance(v, Scalar) for v in value):
            raise TypeError(f"a list of scalars was expected, not {value!r}")
        return tuple(value)
    if not isinstance(value, Scalar):
        raise TypeError(f"a scalar was expected, not {value!r}")
    return value


def _representatives(nodes: tuple[Node, ...]) -> list[int]:
    """For each node the one whose value it stands for (itself, or what an identity passes on), −1 where it is dead."""
    stands_for: list[int] = []
    for index, node in enumerate(nodes):
        live = [r for i in node.inputs if (r := stands_for[i]) >= 0]
        if node.op == NONE or (node.inputs and not live):
            stands_for.append(-1)
        elif node.op == IDENTITY and len(live) == 1 and not node.params:
            stands_for.append(live[0])
        else:
            stands_for.append(index)
    return stands_for


def label_text(op: str, params: tuple[tuple[str, Value], ...], ordered: bool) -> str:
    """The label of a node as text: what two nodes must share to be the same."""
    return json.dumps([op, params, ordered], separators=(",", ":"))


def label_words(text: str) -> tuple[int, int]:
    """The 128-bit digest of a label, as two words of 64 bits."""
    digest = blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


OUTPUT_LABEL = '["",[],true]'
"""Label of the sink that the outputs of a graph feed, in their order. No op has an empty name."""


@lru_cache(maxsize=65536)
def _digest(labels: tuple[str, ...], reads: tuple[tuple[tuple[int, ...], bool], ...], outputs: tuple[int, ...]) -> str:
    size = len(labels) + 1
    words = np.array([label_words(t) for t in (*labels, OUTPUT_LABEL)], dtype=np.uint64)
    edges: NDArray[np.uint64] = np.zeros((size, size), dtype=np.uint64)
    for index, (inputs, ordered) in enumerate((*reads, (outputs, True))):
        for position, source in enumerate(inputs):
            edges[index, source] += np.uint64(1 << position if ordered else 1)
    found: bytes = canonical_digests(words[None], edges[None])[0]
    return found.decode()
