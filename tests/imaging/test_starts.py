"""Known networks under a limit: made narrower until they keep it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from gnas_imaging import known_segmentation

from gnas.architecture import Architecture
from gnas.hardware.counter import CostCounter
from gnas.problem import Problem, load_problem
from gnas.starts import starting_architectures

UNET: dict[str, Any] = dict(known_segmentation.UNET)
RESIDUAL_ENCODER: dict[str, Any] = dict(known_segmentation.RESIDUAL_ENCODER)


def problem(folder: Path, **changes: Any) -> Problem:
    drawn = {"patients": 12, "images": 1, "size": 16}
    data = {"dataset": "synthetic-lesions", "task": "segmentation", "synthetic": drawn}
    spec = {"domain": "imaging", "name": "masks", "data": data, "budget": {"trials": 1}, **changes}
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return load_problem(path)


def assignment(found: Architecture) -> dict[str, Any]:
    return dict(found.assignment)


def macs(of: Problem, values: dict[str, Any]) -> float:
    network = of.space.build(of.space.decode(of.space.encode(values)))
    return CostCounter(of.task)(network)["macs"]


def test_known_networks_are_made_narrower_until_they_keep_the_limit(tmp_path: Path) -> None:
    free = problem(tmp_path)
    limit = macs(free, UNET)
    bound = problem(tmp_path, constraints={"macs": limit})
    first, plain, *_ = (dict(found.assignment) for found in starting_architectures(bound))
    assert plain == {**UNET}
    assert (
        first["width"] < RESIDUAL_ENCODER["width"] and {**first, "width": RESIDUAL_ENCODER["width"]} == RESIDUAL_ENCODER
    )
    assert macs(bound, first) <= limit < macs(bound, {**first, "width": 16})
    assert all(macs(bound, assignment(found)) <= limit for found in starting_architectures(bound))


def test_one_that_cannot_be_narrow_enough_stays_as_it_is(tmp_path: Path) -> None:
    bound = problem(tmp_path, constraints={"macs": macs(problem(tmp_path), {**RESIDUAL_ENCODER, "width": 8}) - 1})
    assert assignment(starting_architectures(bound)[0]) == RESIDUAL_ENCODER


@pytest.mark.parametrize("start", ["known", "none"])
def test_without_limits_they_are_those_of_the_task(tmp_path: Path, start: str) -> None:
    found = starting_architectures(problem(tmp_path, search={"start": start}))
    assert bool(found) == (start == "known")
    if found:
        assert assignment(found[0]) == RESIDUAL_ENCODER
