"""What each construct of the language gives."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gnas.architecture import Architecture, Value
from gnas.errors import SpaceError
from gnas.space import YamlSpace, list_spaces, load_space
from tests.space import definitions

DOCS = Path(__file__).parents[2] / "docs" / "spaces.md"


def space_of(text: str, restrict: Mapping[str, list[Value]] | None = None) -> YamlSpace:
    return YamlSpace("s", text, "s.yaml", restrict)


def decode(text: str, **values: Value) -> Architecture:
    space = space_of(text)
    return space.decode(space.encode({k.replace("__", "."): v for k, v in values.items()}))


def shape(architecture: Architecture) -> list[tuple[str, tuple[int, ...]]]:
    return [(n.op, n.inputs) for n in architecture.nodes]


def test_conditional_choices_and_parameters() -> None:
    space = space_of(definitions.CONDITIONAL)
    # sum and mean, and set2set with 1 step, or with 2 or 3 and a bias or none; a head of two widths.
    assert space.count() == (2 + 1 + 2 * 2) * 2
    architecture = space.decode(space.encode({"pool": "set2set", "steps": 2, "bias": True, "head.width": 8}))
    assert architecture.nodes[1].params == (("steps", 2),)
    assert [n.op for n in architecture.nodes] == ["input", "set2set", "linear", "bias"]
    plain = space.decode(space.encode({"pool": "sum", "head.width": 8}))
    assert shape(plain) == [("input", ()), ("sum", (0,)), ("linear", (1,))]
    assert plain.nodes[1].params == ()


def test_depth_activates_the_choices_of_its_layers() -> None:
    space = space_of(definitions.DEPTH)
    per_layer = 2 * (1 + 2)
    assert space.count() == 2 * sum(per_layer**k for k in range(4))
    assert {c.name: c.when for c in space.choices}["layers.1.act"] == (("layers.depth", (2, 3)),)
    none = space.decode(space.encode({"hidden": 8, "layers.depth": 0}))
    assert shape(none) == [("input", ()), ("concat", (0,))]
    one: dict[str, Value] = {
        "hidden": 8,
        "layers.depth": 1,
        "layers.0.conv": "gat",
        "layers.0.conv.gat.heads": 2,
        "layers.0.act": "relu",
    }
    architecture = space.decode(space.encode(one))
    assert shape(architecture) == [("input", ()), ("gat", (0,)), ("relu", (1,)), ("concat", (0, 2))]
    assert architecture.nodes[1].params == (("heads", 2), ("width", 8))
    assert architecture.nodes[2].params == (("first", True),)


def test_depth_is_as_likely_as_its_share_of_the_assignments() -> None:
    space = space_of(definitions.DEPTH)
    column = [c.name for c in space.choices].index("layers.depth")
    drawn = space.sample_codes(np.random.default_rng(0), 20_000)[:, column]
    shares = np.array([6.0**k for k in range(4)])
    assert np.abs(np.bincount(drawn, minlength=4) / 20_000 - shares / shares.sum()).max() < 0.01


def test_sources() -> None:
    values: dict[str, Value] = {"one.from": "b", "two.from": "a+one", "three.from.1.c": True}
    space = space_of(definitions.SOURCES)
    architecture = space.decode(space.encode(values))
    names = [n.name for n in architecture.nodes]
    reads = {n.name: [names[i] for i in n.inputs] for n in architecture.nodes}
    assert reads["one"] == ["b"]
    assert reads["two"] == ["a", "one"]
    assert reads["three"] == ["two", "c", "one"]
    assert reads["four"] == ["three"]
    other = space.decode(space.encode({**values, "one.from": "a"}))
    names = [n.name for n in other.nodes]
    assert {n.name: [names[i] for i in n.inputs] for n in other.nodes}["four"] == ["one", "three"]


def test_alternatives() -> None:
    space = space_of(definitions.EITHER)
    assert space.count() == (2 + 3 + 1) * 3
    values: dict[str, Value] = {"norm": "none_at_all", "mixer": "attention", "mixer.attention.att.heads": 4}
    assert shape(space.decode(space.encode(values))) == [
        ("input", ()),
        ("attention", (0,)),
        ("linear", (1,)),
        ("sum", (0, 2)),
    ]
    nothing = space.decode(space.encode({"norm": "batch", "mixer": "nothing"}))
    assert shape(nothing) == [("input", ()), ("batch_norm", (0,)), ("sum", (0, 1))]


def test_cells_share_their_choices_unless_untied() -> None:
    space = space_of(definitions.CELLS)
    assert [c.name for c in space.choices] == ["width", "block.act", "block.mix", "third.act", "third.mix"]
    values: dict[str, Value] = {
        "width": 4,
        "block.act": "relu",
        "block.mix": "add",
        "third.act": "gelu",
        "third.mix": "mul",
    }
    ops = [n.op for n in space.decode(space.encode(values)).nodes]
    assert ops == ["input", "stem", "add", "relu", "add", "relu", "mul", "gelu"]


def test_stages_with_depths_and_cases() -> None:
    space = space_of(definitions.STAGES)
    values: dict[str, Value] = {
        "stages.0.depth": 1,
        "stages.1.depth": 2,
        "stages.0.blocks.0.conv.kernel": 3,
        "stages.1.blocks.0.conv.kernel": 5,
        "stages.1.blocks.1.conv.kernel": 3,
        "tail.head": "identity",
    }
    nodes = space.decode(space.encode(values)).nodes
    assert [n.name for n in nodes[1:]] == [
        "stages.0.blocks.0.conv",
        "stages.1.down",
        "stages.1.blocks.0.conv",
        "stages.1.blocks.1.conv",
        "tail.pool",
    ]
    assert nodes[2].params == (("width", 32),)
    assert space.count() == (2 + 4) ** 2 * 2


def test_constraints_are_counted_exactly() -> None:
    space = space_of(definitions.CONSTRAINED)
    pairs = [
        (a, b) for a in range(1, 5) for b in range(1, 5) if not (a == 1 and b in (2, 3)) and (a > 2) + (b > 2) <= 1
    ]
    assert space.count() == sum(3 if a in (2, 3) else 1 for a, _ in pairs)
    with pytest.raises(SpaceError, match="constraint"):
        space.encode({"a": 1, "b": 2})


def test_apart() -> None:
    text = """
