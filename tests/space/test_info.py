from __future__ import annotations

import json

import numpy as np
import pytest

from gnas.space import YamlSpace
from gnas.space import info as info_module
from gnas.space.info import count_unique, describe
from tests.space import definitions


@pytest.mark.parametrize("name", sorted(definitions.ALL))
def test_counts_of_small_spaces_are_those_of_decoded_architectures(name: str) -> None:
    space = YamlSpace(name, definitions.ALL[name], f"{name}.yaml")
    facts = describe(space)
    json.dumps(facts)
    rows = np.concatenate(list(space.iterate_codes()))
    decoded = [space.decode(row) for row in rows]
    assert facts["assignments"] == len(rows)
    assert facts["architectures"] == len({a.digest for a in decoded})
    assert facts["labelled_graphs"] == len({(a.nodes, a.outputs) for a in decoded})


def test_counting_by_structures_agrees_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    text = definitions.FREE_DAG.replace("leaves", "free").replace("[a, b]", "[a, b, c]")
    space = YamlSpace("s", text, "s.yaml")
    expected = count_unique(space)
    monkeypatch.setattr(info_module, "ENUMERABLE", 1000)
    by_structures = count_unique(space)
    assert expected is not None and by_structures is not None
    assert by_structures.method != expected.method
    assert by_structures.architectures == expected.architectures
    assert by_structures.labelled_graphs == expected.labelled_graphs


def test_what_cannot_be_counted_is_none() -> None:
    text = definitions.DEPTH.replace("[0, 1, 2, 3]", "[30]")
    facts = describe(YamlSpace("s", text, "s.yaml"))
    assert facts["assignments"] == 2 * 6**30
    assert facts["architectures"] is None
