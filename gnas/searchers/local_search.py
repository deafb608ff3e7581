"""Local search: the neighbours of the best, then a new start.

Source: White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021,
arXiv:2005.02960, algorithm 1 with random restarts. Deviation: a step moves as soon as a better neighbour is known
(their "query until lower"), because the best is read off the history at every ask.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from gnas.architecture import Architecture, Assignment
from gnas.evaluation import Evaluation
from gnas.searchers.history import encode_rows, score
from gnas.searchers.options import require
from gnas.searchers.proposals import Proposals
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Codes

_MEMO_SIZE = 512
_memo: OrderedDict[tuple[str, Assignment], list[tuple[bytes, Codes]]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """Climbs from the best of `n_initial` random architectures; where all neighbours are known, it starts again.

    Attributes:
        n_initial: Random architectures at each start.
    """

    n_initial: int = 10

    def __post_init__(self) -> None:
        require(self.n_initial >= 1, "n_initial", self.n_initial, "1 or more")

    def ask(self, study: StudyView, n: int, rng: np.random.Generator) -> list[Architecture]:
        """Neighbours of the best of the present climb in random order; random ones at a start."""
        climb = self._present_climb(study)
        proposals = Proposals(study, n)
        usable = [evaluation for evaluation in climb if math.isfinite(score(study, evaluation))]
        if usable and len(climb) + len(study.pending) >= self.n_initial:
            usable.sort(key=lambda evaluation: -score(study, evaluation))
            # While evaluations of the best's last neighbours are pending, the next best's neighbours keep workers busy.
            for evaluation in usable[: 1 + len(study.pending) + n]:
                if proposals.missing <= 0:
                    break
                rows = _neighbours(study, evaluation)
                proposals.offer(rows[rng.permutation(len(rows))])
        return proposals.fill(rng)

    def _present_climb(self, study: StudyView) -> list[Evaluation]:
        """Evaluations since the last local optimum was established, by replaying the history."""
        known: set[bytes] = set()
        climb: list[Evaluation] = []
        best, best_score = None, -math.inf
        around: list[tuple[bytes, Codes]] = []
        proven = b""
        for evaluation in study.evaluations:
            known.add(evaluation.digest.encode())
            climb.append(evaluation)
            value = score(study, evaluation)
            if value > best_score:
                best, best_score = evaluation, value
                around = _around(study, evaluation)
                proven = b""
            # NOTE: feasibility is checked again only once the neighbour last found feasible has been evaluated.
            if best is not None and len(climb) >= self.n_initial and (not proven or proven in known):
                around = _open(study, around, known)
                if around:
                    proven = around[0][0]
                else:
                    climb, best, best_score = [], None, -math.inf
        return climb


def _open(study: StudyView, around: list[tuple[bytes, Codes]], known: set[bytes]) -> list[tuple[bytes, Codes]]:
    """Drops leading neighbours that are known or refused; an empty list means a local optimum."""
    for i, (digest, row) in enumerate(around):
        if digest not in known and not study.infeasible(study.space.decode(row)):
            return around[i:]
    return []


def _around(study: StudyView, evaluation: Evaluation) -> list[tuple[bytes, Codes]]:
    """Neighbours with their digests; a pure function of space and assignment, remembered."""
    key = (study.space.fingerprint, evaluation.assignment)
    around = _memo.get(key)
    if around is None:
        rows = _neighbours(study, evaluation)
        around = [(bytes(digest), row) for digest, row in zip(study.space.digests(rows), rows, strict=True)]
        _memo[key] = around
        if len(_memo) > _MEMO_SIZE:
            _memo.popitem(last=False)
    return around


def _neighbours(study: StudyView, evaluation: Evaluation) -> Codes:
    return study.space.neighbour_codes(encode_rows(study.space, [evaluation.assignment])[0])
