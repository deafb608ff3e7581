"""Several networks as one: what is shared, what is copied, and that the mean of the outputs comes out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnas.architecture import Architecture, Node
from gnas.build import Network
from gnas.ensemble import ensemble, join
from gnas.errors import SpaceError
from gnas.testing.toy import ToySpace, toy_problem

INPUT = Node("input", (("name", "x"),))


def test_members_share_their_inputs_and_nothing_else() -> None:
    other = Node("input", (("name", "z"),))
    one = Architecture((INPUT, Node("linear", inputs=(0,), name="head")), (1,))
    two = Architecture((other, INPUT, Node("add", inputs=(0, 1), name="head")), (2,))
    joined = join([one, two])
    nodes = joined.architecture.nodes
    assert [node.op for node in nodes] == ["input", "linear", "input", "add", "average"]
    assert [node.name for node in nodes] == ["", "member_1.head", "", "member_2.head", "average"]
    assert nodes[3].inputs == (2, 0)
    assert nodes[4].inputs == (1, 3)
    assert joined.places == ((0, 1), (2, 0, 3))
    assert joined.architecture.outputs == (4,)


def test_no_members_and_members_of_two_outputs_are_refused() -> None:
    with pytest.raises(SpaceError, match="at least one member"):
        join([])
    with pytest.raises(SpaceError, match="one output"):
        join([Architecture((INPUT, Node("linear", inputs=(0,))), (0, 1))])


def test_the_mean_of_the_outputs_of_different_and_equal_networks() -> None:
    problem = toy_problem(ToySpace())
    space, task = problem.space, problem.task
    codes = space.sample_codes(np.random.default_rng(0), 2)
    architectures = [space.decode(codes[0]), space.decode(codes[1]), space.decode(codes[0])]
    members = [space.build(architecture).eval() for architecture in architectures]
    assert all(isinstance(member, Network) for member in members)
    network = ensemble(members, task)  # type: ignore[arg-type]
    inputs = [task.example(5)[name] for name in network.input_names]
    with torch.no_grad():
        each = torch.stack([member(*inputs) for member in members])
        torch.testing.assert_close(network(*inputs), each.mean(0))
    assert not torch.allclose(each[0], each[2])
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for m in members for p in m.parameters())
