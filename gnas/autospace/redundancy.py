"""Redundant parts found from the gradients of their gates and closed slowly, in several rounds; the default method."""

from __future__ import annotations

from dataclasses import dataclass

from gnas.autospace.distortion import Distortion, measured, promising
from gnas.autospace.gated import Column, Pull
from gnas.autospace.job import Choice, Job, scores_by_group
from gnas.autospace.walk import Importance, ranked, whole


class Fisher:
    """Means over batches of squared gradients of the gates.

    With the gates open this is, up to a factor that all share, the increase of the loss that the diagonal of the
    empirical Fisher information predicts for closing each.

    Source: Theis et al., Faster gaze prediction with dense networks and Fisher pruning (arXiv:1801.05787), equation 6;
        group sums as in Liu et al., Group Fisher Pruning (arXiv:2108.00708), section 3.2. Deviation: gradients of
        batches, not of single examples.
    """

    def __init__(self) -> None:
        self._sums: tuple[Column, Column, Column] | None = None
        self._n = 0

    def __call__(self, pull: Pull) -> None:
        """One more batch."""
        squares = (pull.classes**2, pull.units**2, pull.bypasses**2)
        self._sums = squares if self._sums is None else tuple(a + b for a, b in zip(self._sums, squares, strict=True))  # type: ignore[assignment]
        self._n += 1

    def mean(self) -> tuple[Column, Column, Column]:
        """Of classes, units and bypasses.

        Raises:
            RuntimeError: No batch was seen.
        """
        if self._sums is None:
            raise RuntimeError("training made no forward with gradients in training mode")
        classes, units, bypasses = (total / self._n for total in self._sums)
        return classes, units, bypasses


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Warm-up with scores, then rounds: what is redundant by the scores of the last period is closed while training.

    Each round goes an equal part of the way to the budget, by ratios. The gates close over the first part of its steps
    and the rest trains on; scores are gathered all the while.

    Attributes:
        warm_up: Epochs of the whole model, for the first scores.
        rounds: How many; None takes what leaves half of the epochs to the fine-tune.
        closing: Part of a round's steps over which gates close.
        least: Part of each width that a round leaves at least.
        batches: How many of the last batches branches and widths are measured on (`Distortion`); 0 takes the squared
            gradients of their gates alone.
        most: Branches and bypasses measured a round, those that promise most by their gradients.

    Source: scores over a period and progressive zeroing as in HESSO (Chen et al., arXiv 2409.09085). Deviations: a
        budget of costs instead of a number of groups, importance for each unit of cost saved, gates of joins.
    """

    warm_up: int = 1
    rounds: int | None = None
    closing: float = 0.6
    least: float = 0.5
    batches: int = 2
    most: int = 64

    def choose(self, job: Job) -> Choice:
        """See `Method`."""
        rounds = max(1, job.epochs // 2 - self.warm_up) if self.rounds is None else self.rounds
        choice = Choice(job.space.structure, whole(job.space))
        scores = Fisher()
        job.gated.listener = scores
        job.run("scores of the whole model", job.gated, self.warm_up, choice.rows)
        steps = max(1, job.gated.steps // self.warm_up)
        for k in range(rounds):
            classes, units, bypasses = scores.mean()
            structure = ranked(choice.structure, classes, choice.rows)
            importance = Importance(scores_by_group(structure, classes), units, bypasses)
            if self.batches:
                now = choice.structure.removal(choice.rows.units[0], choice.rows.bypasses[0], choice.rows.widths[0])
                distortion = Distortion(job.gated, now, list(job.gated.recent)[-self.batches :])
                chosen = promising(job.space, choice.rows, importance, self.most)
                importance = measured(structure, choice.rows, importance, chosen, distortion)
            choice = Choice(structure, choice.rows)
            rows = job.budget.within(job.space, job.gated, choice, importance, (k + 1) / rounds, self.least)
            choice = Choice(structure, rows)
            removal = structure.removal(rows.units[0], rows.bypasses[0], rows.widths[0])
            job.gated.close(removal, max(1, int(self.closing * steps)))
            job.gated.listener = scores = Fisher()
            job.run(f"round {k + 1} of {rounds}", job.gated, 1, rows, scored=True)
        job.gated.listener = None
        return choice
