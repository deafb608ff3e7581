"""The toy task as a domain of its own, so that the command line can be tested on it: found as a third party's is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict

from gnas.domain import Task
from gnas.testing.toy import ToyTask

_TEMPLATE = """\
domain: toy
data: {seed: 0}
space: toy.yaml
"""
_SPACE = """\
name: testing/layers
description: Three dense layers of a kind and a width each.

inputs: [x]

choices:
  first_width: {values: [4, 8, 12, 16, 24, 32], ordinal: true}
  second_width: {values: [4, 8, 12, 16, 24, 32], ordinal: true}
  third_width: {values: [4, 8, 12, 16, 24, 32], ordinal: true}
  first_kind: [relu, tanh]
  second_kind: [relu, tanh]
  third_kind: [relu, tanh]

graph:
  - {name: first, op: $first_kind, width: $first_width, from: x}
  - {name: second, op: $second_kind, width: $second_width}
  - {name: third, op: $third_kind, width: $third_width}
  - {name: head, op: head}
"""


class ToyData(BaseModel):
    """The `data:` section.

    Attributes:
        seed: Of the rows.
    """

    model_config = ConfigDict(extra="forbid")

    seed: int = 0


class ToyDomain:
    """The toy task as a plug-in."""

    name = "toy"
    data_model: type[BaseModel] = ToyData

    def task(self, data: BaseModel, *, metric: str | None, base: Path, cache: Path) -> Task:
        """The task of a seed; nothing is read."""
        return cast(Task, ToyTask.make(cast(ToyData, data).seed))

    def template(self) -> str:
        """A spec; its space is what `install` writes."""
        return _TEMPLATE


DOMAIN = ToyDomain()


def install(folder: Path) -> Mapping[str, str]:
    """Makes the domain and its space, `toy.yaml` of 1,728 assignments, known to processes started with the result.

    Args:
        folder: Where the specs are; takes the record of an installed distribution with one entry point.

    Returns:
        Environment variables for those processes.
    """
    record = folder / "gnas_toy-1.0.dist-info"
    record.mkdir(parents=True, exist_ok=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: gnas-toy\nVersion: 1.0\n", encoding="utf-8")
    (record / "entry_points.txt").write_text(f"[gnas.domains]\ntoy = {__name__}:DOMAIN\n", encoding="utf-8")
    (folder / "toy.yaml").write_text(_SPACE, encoding="utf-8")
    path = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{path}" if path else str(folder)}
