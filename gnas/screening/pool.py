"""Pools: the architectures to be screened, a chunk at a time, each assignment once, evaluated ones left out.

Chunks know nothing of each other until they are told apart in order, so that they can be made and encoded in parallel
and the result does not depend on how many workers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnas.errors import DataError, SpaceError
from gnas.screening.coding import Coder
from gnas.screening.sources import extra_of_block
from gnas.screening.tables import read_blocks
from gnas.space.protocol import Codes, Space

CHUNK = 8192
MOST_ENUMERATED = 10_000_000
"""Largest space that `all` takes."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a pool.

    Attributes:
        codes: Shape `(n, choice)`.
        extra: Extra columns of the rows, `(n, column)`; None where the predictor has none.
    """

    codes: Codes
    extra: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Chunk:
        """Some of the rows."""
        return Chunk(self.codes[rows], None if self.extra is None else self.extra[rows])


class Pool(Protocol):
    """A pool. Making a chunk may be left to a worker: `chunks` yields calls, in order."""

    @property
    def kind(self) -> str:
        """`sample`, `all` or `file`."""
        ...

    @property
    def size(self) -> int:
        """Rows to come, repetitions counted."""
        ...

    def chunks(self) -> Iterator[Callable[[], Chunk]]:
        """Calls that each make one chunk, independent of each other."""
        ...

    def glimpse(self, n: int, rng: np.random.Generator) -> Chunk:
        """`n` rows such as the pool's."""
        ...


@dataclass(frozen=True, slots=True)
class SampledPool:
    """Assignments drawn uniformly; chunk k is drawn by a generator seeded by `(seed, k)`."""

    space: Space
    size: int
    seed: int
    kind: str = "sample"

    def chunks(self) -> Iterator[Callable[[], Chunk]]:
        """Calls that draw."""
        for k, start in enumerate(range(0, self.size, CHUNK)):
            yield partial(self._draw, k, min(CHUNK, self.size - start))

    def glimpse(self, n: int, rng: np.random.Generator) -> Chunk:
        """Rows drawn alike."""
        return Chunk(self.space.sample_codes(rng, n))

    def _draw(self, k: int, n: int) -> Chunk:
        return Chunk(self.space.sample_codes(np.random.default_rng([self.seed, k]), n))


@dataclass(frozen=True, slots=True)
class WholePool:
    """Every assignment of the space."""

    space: Space
    kind: str = "all"

    @property
    def size(self) -> int:
        """Assignments of the space."""
        return self.space.count()

    def chunks(self) -> Iterator[Callable[[], Chunk]]:
        """Calls that hold a chunk each."""
        for codes in self.space.iterate_codes(CHUNK):
            yield partial(Chunk, codes)

    def glimpse(self, n: int, rng: np.random.Generator) -> Chunk:
        """Rows drawn uniformly."""
        return Chunk(self.space.sample_codes(rng, n))


@dataclass(frozen=True, slots=True)
class FilePool:
    """Rows of a CSV file with one column for each choice, all read and checked.

    Attributes:
        rows: Them.
        dropped: Cells that named a value for an inactive choice.
    """

    rows: Chunk
    dropped: int = 0
    kind: str = "file"

    @classmethod
    def read(cls, space: Space, path: Path, extra: Sequence[str]) -> FilePool:
        """Reads a file.

        Raises:
            DataError: A row outside the space, or an extra column that is missing or has gaps; with the line.
        """
        coder = Coder(space)
        codes = [np.zeros((0, len(space.choices)), dtype=np.int16)]
        columns = [np.zeros((0, len(extra)))]
        for block in read_blocks(path, CHUNK):
            codes.append(coder.codes(block))
            columns.append(np.column_stack([np.zeros((len(block.rows), 0)), *extra_of_block(block, extra).values()]))
        return cls(Chunk(np.concatenate(codes), np.concatenate(columns) if extra else None), coder.dropped)

    @property
    def size(self) -> int:
        """Rows of the file."""
        return len(self.rows.codes)

    def chunks(self) -> Iterator[Callable[[], Chunk]]:
        """Calls that hold a chunk each."""
        for start in range(0, self.size, CHUNK):
            yield partial(self.rows.take, np.arange(start, min(start + CHUNK, self.size)))

    def glimpse(self, n: int, rng: np.random.Generator) -> Chunk:
        """Rows of the file, drawn with replacement."""
        return self.rows.take(rng.integers(self.size, size=n))


