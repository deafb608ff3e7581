"""Proposals, the part every searcher shares: admits candidates that are new and feasible, fills up what is missing."""

from __future__ import annotations

import numpy as np

from gnas.architecture import Architecture
from gnas.searchers.history import encode_rows, ranked, taken
from gnas.searchers.protocol import StudyView
from gnas.space.protocol import Codes

_SAMPLE = 32
_ONE_BY_ONE = 4
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
        """Offers rows of shape `(m, choice)`, at most `at_most` of which are admitted; returns how many were.

        Few are tried one by one, since a batch of digests costs as much as several single ones; then batches grow.
        """
        limit = self.missing if at_most is None else min(self.missing, at_most)
        goal = len(self.architectures) + max(limit, 0)
        start, chunk = 0, _ONE_BY_ONE if limit <= _ONE_BY_ONE else 2 * limit
        while start < len(codes) and len(self.architectures) < goal:
            rows = codes[start : start + chunk]
            digests = self.study.space.digests(rows) if chunk > _ONE_BY_ONE else [None] * len(rows)
            for row, digest in zip(rows, digests, strict=True):
                if len(self.architectures) == goal:
                    break
                self._consider(row, digest)
            start += chunk
            chunk *= 4
        return len(self.architectures) - goal + max(limit, 0)

    def _consider(self, row: Codes, digest: bytes | None) -> None:
        architecture = None
        if digest is None:
            architecture = self.study.space.decode(row)
            digest = architecture.digest.encode()
        if bytes(digest) in self._seen:
            return
        self._seen.add(bytes(digest))
        architecture = architecture or self.study.space.decode(row)
        if self.study.infeasible(architecture):
            self.refusals += 1
            return
        self.architectures.append(architecture)
        self.codes.append(row)

    def fill(self, rng: np.random.Generator) -> list[Architecture]:
        """Fills up at random and returns all that was admitted.

        Uniform samples first; where constraints refuse nearly all of those, mutations of what is known to be feasible;
        where nothing new turns up, the rest of a space of up to 200,000 assignments in random order. After 2,000
        refusals in one `ask` the constraints count as unsatisfiable, and fewer than `n` are returned.
        """
        space = self.study.space
        fruitless = 0
        while self.missing > 0 and fruitless < _FRUITLESS_BATCHES and self.refusals < _MAX_REFUSALS // 2:
            before = len(self._seen)
            self.offer(space.sample_codes(rng, _SAMPLE + 2 * self.missing))
            fruitless = 0 if len(self._seen) > before else fruitless + 1
        if self.missing > 0 and self.refusals:
            self._fill_near_feasible(rng)
        if self.missing > 0 and space.count() <= _ENUMERABLE:
            self._fill_by_enumeration(rng)
        return self.architectures

    def _fill_near_feasible(self, rng: np.random.Generator) -> None:
        best = [evaluation.assignment for evaluation in ranked(self.study)[:_SAMPLE]]
        known = encode_rows(self.study.space, best)
        fruitless = 0
        while self.missing > 0 and fruitless < _FRUITLESS_BATCHES and self.refusals < _MAX_REFUSALS:
            feasible = np.concatenate([known, *(row[None, :] for row in self.codes)])
            if not len(feasible):
                return
            before = len(self._seen)
            near = self.study.space.mutate_codes(feasible[rng.integers(len(feasible), size=_SAMPLE)], rng)
            self.offer(near)
            # One mutation may lead nowhere new; two reach further, but are feasible more rarely.
            self.offer(self.study.space.mutate_codes(near, rng))
            fruitless = 0 if len(self._seen) > before else fruitless + 1

    def _fill_by_enumeration(self, rng: np.random.Generator) -> None:
        rows = np.concatenate(list(self.study.space.iterate_codes()))
        rows = rows[rng.permutation(len(rows))]
        for start in range(0, len(rows), 4096):
            if self.missing <= 0 or self.refusals >= _MAX_REFUSALS:
                return
            self.offer(rows[start : start + 4096])
