"""An ablation of the winner: what one changed choice did where measured, and what a model predicts elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gnas.architecture import Assignment, Value
from gnas.evaluation import Evaluation, Objective
from gnas.report.progress import good
from gnas.report.text import choice_value

if TYPE_CHECKING:
    from gnas.architecture import Architecture
    from gnas.predictors.protocol import Predictor
    from gnas.space.protocol import Space

_FEWEST = 8
_MOST_NEIGHBOURS = 600


@dataclass(frozen=True, slots=True)
class Change:
    """The winner with one choice changed.

    Attributes:
        choice: What was changed, `before` in the winner and `after`.
        value: Objective after the change: measured, or the predictor's mean.
        difference: Value after the change minus the winner's (both measured, or both predicted).
        worse: Whether the change made it worse.
        sd: Standard deviation of the predicted value; None where measured.
        trial: Number in the study; −1 where predicted.
        source: The study where measured, `predicted` otherwise.
    """

    choice: str
    before: str
    after: str
    value: float
    difference: float
    worse: bool
    sd: float | None = None
    trial: int = -1
    source: str = "predicted"


@dataclass(frozen=True, slots=True)
class Ablation:
    """One-choice changes of the winner, measured ones apart from predicted ones.

    Attributes:
        winner: The evaluation that is changed.
        measured, predicted: By choice; within it, the least harmful change first.
        n: Evaluations the predictor was fitted on; `error`: its leave-out error where known.
        message: Why there is no prediction; empty where there is one.
    """

    winner: Evaluation
    measured: tuple[Change, ...]
    predicted: tuple[Change, ...] = ()
    n: int = 0
    message: str = ""


def measured_changes(
    winner: Evaluation, studies: Mapping[str, Sequence[Evaluation]], objective: Objective
) -> tuple[Change, ...]:
    """Evaluated architectures that differ from the winner in one choice.

    A choice that is active on one side only follows from the changed one and does not count as a second change.

    Args:
        winner: What they are compared with.
        studies: Evaluations by the study they come from.
        objective: What was optimised.
    """
    ours = dict(winner.assignment)
    base = winner.values[objective.name]
    found: dict[str, Change] = {}
    for source, evaluations in studies.items():
        for evaluation in good(evaluations, objective):
            choice = single_change(ours, evaluation.assignment)
            if evaluation.digest == winner.digest or choice is None or evaluation.digest in found:
                continue
            value = evaluation.values[objective.name]
            before, after = choice_value(ours[choice]), choice_value(dict(evaluation.assignment)[choice])
            worse = objective.better(base, value)
            found[evaluation.digest] = Change(
                choice, before, after, value, value - base, worse, trial=evaluation.number, source=source
            )
    return _sorted(found.values(), objective)


def single_change(ours: Mapping[str, Value], other: Assignment) -> str | None:
    """The one choice active in both in which an assignment differs, or None if none or several do."""
    changed = [name for name, value in other if name in ours and ours[name] != value]
    return changed[0] if len(changed) == 1 else None


def predicted_changes(
    winner: Evaluation, evaluations: Sequence[Evaluation], space: Space, objective: Objective, predictor: Predictor
) -> tuple[tuple[Change, ...], int, str]:
    """What a predictor fitted on the study says of every one-choice change of the winner that was not evaluated.

    Returns:
        The changes, the number of evaluations fitted on, and a message why there are none.
    """
    members = list({e.digest: e for e in good(evaluations, objective)}.values())
    if len(members) < _FEWEST:
        return (
            (),
            len(members),
            f"A prediction needs at least {_FEWEST} evaluated architectures; there are {len(members)}.",
        )
    known = {e.digest for e in members}
    ours = dict(winner.assignment)
    neighbours: list[tuple[str, Architecture]] = []
    for code in space.neighbour_codes(space.encode(ours))[:_MOST_NEIGHBOURS]:
        architecture = space.decode(code)
        choice = single_change(ours, architecture.assignment)
        if choice is not None and architecture.digest not in known:
            neighbours.append((choice, architecture))
    if not neighbours:
        return (), len(members), "Every one-choice change of the winner was evaluated."
    fitted = predictor.fit(
        [space.decode(space.encode(dict(e.assignment))) for e in members],
        np.array([e.values[objective.name] for e in members], dtype=np.float64),
    )
    centre = space.decode(space.encode(ours))
    means, sds = fitted.predict([centre, *(architecture for _, architecture in neighbours)])
    base = float(means[0])
    changes = [
        Change(
            choice,
            choice_value(ours[choice]),
            choice_value(dict(architecture.assignment)[choice]),
            float(mean),
            float(mean) - base,
            objective.better(base, float(mean)),
            sd=float(sd),
        )
        for (choice, architecture), mean, sd in zip(neighbours, means[1:], sds[1:], strict=True)
    ]
    return _sorted(changes, objective), len(members), ""


def _sorted(changes: Iterable[Change], objective: Objective) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda c: (c.choice, -objective.sign() * c.value)))
