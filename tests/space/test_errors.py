"""Definitions that are wrong: each refused with its place."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import yaml

from gnas.errors import SpaceError
from gnas.space import YamlSpace
from tests.space import definitions

HEAD = "inputs: [x]\n"

CASES = {
    "not yaml": ("inputs: [x\n", r"s\.yaml:2:1: not YAML"),
    "not a mapping": ("- a\n", r"s\.yaml: a search space is a mapping"),
    "unknown key": ("inputs: [x]\ngrap: []\n", r"s\.yaml:2:1 \(grap\): unknown key 'grap'.*did you mean 'graph'"),
    "no graph": (HEAD, "needs `graph`"),
    "key twice": ("inputs: [x]\ninputs: [y]\n", r"s\.yaml:2:1 \(inputs\): key 'inputs' stands twice"),
    "boolean key": ("inputs: [x]\non: 1\n", r"s\.yaml:2:1.*in quotes"),
    "no inputs": ("inputs: []\ngraph: [{op: f}]\n", "`inputs` lists"),
    "no steps": (HEAD + "graph: []\n", "steps are a list"),
    "no kind": (HEAD + "graph:\n  - {name: a, from: x}\n", r"s\.yaml:3:5 \(graph\[0\]\): a step without a kind"),
    "two kinds": (HEAD + "graph: [{op: f, cell: c}]\n", "exactly one kind"),
    "unknown cell": (HEAD + "graph: [{cell: c, from: x}]\n", "no cell is named 'c'"),
    "unknown source": (HEAD + "graph: [{op: f, from: y}]\n", r"\(graph\[0\]\.from\): no step or input is named 'y'"),
    "misspelt source": ("inputs: [atoms]\ngraph: [{op: f, from: atom}]\n", "did you mean 'atoms'"),
    "later source": (HEAD + "graph: [{name: a, op: f, from: b}, {name: b, op: f, from: x}]\n", "named 'b'"),
    "unknown choice": (HEAD + "graph: [{op: f, width: $w}]\n", r"\(graph\[0\]\.width\): no choice is named 'w'"),
    "name twice": (HEAD + "graph: [{name: a, op: f}, {name: a, op: g}]\n", "two steps have one name"),
    "reserved name": (HEAD + "graph: [{name: in, op: f}]\n", "not `in`"),
    "empty choice": (HEAD + "choices: {a: []}\ngraph: [{op: f}]\n", "choice 'a' has no values"),
    "value twice": (HEAD + "choices: {a: [1, 1]}\ngraph: [{op: f}]\n", "lists a value twice"),
    "values not a list": (HEAD + "choices: {a: 3}\ngraph: [{op: f}]\n", "values of a choice are a list"),
    "unknown condition": (HEAD + "graph: [{op: f, when: {a: 1}}]\n", "no choice is named 'a'"),
    "impossible condition": (HEAD + "choices: {a: [p, q]}\ngraph: [{op: f, when: {a: r}}]\n", "no such value; got 'r'"),
    "inactive choice": (
        HEAD + "choices: {a: [p, q], b: {values: [1, 2], when: {a: p}}}\ngraph: [{op: f, width: $b}]\n",
        "choice 'b' may be inactive here",
    ),
    "missing case": (HEAD + "choices: {a: [p, q]}\ngraph: [{op: f, w: {by: $a, cases: {p: 1}}}]\n", "no case for 'q'"),
    "unknown case": (HEAD + "choices: {a: [p]}\ngraph: [{op: f, w: {by: $a, cases: {p: 1, z: 2}}}]\n", "never 'z'"),
    "op not a name": (HEAD + "graph: [{op: 3}]\n", "an op is a name"),
    "misspelt key": (HEAD + "graph: [{op: f, form: x}]\n", r"\(graph\[0\]\.form\): unknown key 'form'.*'from'"),
    "by_op of no op": (HEAD + "graph: [{op: {choice: [f, g]}, by_op: {h: {a: 1}}}]\n", "'h' is not an op of this step"),
    "parameter twice": (HEAD + "graph: [{op: {choice: [f]}, a: 1, by_op: {f: {a: 1}}}]\n", "both in the step"),
    "bad times": (HEAD + "graph: [{repeat: {times: -1, body: [{op: f}]}}]\n", "whole number; got -1"),
    "no body": (HEAD + "graph: [{repeat: {times: 1}}]\n", "has no `body`"),
    "unknown key of repeat": (HEAD + "graph: [{repeat: {time: 1, body: []}}]\n", "did you mean 'times'"),
    "cell within itself": (HEAD + "cells: {c: {body: [{cell: c}]}}\ngraph: [{cell: c}]\n", "uses itself"),
    "wrong number": (HEAD + "cells: {c: {inputs: [a, b], body: [{op: f}]}}\ngraph: [{cell: c}]\n", "reads 2 values"),
    "bad dag": (HEAD + "graph: [{dag: {nodes: 2, edge: f}}]\n", "needs `node`, or `join`"),
    "bad dag inputs": (HEAD + "graph: [{dag: {nodes: 2, node: f, inputs: al}}]\n", "did you mean 'all'"),
    "bad subset": (HEAD + "graph: [{op: f, from: {subset: [x], size: 2}}]\n", "impossible size of a subset"),
    "bad constraint": (HEAD + "graph: [{op: f}]\nconstraints: [{cont: 1}]\n", "did you mean 'count'"),
    "constraint on nothing": (
        HEAD + "graph: [{op: f}]\nconstraints: [{forbid: {a: 1}}]\n",
        r"s\.yaml:3:25 \(constraints\[0\]\.forbid\.a\): no choice matches 'a'",
    ),
    "apart of nothing": (HEAD + "graph: [{op: f}]\nconstraints: [{apart: [x, y]}]\n", "no node is named 'y'"),
    "same name elsewhere": (
        HEAD + "choices: {conv: [1, 2]}\ngraph: [{name: conv, op: {choice: [f, g]}}]\n",
        "name 'conv' is taken by another choice",
    ),
    "type of a value": (HEAD + "choices: {a: [{b: 1}]}\ngraph: [{op: f}]\n", "not a value"),
    "unused choice": (
        HEAD + "choices: {a: [1, 2]}\ngraph: [{op: f}]\n",
        r"s\.yaml:2:11 \(choices\.a\): .*used nowhere",
    ),
    "unused cell": (HEAD + "cells: {c: {body: [{op: f}]}}\ngraph: [{op: f}]\n", "cell 'c' is used nowhere"),
    "cell not a name": (HEAD + "graph: [{cell: {a: 1}}]\n", "no cell is named"),
    "cell without inputs": (
        HEAD + "cells: {c: {inputs: 2, body: [{op: f}]}}\ngraph: [{cell: c}]\n",
        "lists names; got 2",
    ),
    "first step without from": ("inputs: [x, y]\ngraph: [{op: f}]\n", "the first step needs `from`"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_wrong_definitions_are_refused_with_their_place(case: str) -> None:
    text, message = CASES[case]
    with pytest.raises(SpaceError, match=message) as caught:
        YamlSpace("s", text, "s.yaml")
    assert str(caught.value).startswith("s.yaml")


JUNK: list[Any] = [None, 3, -1, True, "x", "$w", "in", [], {}, ["a"], {"choice": ["a"]}, {"a": 1}, 2.5, [[1]]]
JUNK += [{"by": "$hidden", "cases": {}}, {"choice": []}, {"subset": ["x"]}, {"optional": "x"}, "layers.*"]


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place, *(p for key, value in items for p in _places(value, (*place, key)))]


@pytest.mark.parametrize("name", sorted(definitions.ALL))
def test_mangled_definitions_are_refused_or_work(name: str) -> None:
    """One part replaced by something else, or deleted: a `SpaceError`, or a space; never another exception."""
    rng = np.random.default_rng(0)
    whole = yaml.safe_load(definitions.ALL[name])
    outcomes = set()
    for _ in range(60):
        data = copy.deepcopy(whole)
        places = _places(data)[1:]
        *path, last = places[rng.integers(len(places))]
        part = data
        for key in path:
            part = part[key]
        if rng.random() < 0.7:
            part[last] = copy.deepcopy(JUNK[rng.integers(len(JUNK))])
        else:
            del part[last]
        try:
            space = YamlSpace("s", yaml.safe_dump(data, sort_keys=False), "s.yaml")
            code = space.sample_codes(rng, 1)
            assert space.decode(code[0]).digest.encode() == space.digests(code)[0]
            outcomes.add("works")
        except SpaceError as error:
            assert str(error)
            outcomes.add("refused")
    assert outcomes == {"works", "refused"}
