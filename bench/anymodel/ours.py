"""Our part of the table: the space of a model, and sub-networks of it tried."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import ModuleType

import numpy as np

from anymodel.subject import Subject, load_subject, quiet
from gnas.architecture import Architecture
from gnas.autospace import AutoSpace, space_from_model, verify
from gnas.testing.networks import check_network

TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Ours:
    """What was found out about one model.

    Attributes:
        error: Why there is no space; empty if there is one.
        seconds, cpu_seconds: From the model to a space.
        units, bypasses, widths: Choices of depth by exact removal, by passing by, and of width.
        choices: Those with two values or more.
        log10_size: Of the number of valid assignments.
        size_tried: Whether a second size of input was found.
        tried: Sub-networks, the smallest last.
        ran: How many of them passed in all sizes and modes.
        equal: How many equal the masked original.
        worst: Largest relative difference to it.
        smallest: Share of the parameters that the smallest has.
        faults: What went wrong, by message and how often.
    """

    name: str
    error: str = ""
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    units: int = 0
    bypasses: int = 0
    widths: int = 0
    choices: int = 0
    log10_size: float = 0.0
    size_tried: bool = False
    tried: int = 0
    ran: int = 0
    equal: int = 0
    worst: float = 0.0
    smallest: float = math.nan
    faults: tuple[tuple[str, int], ...] = ()

    @property
    def valid(self) -> bool:
        """Whether every sub-network ran and equals the masked original."""
        return not self.error and self.tried == self.ran == self.equal


def measure(zoo: ModuleType, name: str, samples: int, tell: Callable[[dict[str, object]], None]) -> None:
    """Parses a model, tries `samples` random sub-networks and the smallest; `tell` gets what is known so far."""
    found = Ours(name, error="the original does not run")
    tell(asdict(found))
    subject = load_subject(zoo, name)
    args, kwargs = subject.calls[0]
    found = replace(found, error="killed while parsing", size_tried=len(subject.calls) > 1)
    tell(asdict(found))
    told: list[str] = []
    with quiet(told.append):
        started, cpu_started = time.perf_counter(), time.process_time()
        space = space_from_model(subject.model, args, kwargs)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    if told:
        tell(asdict(replace(found, error=told[0])))
        return
    found = _described(replace(found, error="", seconds=seconds, cpu_seconds=cpu_seconds), space)
    tell(asdict(found))
    rng = np.random.default_rng(0)
    for k in range(samples + 1):
        architecture = space.smallest() if k == samples else space.sample(rng)
        found = _tried(found, subject, space, architecture)
        tell(asdict(found))
    told = []
    with quiet(told.append):
        found = replace(found, smallest=_share(subject, space))
        tell(asdict(found))


def _described(found: Ours, space: AutoSpace) -> Ours:
    return replace(
        found,
        units=len(space.units),
        bypasses=len(space.bypasses),
        widths=sum(len(group.kept) > 1 for group in space.groups),
        choices=sum(len(choice.values) > 1 for choice in space.choices),
        log10_size=math.log10(space.count()),
    )


def _tried(found: Ours, subject: Subject, space: AutoSpace, architecture: Architecture) -> Ours:
    """What is known after one more sub-network."""
    faults: list[str] = []
    ran = equal = 0
    worst = found.worst
    with quiet(faults.append):
        check_network(space.build(architecture), subject.calls, subject.forms)
        ran = 1
    with quiet(faults.append):
        difference = verify(space, architecture)
        worst = max(worst, difference)
        equal = int(difference <= TOLERANCE)
        if not equal:
            faults.append(f"differs from the masked original by {difference:.1e}")
    counted = Counter(dict(found.faults)) + Counter(faults)
    return replace(
        found,
        tried=found.tried + 1,
        ran=found.ran + ran,
        equal=found.equal + equal,
        worst=worst,
        faults=tuple(counted.most_common()),
    )


def _share(subject: Subject, space: AutoSpace) -> float:
    built = space.build(space.smallest())
    whole = sum(parameter.numel() for parameter in subject.model.parameters())
    return sum(parameter.numel() for parameter in built.parameters()) / max(1, whole)
