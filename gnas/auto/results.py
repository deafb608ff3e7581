"""What a search came to: the whole model, each sub-network, and the front of metric against cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from gnas.report.pareto import nondominated

if TYPE_CHECKING:
    from gnas.auto.export import Exported
    from gnas.auto.latency import Latency
    from gnas.auto.reduction import Reduction
    from gnas.autospace.shrink import Shrunk

Kind = Literal["whole", "on the way", "final"]


@dataclass(frozen=True, slots=True)
class Point:
    """One network that was judged.

    Attributes:
        name: What it is.
        score: The user's number.
        costs: `n_params`, `macs`, and `latency_share` where measured.
        epochs: Trained by then.
        kind: `final` networks are exported; those `on the way` have inherited weights and gates just closed.
        digest: Of its architecture; empty where it was not kept.
    """

    name: str
    score: float
    costs: Mapping[str, float]
    epochs: int
    kind: Kind
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The sub-network of one reduction.

    Attributes:
        reduction: As the user wrote it.
        words: In words.
        point: The network.
        way: Networks judged on the way to it.
        folder: Name of its folder.
        files: In that folder.
        differences: Of exported files from the network.
        warnings: What could not be written.
        zero_error: See the certificate.
        shapes_proved: Modes in which the outputs' shapes were proved.
        runtime: What the latency was measured in.
    """

    reduction: str
    words: str
    point: Point
    way: tuple[Point, ...]
    folder: str
    files: tuple[str, ...]
    differences: Mapping[str, float]
    warnings: tuple[str, ...]
    zero_error: float
    shapes_proved: tuple[str, ...]
    runtime: str


@dataclass(frozen=True, slots=True)
class Results:
    """All outcomes beside the whole model.

    Attributes:
        metric, direction: What is compared, and whether more is better.
        whole: The original.
        outcomes: One for each reduction.
    """

    metric: str
    direction: str
    whole: Point
    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def points(self) -> tuple[Point, ...]:
        """The whole model, then those on the way and the final one of each reduction."""
        return (self.whole, *(p for o in self.outcomes for p in (*o.way, o.point)))

    def on_front(self, cost: str = "n_params") -> tuple[bool, ...]:
        """Which of `points` no other one dominates in metric and `cost`."""
        sign = -1.0 if self.direction == "maximize" else 1.0
        rows = np.array([[p.costs.get(cost, np.inf), sign * p.score] for p in self.points])
        return tuple(bool(b) for b in nondominated(rows))


def exported_outcome(reduction: Reduction, made: Shrunk, report: Exported, timed: Latency, sign: float) -> Outcome:
    """The record of a finished sub-network; `sign` gives the user's numbers back from scores."""
    certificate = report.certificate
    way, epochs = [], 0
    for stage in made.history:
        epochs += stage.epochs
        if stage.score is not None:
            way.append(Point(f"{reduction}, {stage.name}", sign * stage.score, stage.costs, epochs, "on the way", ""))
    costs = {**made.costs, "latency_share": timed.share}
    point = Point(str(reduction), sign * made.score, costs, epochs, "final", made.architecture.digest)
    return Outcome(
        reduction=str(reduction),
        words=reduction.words,
        point=point,
        # NOTE: the last stage is the final network itself.
        way=tuple(way[:-1]),
        folder=report.folder.name,
        files=report.files,
        differences=dict(report.differences),
        warnings=(*report.warnings, *filter(None, [reduction.missed(timed.share, timed.whole_ms)])),
        zero_error=float(certificate["zero_equivalence"]["error"]),
        shapes_proved=tuple(mode for mode, found in certificate["shapes"].items() if found["proved"]),
        runtime=timed.runtime,
    )