def make_pool(space: Space, asked: str, *, seed: int, extra: Sequence[str] = ()) -> Pool:
    """The pool of `--pool`: a number, `all`, or the path of a CSV file.

    A number at least as large as the space takes the whole space.

    Raises:
        DataError: None of the three, a file that is not there, a number below 1, or extra columns without a file.
        SpaceError: `all` of a space that is too large to enumerate, or cannot be counted.
    """
    text = asked.strip()
    number = _number(text)
    if number is None and text != "all":
        path = Path(text)
        if not path.is_file():
            raise DataError(
                "neither a number, nor `all`, nor a file that is there",
                place="--pool",
                value=text,
                accepted="a number of architectures to sample, all, or a CSV file with one column for each choice",
            )
        pool = FilePool.read(space, path, extra)
        if pool.size == 0:
            raise DataError("an empty pool", place=text, accepted="at least one row beneath the header")
        return pool
    if extra:
        raise DataError(
            f"the predictor uses the extra columns {', '.join(extra)}, which only a file has",
            place="--pool",
            value=text,
            accepted="a CSV file with these columns",
            remedy="give such a file, or leave --extra out",
        )
    if number is not None and number < 1:
        raise DataError("an empty pool", place="--pool", value=text, accepted="a number from 1")
    count = _count(space)
    if text == "all" and (count is None or count > MOST_ENUMERATED):
        raise SpaceError(
            f"space {space.name} has too many assignments to try them all",
            place="--pool",
            value="all" if count is None else f"{count:,}",
            accepted=f"all, for spaces of at most {MOST_ENUMERATED:,}",
            remedy="give a number to sample, as --pool 1000000",
        )
    if text == "all" or (number is not None and count is not None and number >= count):
        return WholePool(space)
    return SampledPool(space, number or 0, seed)


class Sieve:
    """Tells which rows have not come before; rows are compared by 64-bit hashes of their codes.

    Args:
        n_choices: Length of a row.
        live: Which choices of rows have a say, `(n, choice)`; by default all do. Rows that differ elsewhere are equal.
    """

    def __init__(self, n_choices: int, live: Callable[[Codes], NDArray[np.bool_]] | None = None) -> None:
        self._live = live
        rng = np.random.default_rng(0)
        self._factors = rng.integers(1 << 64, size=n_choices, dtype=np.uint64) | np.uint64(1)
        # Sorted runs, each more than twice as long as the next: looking up and adding both take logarithmic time.
        self._runs: list[NDArray[np.uint64]] = []

    def keys(self, codes: Codes) -> NDArray[np.uint64]:
        """What rows are compared by, `(n,)`; may be made by a worker."""
        if self._live is not None:
            codes = np.where(self._live(codes), codes, np.int16(-1))
        mixed = (codes.astype(np.int64).view(np.uint64) * self._factors).sum(axis=1, dtype=np.uint64)
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        out: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(29))
        return out

    def fresh(self, keys: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Rows not seen yet, in order; from now on they are."""
        new, first = np.unique(keys, return_index=True)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, new), len(run) - 1)
            unseen = run[at] != new
            new, first = new[unseen], first[unseen]
        if new.size:
            self._runs.append(new)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]))
        return np.sort(first)


def _number(text: str) -> int | None:
    try:
        value = float(text.replace("_", "").replace(",", ""))
    except ValueError:
        return None
    return int(value) if value == int(value) and abs(value) < 1e12 else None


def _count(space: Space) -> int | None:
    try:
        return space.count()
    except SpaceError:
        return None
