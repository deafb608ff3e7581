"""Paired timing: a candidate and a fixed reference alternate in one loop, and only their ratio is believed.

On a shared machine the speed drifts by tens of per cent within seconds. What slows the candidate slows the reference
next to it too, so the ratio of neighbours is far steadier than either time. The clock is the CPU time of the calling
thread where the system measures it finely: the time on a core of one's own, without the pauses in which others ran.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to measure.

    Attributes:
        rounds: Most pairs.
        fewest: Fewest pairs, however long they take.
        seconds: Measured seconds after which no further pair is begun.
        interleaved: Readings of each within one pair, taken in turns; the fastest of each makes the ratio.
        block_seconds: Calls are repeated within one reading until it takes about this long.
        warmup: Untimed calls of each before the first pair.
    """

    rounds: int = 41
    fewest: int = 9
    seconds: float = 0.5
    interleaved: int = 3
    block_seconds: float = 2e-4
    warmup: int = 5


DEFAULT = Schedule()


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with its confidence interval.

    Attributes:
        median, low, high: In the unit of the samples.
        spread: Half the interquartile range divided by the median.
        n: Number of samples.
    """

    median: float
    low: float
    high: float
    spread: float
    n: int


def thread_clock() -> Clock:
    """CPU time of the calling thread where its resolution is a microsecond or finer, else the wall clock."""
    fine = hasattr(time, "thread_time") and time.get_clock_info("thread_time").resolution <= 1e-6
    return time.thread_time if fine else time.perf_counter


def paired_ratios(candidate: Call, reference: Call, clock: Clock, schedule: Schedule = DEFAULT) -> NDArray[np.float64]:
    """Ratios of the candidate's time to the reference's, one a pair; which of the two goes first alternates.

    Returns:
        Shape `(pair,)`, dimensionless.
    """
    for _ in range(schedule.warmup):
        reference()
        candidate()
    calls = (candidate, reference)
    repeats = [_repeats(call, schedule.block_seconds, clock) for call in calls]
    ratios: list[float] = []
    spent = 0.0
    while len(ratios) < schedule.rounds and (len(ratios) < schedule.fewest or spent < schedule.seconds):
        fastest = [float("inf"), float("inf")]
        for turn in range(schedule.interleaved):
            for which in (0, 1) if (turn + len(ratios)) % 2 else (1, 0):
                seconds = _block(calls[which], repeats[which], clock)
                spent += seconds * repeats[which]
                fastest[which] = min(fastest[which], seconds)
        ratios.append(fastest[0] / max(fastest[1], 1e-12))
    return np.asarray(ratios)


def calibrate(reference: Call, clock: Clock, *, rounds: int = 9, blocks: int = 15) -> float:
    """Seconds of one call of the reference: the median over rounds of the fastest block of a round.

    The fastest block is free of interruptions; the median over rounds keeps one lucky moment from deciding.
    """
    for _ in range(5):
        reference()
    repeats = _repeats(reference, 5e-4, clock)
    fastest = [min(_block(reference, repeats, clock) for _ in range(blocks)) for _ in range(rounds)]
    return float(np.median(fastest))


def median_interval(samples: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """The median and its distribution-free confidence interval from order statistics.

    The ranks come from the binomial distribution with p = 1/2; the interval covers at least `confidence` for
    independent samples and is the whole range where there are too few of them.

    Source: H. A. David, H. N. Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    from scipy.stats import binom

    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    n = len(ordered)
    below = int(binom.ppf((1 - confidence) / 2, n, 0.5))
    # ppf gives the least k with P(X <= k) >= tail; the interval may leave out k − 1 samples on either side, not k.
    low = max(below - 1, 0)
    first, median, third = np.quantile(ordered, [0.25, 0.5, 0.75])
    return Interval(
        float(median),
        float(ordered[low]),
        float(ordered[n - 1 - low]),
        float((third - first) / 2 / max(median, 1e-300)),
        n,
    )


def _repeats(call: Call, block_seconds: float, clock: Clock) -> int:
    once = min(_block(call, 1, clock) for _ in range(3))
    return int(np.clip(round(block_seconds / max(once, 1e-9)), 1, 100))


def _block(call: Call, repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats
