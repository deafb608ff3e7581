"""The `Space` protocol: named choices plus a way to turn an assignment of them into an `Architecture`.

Batches are integer arrays `codes` of shape `(n, choice)`: the index of the value taken by each choice, −1 where the
choice is inactive because its condition does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Value
from gnas.errors import SpaceError

if TYPE_CHECKING:
    from torch import nn

Codes = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Choice:
    """A named categorical choice.

    Attributes:
        name: Its name, unique in the space (`hidden`, `layers.2.conv`).
        values: What it can be; at least one.
        ordinal: Whether the order of `values` means something (widths, depths), for neighbours and kernels.
        when: Conjunction of conditions `(choice, accepted values)`; the choice is active where all hold.
    """

    name: str
    values: tuple[Value, ...]
    ordinal: bool = False
    when: tuple[tuple[str, tuple[Value, ...]], ...] = ()


@runtime_checkable
class Space(Protocol):
    """A search space: the same protocol whether it came from YAML or from a model."""

    @property
    def name(self) -> str:
        """Its name, `nasbench201` or `<domain>/default` for one shipped in `gnas_spaces`."""
        ...

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices, parents before children."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of the definition: a study refuses to continue with another space."""
        ...

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """`n` assignments, uniform over all valid assignments; shape `(n, choice)`."""
        ...

    def mutate_codes(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Each row with one active choice changed to another value, then repaired to a valid assignment."""
        ...

    def cross_codes(self, a: Codes, b: Codes, rng: np.random.Generator) -> Codes:
        """Uniform crossover row by row, repaired."""
        ...

    def neighbour_codes(self, code: Codes) -> Codes:
        """All assignments one change away from the single row `code` (shape `(choice,)`); shape `(m, choice)`."""
        ...

    def contains_codes(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows are valid; shape `(n,)`."""
        ...

    def iterate_codes(self, chunk: int = 65536) -> Iterator[Codes]:
        """Every valid assignment, in chunks."""
        ...

    def digests(self, codes: Codes) -> NDArray[np.bytes_]:
        """Canonical digests, `S32` hexadecimal, shape `(n,)`: equal for isomorphic architectures. Same as
        `Architecture.digest`.
        """
        ...

    def count(self) -> int:
        """Exact number of valid assignments."""
        ...

    def encode(self, assignment: Mapping[str, Value]) -> Codes:
        """Row of codes of an assignment.

        Raises:
            SpaceError: Unknown choice or value.
        """
        ...

    def decode(self, code: Codes) -> Architecture:
        """The architecture of one row."""
        ...

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One architecture."""
        ...

    def contains(self, architecture: Architecture) -> bool:
        """Whether its assignment is valid here and decodes to the same graph."""
        ...

    def build(self, architecture: Architecture) -> nn.Module:
        """The module of an architecture.

        Raises:
            SpaceError: The space is not bound to ops (`bind`).
            InvalidShapeError: Types do not fit.
        """
        ...


def holds(space: Space, architecture: Architecture) -> bool:
    """Whether an architecture's assignment is valid in `space` and decodes to the same graph."""
    try:
        row = space.encode(dict(architecture.assignment))
    except SpaceError:
        return False
    return space.decode(row).digest == architecture.digest
