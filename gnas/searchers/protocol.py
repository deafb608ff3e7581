"""The `Searcher` protocol and what a searcher sees of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from gnas.architecture import Architecture
from gnas.evaluation import Constraint, Evaluation, Objective
from gnas.space.protocol import Space


@runtime_checkable
class StudyView(Protocol):
    """What a searcher sees: the history, never the test split."""

    @property
    def space(self) -> Space:
        """Where it searches."""
        ...

    @property
    def objective(self) -> Objective:
        """What it optimises."""
        ...

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Upper limits, on free and on measured values."""
        ...

    @property
    def evaluations(self) -> Sequence[Evaluation]:
        """All recorded evaluations by number, failed ones included."""
        ...

    @property
    def pending(self) -> Sequence[Architecture]:
        """Asked for and not yet recorded."""
        ...

    def infeasible(self, architecture: Architecture) -> str:
        """Why a constraint that is free to check refuses it (`n_params 812,000 > 500,000`); empty if none does.

        Cached by digest.
        """
        ...


@runtime_checkable
class Searcher(Protocol):
    """A search algorithm. `ask` is a pure function of the study and the generator."""

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """`n` architectures to evaluate next: distinct digests, none evaluated or pending, all feasible at no cost.

        Fewer than `n` only when the space is exhausted.
        """
        ...
