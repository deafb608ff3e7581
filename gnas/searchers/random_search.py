"""Random search: uniform over the assignments of the space, without repetition.

Source: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", arXiv:1902.07638 (the
baseline, without weight sharing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnas.architecture import Architecture
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Uniform sampling. Architectures with many assignments are drawn more often, as everywhere in the literature."""

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """`n` random architectures that are new and feasible."""
        return Proposals(study, n).fill(rng)
