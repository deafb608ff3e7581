"""Live signals and microcontrollers: what `streaming` and `mcu_safe` leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gnas_timeseries.options import SeriesData
from gnas_timeseries.task import SeriesTask

from gnas.errors import InvalidShapeError, SpaceError
from gnas.ops import TensorType
from gnas.space import load_space
from tests.timeseries.samples import task_of, waves

SERIES = (TensorType("series", ("example", 2, 24)),)


def task(folder: Path, **asked: Any) -> SeriesTask:
    return task_of(folder, *waves(), **asked)


@pytest.mark.parametrize(("asked", "space"), [("streaming", "timeseries/streaming"), ("mcu_safe", "timeseries/mcu")])
def test_known_networks_are_members_of_the_space_searched(tmp_path: Path, asked: str, space: str) -> None:
    found = task(tmp_path, **{asked: True})
    assert found.default_space == space and found.default_network[0] == space
    bound = load_space(space).bind(found.ops, found.inputs, found.output)
    digests = {bound.decode(bound.encode(assignment)).digest for assignment in found.starting_points}
    assert len(digests) == len(found.starting_points) >= 2
    assert bound.decode(bound.encode(found.default_network[1])).digest in digests
    for derived in (found.merged(), found.sealed()):
        assert derived.default_space == space and set(derived.ops) == set(found.ops)


@pytest.mark.parametrize(
    ("asked", "op", "safe", "unsafe"),
    [
        ("streaming", "conv", {"causal": True}, {"causal": False}),
        ("streaming", "gru", {"bidirectional": False}, {"bidirectional": True}),
        ("streaming", "global_pool", {"mode": "last"}, {"mode": "attention"}),
        ("mcu_safe", "conv", {"activation": "relu"}, {"activation": "gelu"}),
        ("mcu_safe", "global_pool", {"mode": "max"}, {"mode": "attention"}),
    ],
)
def test_parameters_take_only_what_is_safe(
    tmp_path: Path, asked: str, op: str, safe: dict[str, bool], unsafe: dict[str, bool]
) -> None:
    found, free = task(tmp_path, **{asked: True}).ops[op], task(tmp_path).ops[op]
    assert found.infer(SERIES, safe) == free.infer(SERIES, safe)
    free.infer(SERIES, unsafe)
    with pytest.raises(InvalidShapeError):
        found.infer(SERIES, unsafe)


def test_a_convolution_of_a_live_signal_is_causal_without_being_told(tmp_path: Path) -> None:
    layer = task(tmp_path, streaming=True).ops["conv"].layer(SERIES, {})
    assert layer == task(tmp_path).ops["conv"].layer(SERIES, {"causal": True})
    assert layer != task(tmp_path).ops["conv"].layer(SERIES, {})


@pytest.mark.parametrize(("asked", "missing"), [("streaming", "attention"), ("mcu_safe", "gru")])
def test_other_spaces_are_held_to_it(tmp_path: Path, asked: str, missing: str) -> None:
    found = task(tmp_path, **{asked: True})
    assert missing not in found.ops
    with pytest.raises(SpaceError):
        load_space("timeseries/default").bind(found.ops, found.inputs, found.output)


def test_both_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one"):
        SeriesData(file="x.npz", streaming=True, mcu_safe=True)
