"""The screening itself: a stream of chunks, a running top, and the predictor's own view of the best few thousand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gnas.errors import DataError
from gnas.evaluation import Objective
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.screening.conditions import Condition
from gnas.screening.costs import CostBook, CostModel
from gnas.screening.honesty import LEVEL
from gnas.screening.pool import Chunk, Pool, Sieve
from gnas.screening.result import Candidate, Screened
from gnas.screening.student import Student
from gnas.space.protocol import Codes, Space

DIRECT = 32_768
"""Largest pool that the predictor itself goes through; of a larger one a student chooses what it looks at."""
_TAUGHT = 8192
_BLOCK = 4096
_FEWEST_BLOCKS, _MOST_BLOCKS = 2, 32
_MOST_COUNTED = 5000

Told = Callable[[str, int, int], None]


class Screener(Protocol):
    """A fitted predictor, as a screening needs it."""

    def predict_codes(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation, `(n,)` each, in the units of the values."""
        ...

    def predict_latent(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation on a scale on which both are Gaussian, `(n,)` each."""
        ...

    def interval_of_latent(self, mean: Vector, std: Vector, level: float) -> tuple[Vector, Vector]:
        """Ends of intervals that hold a share `level` of new values, in units, from what `predict_latent` gave."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What candidates must keep.

    Attributes:
        conditions: All of them.
        models: Estimates of the costs that conditions name.
        book: Counts costs.
    """

    conditions: tuple[Condition, ...]
    models: Mapping[str, CostModel]
    book: CostBook

    def estimates(self, codes: Codes) -> Floats:
        """Estimate of the cost each condition names, before exponentials, `(n, condition)`."""
        columns = [self.models[condition.name].latent(codes) for condition in self.conditions]
        return np.column_stack([np.zeros((len(codes), 0)), *columns])

    def may_hold(self, estimates: Floats, errors: Sequence[float] | None = None) -> NDArray[np.bool_]:
        """Rows that may keep every condition, doubts about their `estimates` granted, `(n,)`.

        Args:
            estimates: As `estimates` gives.
            errors: Further doubts about each column.
        """
        good = np.ones(len(estimates), dtype=np.bool_)
        for k, condition in enumerate(self.conditions):
            doubt = 0.0 if errors is None else errors[k]
            good &= self.models[condition.name].may_hold(condition, estimates[:, k], doubt)
        return good

    def holds(self, row: Codes) -> bool:
        """Whether a row keeps every condition: by its counted costs, by its estimate where none can be counted."""
        return all(bool(c.holds(np.array([self.value(row, c.name)]))[0]) for c in self.conditions)

    def value(self, row: Codes, name: str) -> float:
        """One cost of one row."""
        if name in self.book.names:
            return self.book.costs(row).get(name, np.nan)
        return float(self.models[name].estimate(row[None])[0])


def screen(
    space: Space,
    predictor: Screener,
    pool: Pool,
    *,
    objective: Objective,
    limits: Limits,
    seen: Codes,
    best_label: float,
    top: int,
    seed: int = 0,
    direct: int = DIRECT,
    workers: int = 1,
    told: Told = lambda name, done, total: None,
) -> tuple[tuple[Candidate, ...], Screened]:
    """The best of a pool.

    The predictor goes through a small pool itself. Of a large one, a student of it gives every row a mean and an
    interval; then the predictor goes through the best of those, block by block, until a block holds none of the best.
    From the first on, isomorphic twins and rows already evaluated are left out and conditions are checked on counted
    costs, until `top` rows keep them.

    Args:
        space: The space.
        predictor: Fitted.
        pool: Rows to screen.
        objective: Which direction is better.
        limits: Conditions on costs.
        seen: Rows already evaluated, `(m, choice)`.
        best_label: The best value among them.
        top: How many to return; fewer come back where fewer keep the conditions.
        seed: Of the student.
        direct: Largest pool that the predictor itself goes through.
        workers: Threads. The result does not depend on them.
        told: Called with what is going on, rows done and rows in all.

    Raises:
        DataError: The pool holds fewer new architectures than `top`.
    """
    start = time.perf_counter()
    sign = objective.sign()
    sieve = Sieve(len(space.choices), getattr(space, "live_choices", None))
    sieve.fresh(sieve.keys(seen))
    with threadpool_limits(1 if workers > 1 else None), ThreadPoolExecutor(workers) as threads:
        own = _Judge(predictor, limits)
        student = None
        if pool.size > direct:
            student = _taught(space, own, pool, seed, threads, told)
        marker = own if student is None else _Imitation(student, limits)
        running = _Top(_BLOCK * _MOST_BLOCKS, sign)
        drawn = distinct = kept = beating = 0
        for rows, fresh, chunk, marks in _marked(threads, workers, pool, sieve, marker):
            drawn, distinct, kept = drawn + rows, distinct + fresh, kept + len(chunk.codes)
            low, high = predictor.interval_of_latent(marks[:, 0], marks[:, 1], LEVEL)
            beating += int(((high if sign > 0 else -low) > sign * best_label).sum())
            running.add(chunk, marks)
            told("screening", drawn, pool.size)
        require_distinct(drawn, distinct, top)
        chunk, marks = running.best()
        if student is not None:
            chunk, marks = _looked_at_again(chunk, own, sign, top, threads, told)
    chosen = _finish(space, predictor, chunk, marks, objective, limits, seen, top)
    figures = Screened(
        kind=pool.kind,
        drawn=drawn,
        distinct=distinct,
        kept=kept,
        beating=beating,
        exact=len(marks),
        student_tau=None if student is None else student.tau[0],
        counted=limits.book.looked_at,
        seconds=time.perf_counter() - start,
    )
    return chosen, figures


class _Marker(Protocol):
    """Gives rows a latent mean and standard deviation, and leaves out those that break a limit for sure."""

    def __call__(self, chunk: Chunk) -> tuple[Chunk, Floats]:
        """The rows left, and their marks, `(n, 2)`."""
        ...


@dataclass(frozen=True, slots=True)
class _Judge:
    """The predictor itself."""

    predictor: Screener
    limits: Limits

    def __call__(self, chunk: Chunk) -> tuple[Chunk, Floats]:
        if self.limits.conditions:
            chunk = chunk.take(self.limits.may_hold(self.limits.estimates(chunk.codes)))
        return chunk, self.marks(chunk)

    def marks(self, chunk: Chunk) -> Floats:
        """Marks of all rows."""
        return np.column_stack(self.predictor.predict_latent(chunk.codes, chunk.extra))


@dataclass(frozen=True, slots=True)
class _Imitation:
    """Its student."""

    student: Student
    limits: Limits

    def __call__(self, chunk: Chunk) -> tuple[Chunk, Floats]:
        told = self.student.predict(chunk)
        kept = self.limits.may_hold(told[:, 2:], self.student.error[2:])
        return chunk.take(kept), np.column_stack([told[kept, 0], np.exp(told[kept, 1])])


def _taught(space: Space, judge: _Judge, pool: Pool, seed: int, threads: ThreadPoolExecutor, told: Told) -> Student:
    """A student of the predictor, on rows such as the pool's."""
    rows = pool.glimpse(_TAUGHT, np.random.default_rng([seed, 1 << 21]))
    parts = [rows.take(np.arange(i, min(i + 1024, _TAUGHT))) for i in range(0, _TAUGHT, 1024)]

    def answer(part: Chunk) -> Floats:
        marks = judge.marks(part)
        return np.column_stack(
            [marks[:, 0], np.log(np.maximum(marks[:, 1], 1e-12)), judge.limits.estimates(part.codes)]
        )

    answers = []
    for part in threads.map(answer, parts):
        answers.append(part)
        told("teaching", len(answers) * 1024, _TAUGHT)
    return Student.fit(space, rows, np.concatenate(answers), seed)


def _marked(
    threads: ThreadPoolExecutor, workers: int, pool: Pool, sieve: Sieve, marker: _Marker
) -> Iterator[tuple[int, int, Chunk, Floats]]:
    """Rows drawn, rows new, and those left with their marks, chunk by chunk in order; a few ahead in the threads."""

    def make(call: Callable[[], Chunk]) -> tuple[Chunk, NDArray[np.uint64]]:
        chunk = call()
        return chunk, sieve.keys(chunk.codes)

    made: deque[Future[tuple[Chunk, NDArray[np.uint64]]]] = deque()
    marked: deque[tuple[int, int, Future[tuple[Chunk, Floats]]]] = deque()
    calls = pool.chunks()
    while True:
        while len(made) < workers + 1 and (call := next(calls, None)) is not None:
            made.append(threads.submit(make, call))
        if made and len(marked) < workers + 1:
            chunk, keys = made.popleft().result()
            fresh = sieve.fresh(keys)
            marked.append((len(keys), len(fresh), threads.submit(marker, chunk.take(fresh))))
        elif marked:
            rows, new, future = marked.popleft()
            yield rows, new, *future.result()
        else:
            return


def _looked_at_again(
    chunk: Chunk, judge: _Judge, sign: float, top: int, threads: ThreadPoolExecutor, told: Told
) -> tuple[Chunk, Floats]:
    """The predictor's own marks of the student's best, until a block of them adds nothing to the best of all."""
    wanted = max(2 * top, 64)
    kept, marks = _Top(_BLOCK * _MOST_BLOCKS, sign), np.zeros((0, 2))
    bar = -np.inf
    n = len(chunk.codes)
    for block, start in enumerate(range(0, n, _BLOCK)):
        rows = chunk.take(np.arange(start, min(start + _BLOCK, n)))
        parts = [rows.take(part) for part in np.array_split(np.arange(len(rows.codes)), 4)]
        for part, own in threads.map(judge, parts):
            kept.add(part, own)
        marks = kept.best()[1]
        told("a closer look", start + len(rows.codes), n)
        if len(marks) < wanted:
            continue
        now = float(sign * marks[wanted - 1, 0])
        if block + 1 >= _FEWEST_BLOCKS and now <= bar:
            break
        bar = now
    return kept.best()


class _Top:
    """The best rows so far by the first of their marks; among equals the earlier."""

    def __init__(self, most: int, sign: float) -> None:
        self._most, self._sign = most, sign
        self._parts: list[tuple[Chunk, Floats]] = []
        self._held = 0

    def add(self, chunk: Chunk, marks: Floats) -> None:
        self._parts.append((chunk, marks))
        self._held += len(marks)
        if self._held > 2 * self._most:
            self._parts = [self.best()]
            self._held = len(self._parts[0][1])

    def best(self) -> tuple[Chunk, Floats]:
        """The best, in order."""
        codes = np.concatenate([chunk.codes for chunk, _ in self._parts])
        extra = [chunk.extra for chunk, _ in self._parts if chunk.extra is not None]
        marks = np.concatenate([marks for _, marks in self._parts])
        order = np.argsort(-self._sign * marks[:, 0], kind="stable")[: self._most]
        return Chunk(codes, np.concatenate(extra) if extra else None).take(order), marks[order]


def require_distinct(drawn: int, distinct: int, top: int) -> None:
    """There must be as many to choose from as are to be shown.

    Raises:
        DataError: There are not.
    """
    if distinct < top:
        raise DataError(
            f"the pool of {drawn:,} holds only {distinct:,} different architectures that were not evaluated",
            place="--top",
            value=top,
            accepted=f"at most {distinct:,}" if distinct else "nothing: all of the pool has been evaluated",
            remedy="ask for fewer, or give a larger pool",
        )


def _finish(
    space: Space,
    predictor: Screener,
    best: Chunk,
    marks: Floats,
    objective: Objective,
    limits: Limits,
    seen: Codes,
    top: int,
) -> tuple[Candidate, ...]:
    """Candidates from the best rows, in order of the mean in units."""
    known = set(space.digests(seen).tolist())
    rows: list[int] = []
    digests: list[str] = []
    for start in range(0, len(marks), max(256, 2 * top)):
        part = range(start, min(start + max(256, 2 * top), len(marks)))
        for row, digest in zip(part, space.digests(best.codes[part.start : part.stop]).tolist(), strict=True):
            if len(rows) < top and limits.book.looked_at <= _MOST_COUNTED and digest not in known:
                known.add(digest)
                if limits.holds(best.codes[row]):
                    rows.append(row)
                    digests.append(digest.decode())
        if len(rows) == top or limits.book.looked_at > _MOST_COUNTED:
            break
    if not rows:
        return ()
    chosen = best.take(np.array(rows, dtype=np.intp))
    mean, _ = predictor.predict_codes(chosen.codes, chosen.extra)
    low, high = predictor.interval_of_latent(marks[rows, 0], marks[rows, 1], LEVEL)
    order = np.argsort(-objective.sign() * mean, kind="stable").tolist()
    nearest = nearest_better(chosen.codes[order])
    found = []
    for i, row in enumerate(order):
        code = chosen.codes[row]
        choices = zip(space.choices, code.tolist(), strict=True)
        found.append(
            Candidate(
                rank=i + 1,
                digest=digests[row],
                assignment=tuple((c.name, c.values[k]) for c, k in choices if k >= 0),
                mean=float(mean[row]),
                low=float(low[row]),
                high=float(high[row]),
                costs=dict(limits.book.costs(code)),
                estimates=_estimates(limits, code),
                nearest=nearest[i],
            )
        )
    return tuple(found)


def _estimates(limits: Limits, code: Codes) -> dict[str, float]:
    names: Sequence[str] = [name for name in limits.models if name not in limits.book.names]
    return {name: limits.value(code, name) for name in names}


def nearest_better(codes: Codes) -> list[int | None]:
    """In how many choices each row differs from the nearest of the rows before it; None for the first."""
    found: list[int | None] = [None] if len(codes) else []
    for i in range(1, len(codes)):
        found.append(int((codes[:i] != codes[i]).sum(axis=1).min()))
    return found