inputs: [x]
graph:
  - {name: one, op: {choice: [identity, f]}}
  - {name: two, op: g}
constraints:
  - apart: [x, two]
"""
    assert space_of(text).count() == 1


def test_restriction_narrows_choices() -> None:
    space = space_of(definitions.DEPTH, {"layers.depth": [1, 2], "layers.*.act": ["relu"], "hidden": [16]})
    assert space.count() == 3 + 9
    assert space.fingerprint != space_of(definitions.DEPTH).fingerprint
    assert all(c.values == ("relu",) for c in space.choices if c.name.endswith("act"))


@pytest.mark.parametrize(
    ("restrict", "match"),
    [
        ({"hiden": [8]}, "no choice is named 'hiden'.*did you mean 'hidden'"),
        ({"hidden": [12]}, "no such value.*12.*8, 16"),
        ({"layers.*.act": ["rellu"]}, "no such value.*did you mean 'relu'"),
        ({"hidden": []}, "leave choice 'hidden' no value"),
    ],
)
def test_impossible_restrictions_are_refused(restrict: dict[str, list[Value]], match: str) -> None:
    with pytest.raises(SpaceError, match=match):
        space_of(definitions.DEPTH, restrict)


def test_single_moves() -> None:
    space, rng = space_of(definitions.DEPTH), np.random.default_rng(0)
    a, b = space.sample(rng), space.sample(rng)
    assert space.contains(space.mutate(a, rng))
    assert space.contains(space.crossover(a, b, rng))
    near = space.neighbours(a)
    assert near and all(space.contains(n) for n in near)
    assert not space.contains(Architecture(a.nodes[:-1], (0,), a.assignment))
    assert not space.contains(Architecture(a.nodes, a.outputs, (("nothing", 1),)))


def test_crossover_takes_from_the_parents() -> None:
    space = load_space("nasbench201")
    rng = np.random.default_rng(0)
    a, b = space.sample_codes(rng, 200), space.sample_codes(rng, 200)
    child = space.cross_codes(a, b, rng)
    assert ((child == a) | (child == b)).all()
    assert 0.4 < (child == a)[a != b].mean() < 0.6


def test_a_space_survives_pickling() -> None:
    space = load_space("nasbench201")
    codes = space.sample_codes(np.random.default_rng(0), 20)
    again = pickle.loads(pickle.dumps(space))
    assert (again.digests(codes) == space.digests(codes)).all()


def test_names_of_spaces() -> None:
    assert "benchmarks/nasbench201" in list_spaces()
    assert load_space("nasbench201").name == "benchmarks/nasbench201"
    with pytest.raises(SpaceError, match="did you mean 'nasbench201'"):
        load_space("nasbench202")
    with pytest.raises(SpaceError, match="cannot be read"):
        load_space("nowhere/at_all.yaml")


def test_examples_of_the_documentation_compile() -> None:
    """The whole example at the top; and every Python block runs."""
    text = DOCS.read_text(encoding="utf-8")
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.S)
    whole = next(body for kind, body in blocks if kind == "yaml" and body.startswith("description"))
    space = space_of(whole)
    assert space.count() > 0
    space.sample(np.random.default_rng(0))
    steps = [body for kind, body in blocks if kind == "yaml" and body.startswith("- name")]
    assert len(steps) >= 3
    for body in steps:
        assert space_of("inputs: [x]\ngraph:\n" + re.sub("^", "  ", body, flags=re.M)).count() > 1
    cells = next(body for kind, body in blocks if kind == "yaml" and body.startswith("cells"))
    assert space_of("inputs: [image]\n" + cells.replace("- {name: block2", "- {name: block2")).count() == 2
    for kind, body in blocks:
        if kind == "python":
            exec(compile(body, str(DOCS), "exec"), {})
