"""Pruners: candidates whose validation curve falls behind are ended early.

What a candidate has to reach is fixed when it is sent off, from the curves recorded until then: bars that travel with
the job. So a decision is a function of the study and of the candidate alone, wherever it trains. Candidates that end
while it trains are not heard of; Optuna's pruners, whose rules these are, would look at them too.

Sources: Golovin et al., "Google Vizier", KDD 2017, section 3.1.3 (median stopping); Li et al., "Hyperband", JMLR 18,
2018, with the asynchronous successive halving of Li et al., MLSys 2020 (arXiv:1810.05934), both as in Optuna's
`MedianPruner` and `HyperbandPruner`, to whose decisions tests hold these.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gnas.evaluation import Evaluation, Objective

PrunerName = Literal["none", "median", "hyperband"]
STUDY = "gnas"
"""With the step of a candidate, it decides upon its bracket."""

_STARTUP = 5
_ETA = 3
_STRETCH = _ETA**2
"""Times that the first epoch at which anything is pruned goes into all."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What one candidate has to reach, by epoch.

    Attributes:
        objective: Whose validation values are compared.
        values: Bars by epoch, from 1; there is none for the last epoch.
        of_best: Whether the best value up to an epoch is held against its bar, or its own.
        told: What a bar is, for the reason of a pruned candidate.
    """

    objective: Objective
    values: Mapping[int, float]
    of_best: bool
    told: str

    def reason(self, curve: Sequence[float]) -> str:
        """Why a candidate with this curve so far is ended; empty if it is not."""
        epoch = len(curve)
        bar = self.values.get(epoch)
        if bar is None:
            return ""
        sign = self.objective.sign()
        value = sign * max(sign * v for v in curve) if self.of_best else curve[-1]
        if not self.objective.better(bar, value):
            return ""
        return f"{self.objective.name} {value:.4g} after epoch {epoch} is worse than {bar:.4g}, {self.told}"


@dataclass(slots=True)
class CurveWatch:
    """Follows one training and says when to end it; for `on_epoch` of `train`.

    Attributes:
        bars: What it has to reach; None for nothing.
        reason: Why it was ended; empty if it was not.
    """

    bars: Bars | None
    reason: str = ""
    _curve: list[float] = field(default_factory=list)

    def __call__(self, epoch: int, value: float) -> bool:
        """Whether to end the training after an epoch with this validation value."""
        self._curve[epoch - 1 :] = [value]  # A training that memory ended begins again at epoch 1.
        self.reason = "" if self.bars is None else self.bars.reason(self._curve)
        return bool(self.reason)


@dataclass(frozen=True, slots=True)
class Pruner:
    """Sets the bars of candidates.

    Attributes:
        name: `median`: the best value so far against the median of finished candidates at that epoch, once five are
            finished. `hyperband`: at a few epochs, only the best third of all that came so far go on; candidates are
            drawn into brackets that begin with it sooner or later.
        objective: Whose curves are compared.
        epochs: Of a candidate that is not pruned.
    """

    name: Literal["median", "hyperband"]
    objective: Objective
    epochs: int

    @property
    def first_epoch(self) -> int:
        """The first at which anything is pruned: a ninth of all."""
        return max(1, self.epochs // _STRETCH)

    def bars(self, evaluations: Sequence[Evaluation], step: int) -> Bars:
        """The bars of the candidate that the `ask` of `step` proposed, from everything recorded so far."""
        if self.name == "median":
            found = {epoch: bar for epoch, bar in self._medians(evaluations) if epoch < self.epochs}
            return Bars(self.objective, found, True, "the median of finished candidates")
        bracket = self.bracket(step)
        rungs = dict(self._rungs(evaluations, bracket))
        return Bars(self.objective, rungs, False, f"the best third of bracket {bracket}")

    def bracket(self, step: int) -> int:
        """The bracket of a candidate: the later ones begin to prune later."""
        brackets = math.floor(math.log(self.epochs / self.first_epoch, _ETA)) + 1
        shares = [math.ceil(brackets * _ETA ** (brackets - 1 - b) / (brackets - b)) for b in range(brackets)]
        left = binascii.crc32(f"{STUDY}_{step}".encode()) % sum(shares)
        return next(b for b in range(brackets) if left < sum(shares[: b + 1]))

    def _medians(self, evaluations: Sequence[Evaluation]) -> Iterator[tuple[int, float]]:
        curves = [evaluation.curve for evaluation in evaluations if evaluation.status == "ok"]
        if len(curves) < _STARTUP:
            return
        for epoch in range(self.first_epoch, max(map(len, curves)) + 1):
            yield epoch, float(np.median([curve[epoch - 1] for curve in curves if len(curve) >= epoch]))

    def _rungs(self, evaluations: Sequence[Evaluation], bracket: int) -> Iterator[tuple[int, float]]:
        rivals = [evaluation.curve for evaluation in evaluations if self.bracket(evaluation.step) == bracket]
        epoch = self.first_epoch * _ETA**bracket
        while epoch < self.epochs:
            reached = [curve[epoch - 1] for curve in rivals if len(curve) >= epoch]
            if reached:
                best_first = sorted(reached, reverse=self.objective.direction == "maximize")
                yield epoch, best_first[max((len(reached) + 1) // _ETA - 1, 0)]
            epoch *= _ETA


def make_pruner(name: PrunerName, objective: Objective, epochs: int) -> Pruner | None:
    """The pruner of a name; None for `none`."""
    return None if name == "none" else Pruner(name, objective, epochs)


def estimated_value(pruned: Evaluation, evaluations: Sequence[Evaluation], objective: Objective) -> float:
    """What a pruned candidate would have come to: the final value at its rank.

    Its last validation value is ranked among those of finished candidates at the same epoch, and the same quantile of
    their final values is taken. So it never counts as worse than the worst that was finished, however bad it was. With
    none to compare with, it is its own last value.
    """
    epoch, sign = len(pruned.curve), objective.sign()
    peers = [
        (sign * e.curve[epoch - 1], sign * e.values[objective.name])
        for e in evaluations
        if e.status == "ok" and len(e.curve) >= epoch and objective.name in e.values
    ]
    if not peers:
        return pruned.curve[-1]
    then, finals = np.array(peers).T
    value = sign * pruned.curve[-1]
    beaten = (np.count_nonzero(then < value) + 0.5 * np.count_nonzero(then == value)) / len(then)
    return float(sign * np.quantile(finals, beaten))
