"""Proposals, the part every searcher shares: admits candidates that are new and feasible, fills up what is missing."""

from __future__ import annotations

import numpy as np

from gnas.architecture import Architecture
from gnas.searchers.history import encode_rows, ranked, taken
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Codes

_SAMPLE = 32
_FRUITLESS_BATCHES = 6
_MAX_REFUSALS = 2000
_ENUMERABLE = 200_000


class Proposals:
    """Admits candidates in the order they are offered, until there are `n`.

    A candidate is admitted if its digest was neither evaluated, nor is pending, nor was offered before, and if no
    constraint that is free to check refuses it. The last check builds the network, so it comes last and stops at `n`.

    Attributes:
        architectures: Those admitted so far.
        codes: Their rows.
        refusals: How many were new but infeasible.
    """

    def __init__(self, study: StudyView, n: int) -> None:
        self.study = study
        self.n = n
        self.architectures: list[Architecture] = []
        self.codes: list[Codes] = []
        self.refusals = 0
        self._seen = taken(study)

    @property
    def missing(self) -> int:
        """How many are still to be found."""
        return self.n - len(self.architectures)

    def offer(self, codes: Codes, at_most: int | None = None) -> int:
        """Offers rows of shape `(m, choice)`, at most `at_most` of which are admitted; returns how many rows were new.

        Digests are computed in batches, so an order of preference costs no more than the rows it takes.
        """
        limit = self.missing if at_most is None else min(self.missing, at_most)
        new = 0
        start, chunk = 0, max(8, 2 * limit)
        while limit > 0 and start < len(codes):
            rows = codes[start : start + chunk]
            for row, digest in zip(rows, self.study.space.digests(rows), strict=True):
                if limit == 0:
                    break
                if bytes(digest) in self._seen:
                    continue
                self._seen.add(bytes(digest))
                new += 1
                limit -= self._admit(row)
            start += chunk
            chunk *= 2
        return new

    def _admit(self, row: Codes) -> int:
        architecture = self.study.space.decode(row)
        if self.study.infeasible(architecture):
            self.refusals += 1
            return 0
        self.architectures.append(architecture)
        self.codes.append(row)
        return 1

    def fill(self, rng: np.random.Generator) -> list[Architecture]:
        """Fills up at random and returns all that was admitted.

        Uniform samples first; where constraints refuse nearly all of those, mutations of what is known to be feasible;
        where nothing new turns up, the rest of a space of up to 200,000 assignments in random order. After 2,000
        refusals in one `ask` the constraints count as unsatisfiable, and fewer than `n` are returned.
        """
        space = self.study.space
        fruitless = 0
        while self.missing > 0 and fruitless < _FRUITLESS_BATCHES and self.refusals < _MAX_REFUSALS // 2:
            new = self.offer(space.sample_codes(rng, _SAMPLE + 2 * self.missing))
            fruitless = 0 if new else fruitless + 1
        if self.missing > 0 and self.refusals:
            self._fill_near_feasible(rng)
        if self.missing > 0 and space.count() <= _ENUMERABLE:
            self._fill_by_enumeration(rng)
        return self.architectures

    def _fill_near_feasible(self, rng: np.random.Generator) -> None:
        best = [evaluation.assignment for evaluation in ranked(self.study)[:32]]
        known = [*encode_rows(self.study.space, best), *self.codes]
        if not known:
            return
        codes = np.stack(known)
        for _ in range(_FRUITLESS_BATCHES):
            if self.missing <= 0 or self.refusals >= _MAX_REFUSALS:
                return
            codes = self.study.space.mutate_codes(codes, rng)
            self.offer(codes)

    def _fill_by_enumeration(self, rng: np.random.Generator) -> None:
        rows = np.concatenate(list(self.study.space.iterate_codes()))
        rows = rows[rng.permutation(len(rows))]
        for start in range(0, len(rows), 4096):
            if self.missing <= 0 or self.refusals >= _MAX_REFUSALS:
                return
            self.offer(rows[start : start + 4096])
