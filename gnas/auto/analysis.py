"""The first half of `gnas auto`: a model parsed into its space, and how much of it the space covers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from gnas.auto.example import Example, placed, read_example
from gnas.auto.latency import Latency, latency
from gnas.auto.target import load_subject
from gnas.autospace import AutoSpace, space_from_model
from gnas.autospace.coverage import Coverage, coverage, smallest
from gnas.errors import SpecError


@dataclass(frozen=True, slots=True)
class Request:
    """What the user named.

    Attributes:
        target: The factory.
        example: The inputs, as text; None where the factory gives them.
        folder: Where files are looked for; None for the working directory.
        places: How messages name target and example.
    """

    target: str
    example: str | None
    folder: Path | None = None
    places: tuple[str, str] = ("TARGET", "--example")


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


def analyse(request: Request, *, measure: bool) -> Analysis:
    """Makes the model, parses it, and says what its space covers.

    Args:
        request: What the user named.
        measure: Whether the smallest sub-network is timed beside the model; never done on the `meta` device.

    Raises:
        SpecError: Target or example cannot be used.
        SpaceError: The model does not run on the example or cannot be traced.
    """
    subject = load_subject(request.target, folder=request.folder, place=request.places[0])
    if request.example is not None:
        example = read_example(request.example, subject.model, folder=request.folder, place=request.places[1])
    elif subject.args is not None or subject.kwargs is not None:
        example = placed(Example(subject.args or (), dict(subject.kwargs or {})), subject.model)
    else:
        raise SpecError(
            "no example inputs",
            place=request.target,
            remedy="give --example 1x3x224x224, or let the factory return (module, args)",
        )
    started = time.perf_counter()
    space = space_from_model(subject.model, example.args, example.kwargs)
    seconds = time.perf_counter() - started
    on_meta = any(t.is_meta for t in space.structure.traced.tensors.values())
    cover, timed = coverage(space), None
    if measure and not on_meta and space.choices:
        least = smallest(space, {unit.name: unit.n_params for unit in cover.units})
        timed = latency(space.build(least).eval(), space.build(space.full()).eval(), example)
    return Analysis(subject.model, example, space, cover, timed, seconds)
