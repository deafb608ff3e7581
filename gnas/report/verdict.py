"""The verdict: one honest sentence computed from the final comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gnas.evaluation import Objective
from gnas.report import text
from gnas.report.compare import ComparisonRow, Difference, Spread

Tone = Literal["good", "mixed", "bad", "open"]


@dataclass(frozen=True, slots=True)
class Claim:
    """How the chosen finalist stands against one rival: the rival's row and a clause in words."""

    rival: ComparisonRow
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a run.

    Attributes:
        sentence: One sentence.
        tone: `good` if every rival is beaten or led, `bad` if none is, `mixed` between, `open` without a comparison.
        claims: The clauses, one per rival.
        caveats: What the reader must know to weigh the sentence.
    """

    sentence: str
    tone: Tone
    claims: tuple[Claim, ...] = ()
    caveats: tuple[str, ...] = ()


def verdict(rows: Sequence[ComparisonRow], objective: Objective, *, complete: bool, evaluated: int) -> Verdict:
    """The verdict on a final comparison.

    Rivals are the better tree baseline (by test value, which favours the baseline), the default network, and the
    finalist of random search that did best on validation.

    Args:
        rows: From `comparison_table`.
        objective: What was optimised.
        complete: Whether the run finished.
        evaluated: Architectures that were evaluated well in the search.
    """
    ours = next((row for row in rows if row.chosen and objective.name in row.test), None)
    if ours is None:
        return Verdict(_nothing(rows, evaluated), "open", caveats=_unfinished(complete))
    caveats = (*_ensemble(rows, objective), *_caveats(ours.test[objective.name].n, complete))
    rivals = [rival for rival in _rivals(rows, objective) if rival.difference is not None]
    value = f"{objective.name} {_spread(ours.test[objective.name])}"
    lead = f"On the locked test split the searched network ({ours.name}) has {value}"
    if not rivals:
        return Verdict(
            f"{lead}; there is nothing to compare it with.",
            "open",
            caveats=caveats,
        )
    claims = tuple(Claim(rival, _clause(rival, rival.difference, objective)) for rival in rivals if rival.difference)
    standings = [rival.difference.standing for rival in rivals if rival.difference]
    ahead = [standing in ("beats", "ahead") for standing in standings]
    tone: Tone = "good" if all(ahead) else "mixed" if any(ahead) else "bad"
    return Verdict(f"{lead}: it {_join([c.text for c in claims])}.", tone, claims, caveats)


def _rivals(rows: Sequence[ComparisonRow], objective: Objective) -> list[ComparisonRow]:
    def best(kind: str, *, on_test: bool) -> list[ComparisonRow]:
        found = [
            row for row in rows if row.kind == kind and objective.name in (row.test if on_test else row.validation)
        ]
        key = -objective.sign()
        found.sort(key=lambda row: key * (row.test if on_test else row.validation)[objective.name].mean)
        return found[:1]

    trees, random = best("baseline", on_test=True), best("random_search", on_test=False)
    return [*trees, *best("default_network", on_test=True), *random]


def _clause(rival: ComparisonRow, gap: Difference, objective: Objective) -> str:
    name = {"baseline": f"the best baseline, {rival.name}", "default_network": "the unsearched default network"}.get(
        rival.kind, "random search at equal cost"
    )
    if gap.standing == "same":
        return f"is the same architecture as that of {name}"
    mean, interval = text.gap(gap.mean, gap.low, gap.high)
    detail = f"difference {mean}, 95 % interval {interval}" if interval else f"difference {mean}"
    if gap.standing == "beats":
        return f"beats {name} ({detail})"
    if gap.standing == "ahead":
        why = "on a single seed" if gap.low is None else "in the mean but within the spread"
        return f"is ahead of {name} {why} ({detail})"
    return f"does not beat {name} ({detail})"


def _nothing(rows: Sequence[ComparisonRow], evaluated: int) -> str:
    if not evaluated:
        return "No architecture has been evaluated successfully, so there is nothing to compare."
    failed = [row for row in rows if row.kind == "finalist" and row.failed]
    if failed:
        return "No final comparison: every retraining of the finalists failed."
    return "There is no final comparison yet: no finalist has been retrained and read on the test split."


def _caveats(n: int, complete: bool) -> tuple[str, ...]:
    seeds = (
        f"Spread and 95 % intervals are over {n} retraining seeds on one split; another split may differ by more."
        if n > 1
        else "A single seed was retrained, so there is no spread; treat every difference as unsettled."
    )
    return (*_unfinished(complete), seeds)


def _ensemble(rows: Sequence[ComparisonRow], objective: Objective) -> tuple[str, ...]:
    """What the finalists reach together, and how to have that where validation speaks for it."""
    name, told = objective.name, []
    ours = next((row for row in rows if row.chosen), None)
    for row in rows:
        if row.kind != "ensemble" or name not in row.test:
            continue
        sentence = f"The ensemble of the finalists has {name} {_spread(row.test[name])}"
        known = ours is not None and name in ours.validation and name in row.validation
        if ours and known and objective.better(row.validation[name].mean, ours.validation[name].mean):
            sentence += "; it validates better than the chosen network, and gnas export DIR --ensemble writes it as one"
        told.append(f"{sentence}.")
    return tuple(told)


def _unfinished(complete: bool) -> tuple[str, ...]:
    return () if complete else ("The run is not finished; start the same command again to continue it.",)


def _spread(value: Spread) -> str:
    return text.plus_minus(value.mean, value.sd)


def _join(clauses: Sequence[str]) -> str:
    return clauses[0] if len(clauses) == 1 else f"{'; '.join(clauses[:-1])}; and {clauses[-1]}"
