"""The first half of `gnas auto`: a model parsed into its space, and how much of it the space covers."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import nn

from gnas.auto.example import Example
from gnas.auto.latency import Latency, latency
from gnas.auto.spec import AutoSpecFile
from gnas.autospace import AutoSpace, space_from_model
from gnas.autospace.coverage import Coverage, coverage, smallest


@dataclass(frozen=True, slots=True)
class Analysis:
    """A parsed model.

    Attributes:
        model: The user's model.
        example: Its inputs.
        space: Its space.
        coverage: What the space covers.
        latency: Of the smallest sub-network found, where measured.
        seconds: Wall seconds from the model to its space.
    """

    model: nn.Module
    example: Example
    space: AutoSpace
    coverage: Coverage
    latency: Latency | None
    seconds: float


def analyse(request: AutoSpecFile, *, measure: bool) -> Analysis:
    """Makes the model, parses it, and says what its space covers.

    Args:
        request: What the user named.
        measure: Whether the smallest sub-network is timed beside the model; never done on the `meta` device.

    Raises:
        SpecError: Target or example cannot be used.
        SpaceError: The model does not run on the example or cannot be traced.
    """
    torch.manual_seed(request.spec.seed)
    model, example = request.subject()
    started = time.perf_counter()
    space = space_from_model(model, example.args, example.kwargs)
    seconds = time.perf_counter() - started
    on_meta = any(t.is_meta for t in space.structure.traced.tensors.values())
    cover, timed = coverage(space), None
    if measure and not on_meta and space.choices:
        least = smallest(space, {unit.name: unit.n_params for unit in cover.units})
        timed = latency(space.build(least).eval(), space.build(space.full()).eval(), example)
    return Analysis(model, example, space, cover, timed, seconds)
