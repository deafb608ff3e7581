"""Warm starts: what a predictor learnt in one space, as a feature of architectures of another.

Two spaces share no choices, but ops, parameters, paths and degrees have the same names in both. A process fitted on the
source's labels with features of graphs alone predicts architectures of the target; its mean becomes one more column of
the target's stack, which learns how far to trust it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gnas.errors import SpaceError
from gnas.predictors.features import extractor_of_space
from gnas.predictors.features_blocks import GraphBlocks
from gnas.predictors.graphs import GraphBatch
from gnas.predictors.kernels import Floats
from gnas.predictors.members import Design, ProcessMember
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian
from gnas.predictors.stack import StackPredictor
from gnas.predictors.stack_report import StackReport
from gnas.predictors.store import StoredPredictor
from gnas.space.protocol import Codes, Space

PRIOR = "prediction of the source"
"""Name of the column that a warm start adds."""


_BLOCKS = ("ops", "shortest", "longest", "number", "passed", "walks", "degrees", "edges", "sizes")
_REFERENCE = 1024
_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class SharedFeatures:
    """Features of graphs of two spaces, each scaled by what is usual in its own space.

    Attributes:
        blocks: What is computed, in the words of the source.
        kept: Columns that vary in both spaces, by block.
        scales: By fingerprint of the space, mean and 1 / (spread · √width) of each column kept.
    """

    blocks: GraphBlocks
    kept: Mapping[str, NDArray[np.intp]]
    scales: Mapping[str, tuple[Vector, Vector]]

    @classmethod
    def of(cls, source: Space, target: Space) -> SharedFeatures:
        """Fitted on fixed random samples of both."""
        blocks = extractor_of_space(source).graph_blocks
        samples = {}
        for space in (source, target):
            codes = space.sample_codes(np.random.default_rng(0), _REFERENCE)
            samples[space.fingerprint] = blocks(GraphBatch.of_codes(space, codes))
        kept = {}
        for name in _BLOCKS:
            varies = [sample[name].std(axis=0) > 1e-9 for sample in samples.values()]
            columns = np.flatnonzero(np.logical_and.reduce(varies))
            if columns.size:
                kept[name] = columns
        width = np.concatenate([np.full(len(c), len(c), dtype=np.float64) for c in kept.values()] or [np.zeros(0)])
        scales = {}
        for fingerprint, sample in samples.items():
            table = _table(sample, kept)
            scales[fingerprint] = table.mean(axis=0), 1.0 / (table.std(axis=0) * np.sqrt(width))
        return cls(blocks, kept, scales)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Columns of each block."""
        ends = np.cumsum([0, *(len(columns) for columns in self.kept.values())]).tolist()
        return tuple(slice(start, end) for start, end in pairwise(ends))

    def features(self, space: Space, codes: Codes) -> Floats:
        """Scaled features of rows of one of the two spaces, `(n, column)`."""
        mean, scale = self.scales[space.fingerprint]
        parts = [np.zeros((0, len(mean)))]
        for start in range(0, len(codes), _CHUNK):
            raw = self.blocks(GraphBatch.of_codes(space, codes[start : start + _CHUNK]))
            parts.append((_table(raw, self.kept) - mean) * scale)
        return np.concatenate(parts)


def _table(raw: Mapping[str, Floats], kept: Mapping[str, NDArray[np.intp]]) -> Floats:
    n = len(next(iter(raw.values())))
    return np.concatenate([np.zeros((n, 0)), *(raw[name][:, columns] for name, columns in kept.items())], axis=1)


class Transfer:
    """The source's view of architectures of a target.

    Args:
        source: Labels of another space.
        target: The space to be predicted.
        seed: Of the fit.

    Raises:
        SpaceError: The two spaces share nothing that varies in both.
    """

    def __init__(self, source: StoredPredictor, target: Space, seed: int) -> None:
        self._shared = SharedFeatures.of(source.space, target)
        if not self._shared.kept:
            raise SpaceError(
                f"spaces {source.space.name} and {target.name} share no op, parameter or path that varies in both",
                place="--warm-start",
                remedy="leave --warm-start out",
            )
        design = self._design(source.space, source.codes)
        self._member = ProcessMember(seed=seed).fit(design, rank_gaussian(source.values))

    def column(self, space: Space, codes: Codes) -> Vector:
        """Predicted rank, `(n,)`, larger where the source's metric would be larger."""
        return self._member.predict(self._design(space, codes))[0]

    def _design(self, space: Space, codes: Codes) -> Design:
        return Design(self._shared.features(space, codes), self._shared.slices, codes)


class WarmStack:
    """A stack with the source's prediction as one more column; without a source, the stack alone.

    Args:
        space: The target space.
        extra: Names of the user's own numeric columns.
        seed: Of everything random inside.
        source: The predictor to start from.
    """

    def __init__(
        self, space: Space, *, extra: tuple[str, ...] = (), seed: int = 0, source: StoredPredictor | None = None
    ) -> None:
        self.space = space
        self._transfer = None if source is None else Transfer(source, space, seed)
        names = extra if source is None else (*extra, PRIOR)
        self._stack = StackPredictor(space, extra=names, seed=seed)

    @property
    def report(self) -> StackReport:
        """What the stack's own cross-validation found."""
        return self._stack.report

    def fit_codes(self, codes: Codes, values: Vector, extra: Floats | None = None) -> Self:
        """Fits on `values`, `(n,)`."""
        self._stack.fit_codes(codes, values, self._columns(codes, extra))
        return self

    def predict_codes(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation, `(n,)` each, in the units of the values."""
        return self._stack.predict_codes(codes, self._columns(codes, extra))

    def interval(self, codes: Codes, level: float, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Ends of the interval that holds a new evaluation with probability `level`, `(n,)` each."""
        return self._stack.interval(codes, level, self._columns(codes, extra))

    def predict_latent(self, codes: Codes, extra: Floats | None = None) -> tuple[Vector, Vector]:
        """Mean and standard deviation on the rank-Gaussian scale of the labels, `(n,)` each."""
        return self._stack.predict_latent(codes, self._columns(codes, extra))

    def interval_of_latent(self, mean: Vector, std: Vector, level: float) -> tuple[Vector, Vector]:
        """As `interval`, from what `predict_latent` gave."""
        return self._stack.interval_of_latent(mean, std, level)

    def _columns(self, codes: Codes, extra: Floats | None) -> Floats | None:
        if self._transfer is None:
            return extra
        prior = self._transfer.column(self.space, codes)[:, None]
        return prior if extra is None else np.concatenate([extra, prior], axis=1)
