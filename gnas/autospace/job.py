"""What the methods that make a trained model smaller share: the user's two functions, the budget, the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from torch import nn

from gnas.autospace.from_model import AutoSpace
from gnas.autospace.gated import Column, GatedNetwork
from gnas.autospace.structure import Structure
from gnas.autospace.walk import Importance, Rows

Train = Callable[[nn.Module, int, int], None]
"""`train(module, epochs, seed)` trains in place."""
Evaluate = Callable[[nn.Module], float]
"""A score of a module, larger is better, on data that is neither trained on nor reported."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the history.

    Attributes:
        name: What was done.
        epochs: Trained in it.
        costs: Of the network after it.
        score: Of the network after it; None where it was not asked for.
    """

    name: str
    epochs: int
    costs: dict[str, float]
    score: float | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a method decided: the model with its channels in order, and the row that is left of it."""

    structure: Structure
    rows: Rows


class Budget(Protocol):
    """How small a model shall become."""

    def within(
        self, space: AutoSpace, gated: GatedNetwork, choice: Choice, importance: Importance, share: float, least: float
    ) -> Rows:
        """The first row of a walk from `choice` that has come `share` of the way, each width left at `least`."""
        ...


@dataclass(slots=True)
class Job:
    """One model on its way.

    Attributes:
        space: The model's.
        gated: The whole model that is trained.
        train, evaluate: The user's.
        budget: How small it shall become.
        epochs: Epochs in all, of which a method uses a part.
        seed: Of training; each call gets another.
        history: What was done so far.
    """

    space: AutoSpace
    gated: GatedNetwork
    train: Train
    evaluate: Evaluate
    budget: Budget
    epochs: int
    seed: int
    history: list[Stage] = field(default_factory=list)

    @property
    def spent(self) -> int:
        """Epochs so far."""
        return sum(stage.epochs for stage in self.history)

    def run(self, name: str, module: nn.Module, epochs: int, rows: Rows, *, scored: bool = False) -> None:
        """Trains for some epochs and writes it down."""
        self.train(module, epochs, self.seed * 1000 + len(self.history))
        costs = self.space.cost_table.of(rows.units, rows.bypasses, rows.widths)
        score = self.evaluate(module) if scored else None
        self.history.append(Stage(name, epochs, {k: float(v[0]) for k, v in costs.items()}, score))


class Method(Protocol):
    """Decides what of a model is left, and trains the gated model so that the rest can do without it."""

    def choose(self, job: Job) -> Choice:
        """The decision, all gates of what it lacks closed; at least one epoch is left for a fine-tune."""
        ...


def scores_by_group(structure: Structure, channels: Column) -> tuple[Column, ...]:
    """Scores of classes, `(class,)`, by group in the order in which channels are kept."""
    widths = structure.widths
    return tuple(channels[members[order]] for members, order in zip(widths.members, widths.order, strict=True))
