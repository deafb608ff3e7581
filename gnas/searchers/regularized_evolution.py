"""Regularised evolution (ageing evolution).

Source: Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019,
arXiv:1802.01548, algorithm 1. Deviations: the population is read off the history (its last `population` usable
evaluations), so that asking needs no state; failed and infeasible candidates never enter it; a child that was seen
before is mutated again instead of being trained again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.searchers.history import encode_rows, scores
from gnas.searchers.options import require
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView

_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class RegularizedEvolution:
    """The youngest `population` compete in tournaments of `tournament`; each winner has one mutated child.

    Attributes:
        population: How many of the youngest are alive. The paper has 100 for 20,000 models; the default suits tens to
            hundreds of evaluations.
        tournament: How many are drawn for a tournament, with replacement.
    """

    population: int = 20
    tournament: int = 5

    def __post_init__(self) -> None:
        require(self.population >= 2, "population", self.population, "2 or more")
        require(self.tournament >= 1, "tournament", self.tournament, "1 or more")

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """Random architectures until the first population is complete, then children of tournament winners."""
        values = scores(study)
        usable = np.flatnonzero(np.isfinite(values))
        proposals = Proposals(study, n)
        if len(usable) + len(study.pending) < self.population or len(usable) == 0:
            return proposals.fill(rng)
        alive = usable[-self.population :]
        codes = encode_rows(study.space, [study.evaluations[int(i)].assignment for i in alive])
        for _ in range(_ROUNDS):
            if proposals.missing <= 0:
                break
            children = codes[self._winners(values[alive], proposals.missing, rng)]
            # NOTE: a first mutation may be neutral (dead parts) or known; every further try goes one mutation further.
            for _ in range(3):
                children = study.space.mutate_codes(children, rng)
                if proposals.offer(children):
                    break
        return proposals.fill(rng)

    def _winners(self, values: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        entrants = rng.integers(len(values), size=(n, self.tournament))
        best = np.argmax(values[entrants], axis=1)
        winners: NDArray[np.intp] = entrants[np.arange(n), best].astype(np.intp)
        return winners
