"""The screening itself: a stream of chunks, a running top, and the whole predictor for the best few thousand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gnas.errors import DataError
from gnas.evaluation import Objective
from gnas.predictors.protocol import Vector
from gnas.screening.conditions import Condition
from gnas.screening.costs import CostBook, CostModel
from gnas.screening.honesty import LEVEL, CodePredictor, Extra
from gnas.screening.pool import Chunk, Pool, Sieve
from gnas.screening.result import Candidate, Screened
from gnas.space.protocol import Codes, Space

EXACT = 5000
"""Best of the pool whose mean and interval are those of the whole predictor."""
_MOST_COUNTED = 5000

Told = Callable[[int, int | None], None]
Scoring = Callable[[Codes, Extra], Vector]


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

    def may_hold(self, codes: Codes) -> NDArray[np.bool_]:
        """Rows whose estimates may keep every condition, `(n,)`."""
        good = np.ones(len(codes), dtype=np.bool_)
        for condition in self.conditions:
            if good.any():
                good[good] = self.models[condition.name].may_hold(condition, codes[good])
        return good

    def holds(self, row: Codes) -> bool:
        """Whether a row keeps every condition: by its counted costs, by its estimate where none can be counted."""
        return all(bool(c.holds(np.array([self.value(row, c.name)]))[0]) for c in self.conditions)

    def value(self, row: Codes, name: str) -> float:
        """One cost of one row."""
        if name in self.book.names:
            return self.book.costs(row)[name]
        return float(self.models[name].estimate(row[None])[0])


def screen(
    space: Space,
    predictor: CodePredictor,
    pool: Pool,
    *,
    objective: Objective,
    limits: Limits,
    seen: Codes,
    top: int,
    workers: int = 1,
    told: Told | None = None,
) -> tuple[tuple[Candidate, ...], Screened]:
    """The best of a pool.

    Every row gets the predictor's `rank_mean`; the best `EXACT` of them the whole predictor's mean and interval; of
    those, isomorphic twins and rows already evaluated are left out, and conditions are checked on counted costs from
    the first on, until `top` rows keep them.

    Args:
        space: The space.
        predictor: Fitted.
        pool: Rows to screen.
        objective: Which direction is better.
        limits: Conditions on costs.
        seen: Rows already evaluated, `(m, choice)`.
        top: How many to return; fewer come back where fewer keep the conditions.
        workers: Threads. The result does not depend on them.
        told: Called with rows screened so far and their number, where known.

    Raises:
        DataError: The pool holds fewer new architectures than `top`.
    """
    start = time.perf_counter()
    sieve = Sieve(len(space.choices), getattr(space, "live_choices", None))
    sieve.fresh(sieve.keys(seen))
    best = _Top(max(EXACT, 2 * top), objective.sign())
    drawn = distinct = kept = 0
    with threadpool_limits(1 if workers > 1 else None), ThreadPoolExecutor(workers) as threads:
        for rows, chunk, marks in _scored(threads, workers, pool, sieve, limits, predictor.rank_mean):
            drawn += rows[0]
            distinct += rows[1]
            kept += len(marks)
            best.add(chunk, marks)
            if told is not None:
                told(drawn, pool.size)
    _require_pool(pool, drawn, distinct, top)
    chosen, exact = _finish(space, predictor, best.chunk(), objective, limits, seen, top)
    seconds = time.perf_counter() - start
    return chosen, Screened(pool.kind, drawn, distinct, kept, limits.book.looked_at, seconds, exact)


def _scored(
    threads: ThreadPoolExecutor, workers: int, pool: Pool, sieve: Sieve, limits: Limits, score: Scoring
) -> Iterator[tuple[tuple[int, int], Chunk, Vector]]:
    """Chunks without repetitions and with marks, in order; makes and scores a few ahead in the threads."""

    def make(call: Callable[[], Chunk]) -> tuple[Chunk, NDArray[np.uint64]]:
        chunk = call()
        return chunk, sieve.keys(chunk.codes)

    def judge(chunk: Chunk, rows: tuple[int, int]) -> tuple[tuple[int, int], Chunk, Vector]:
        if limits.conditions:
            chunk = chunk.take(limits.may_hold(chunk.codes))
        marks = score(chunk.codes, chunk.extra) if len(chunk.codes) else np.zeros(0)
        return rows, chunk, marks

    made: deque[Future[tuple[Chunk, NDArray[np.uint64]]]] = deque()
    judged: deque[Future[tuple[tuple[int, int], Chunk, Vector]]] = deque()
    calls = pool.chunks()
    while True:
        while len(made) < workers + 1 and (call := next(calls, None)) is not None:
            made.append(threads.submit(make, call))
        if made and len(judged) < workers + 1:
            chunk, keys = made.popleft().result()
            fresh = sieve.fresh(keys)
            judged.append(threads.submit(judge, chunk.take(fresh), (len(keys), len(fresh))))
        elif judged:
            yield judged.popleft().result()
        else:
            return


class _Top:
    """The best rows so far; among equals the earlier."""

    def __init__(self, most: int, sign: float) -> None:
        self._most, self._sign = most, sign
        self._chunk: Chunk | None = None
        self._marks: Vector = np.zeros(0)

    def add(self, chunk: Chunk, marks: Vector) -> None:
        if not len(marks):
            return
        if self._chunk is not None:
            extra = None if chunk.extra is None or self._chunk.extra is None else [self._chunk.extra, chunk.extra]
            codes = np.concatenate([self._chunk.codes, chunk.codes])
            chunk = Chunk(codes, None if extra is None else np.concatenate(extra))
            marks = np.concatenate([self._marks, marks])
        order = np.argsort(-self._sign * marks, kind="stable")[: self._most]
        self._chunk, self._marks = chunk.take(order), marks[order]

    def chunk(self) -> Chunk | None:
        """The best, in order; None if nothing came."""
        return self._chunk


def _require_pool(pool: Pool, drawn: int, distinct: int, top: int) -> None:
    if drawn == 0:
        raise DataError("an empty pool", place="--pool", accepted="a pool with at least one architecture")
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
    predictor: CodePredictor,
    best: Chunk | None,
    objective: Objective,
    limits: Limits,
    seen: Codes,
    top: int,
) -> tuple[tuple[Candidate, ...], int]:
    """Candidates in the order of the whole predictor's mean, and how many rows that was asked of."""
    if best is None:
        return (), 0
    mean, _ = predictor.predict_codes(best.codes, best.extra)
    order = np.argsort(-objective.sign() * mean, kind="stable")
    digests = space.digests(best.codes)
    known = set(space.digests(seen).tolist())
    rows: list[int] = []
    for row in order.tolist():
        if len(rows) == top or limits.book.looked_at > _MOST_COUNTED:
            break
        if digests[row] not in known and limits.holds(best.codes[row]):
            rows.append(row)
        known.add(digests[row])
    chosen = best.take(np.array(rows, dtype=np.intp))
    low, high = predictor.interval(chosen.codes, LEVEL, chosen.extra) if rows else (np.zeros(0), np.zeros(0))
    nearest = nearest_better(chosen.codes)
    found = []
    for i, (row, code) in enumerate(zip(rows, chosen.codes, strict=True)):
        choices = zip(space.choices, code.tolist(), strict=True)
        found.append(
            Candidate(
                i + 1,
                digests[row].decode(),
                tuple((c.name, c.values[k]) for c, k in choices if k >= 0),
                float(mean[row]),
                float(low[i]),
                float(high[i]),
                dict(limits.book.costs(code)),
                _estimates(limits, code),
                nearest[i],
            )
        )
    return tuple(found), len(order)


def _estimates(limits: Limits, code: Codes) -> dict[str, float]:
    names: Sequence[str] = [name for name in limits.models if name not in limits.book.names]
    return {name: limits.value(code, name) for name in names}


def nearest_better(codes: Codes) -> list[int | None]:
    """In how many choices each row differs from the nearest of the rows before it; None for the first."""
    found: list[int | None] = [None] if len(codes) else []
    for i in range(1, len(codes)):
        found.append(int((codes[:i] != codes[i]).sum(axis=1).min()))
    return found
