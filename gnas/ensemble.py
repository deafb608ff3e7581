"""Several networks as one: an architecture that holds them side by side and returns the mean of their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gnas.architecture import INPUT, Architecture, Node
from gnas.errors import SpaceError

if TYPE_CHECKING:
    from gnas.build import Network
    from gnas.domain import Task

AVERAGE = "average"
"""Op of the mean."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Architectures side by side.

    Attributes:
        architecture: All of them on the same model inputs, then the mean of their outputs.
        places: For each member, where each of its nodes stands in it.
    """

    architecture: Architecture
    places: tuple[tuple[int, ...], ...]


def join(members: Sequence[Architecture]) -> Joined:
    """The architecture of an ensemble.

    Args:
        members: At least one, each with one output.

    Raises:
        SpaceError: There is none, or one has not exactly one output.
    """
    if not members:
        raise SpaceError("an ensemble has at least one member", value=0)
    nodes: list[Node] = []
    inputs: dict[tuple[tuple[str, object], ...], int] = {}
    outputs, places = [], []
    for number, member in enumerate(members, start=1):
        if len(member.outputs) != 1:
            raise SpaceError("a member of an ensemble has one output", value=len(member.outputs), accepted="1")
        place: list[int] = []
        for node in member.nodes:
            if node.op == INPUT and node.params in inputs:
                place.append(inputs[node.params])
                continue
            if node.op == INPUT:
                inputs[node.params] = len(nodes)
                nodes.append(node)
            else:
                name = f"member_{number}.{node.name or node.op}"
                nodes.append(replace(node, inputs=tuple(place[source] for source in node.inputs), name=name))
            place.append(len(nodes) - 1)
        outputs.append(place[member.outputs[0]])
        places.append(tuple(place))
    nodes.append(Node(AVERAGE, inputs=tuple(outputs), name=AVERAGE))
    return Joined(Architecture(tuple(nodes), (len(nodes) - 1,)), tuple(places))


def ensemble(members: Sequence[Network], task: Task) -> Network:
    """The network that returns the mean of the outputs of networks, with their weights.

    Args:
        members: Trained networks for the task.
        task: What they were trained for.

    Raises:
        SpaceError: See `join`.
    """
    from gnas.build import build_network
    from gnas.ops_generic import GENERIC_OPS

    joined = join([member.architecture for member in members])
    ops = {**task.ops, AVERAGE: GENERIC_OPS[AVERAGE]}
    network = build_network(joined.architecture, ops, task.inputs, task.output)
    network.load_state_dict(_state(members, joined.places, {layer.node: layer.name for layer in network.layers}))
    return network.eval()


def _state(members: Sequence[Network], places: Sequence[Sequence[int]], names: Mapping[int, str]) -> dict[str, object]:
    state: dict[str, object] = {}
    for member, place in zip(members, places, strict=True):
        prefixes = {layer.name: names[place[layer.node]] for layer in member.layers}
        for key, tensor in member.state_dict().items():
            layer, _, rest = key.partition(".")
            state[f"{prefixes[layer]}.{rest}"] = tensor
    return state
