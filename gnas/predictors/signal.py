"""How a signal fares in a randomly weighted network with the wiring of a graph: what zero-cost proxies measure.

Several inputs are sent through a stack of copies of the graph, normalised after each op as by batch normalisation, and
a gradient is sent back from the end. Angles between the states of different inputs, and between their gradients, tell
how well a network of this kind keeps inputs apart and how freely it can fit each; so do the patterns of active units.

Sources: Mellor et al., "Neural Architecture Search without Training", ICML 2021, arXiv:2006.04647, equations 1 and 2
(log-determinant of the agreement of activation patterns) and its first version, section 3 (correlation of Jacobians);
Poole et al., "Exponential expressivity in deep neural networks through transient chaos", 2016, arXiv:1606.05340.
Deviations: no data and no network, but narrow random maps shared by all ops, bent by the label of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnas.predictors.flow import KEPT, RandomFlow, passage, rows_of
from gnas.predictors.graphs import Floats, GraphBatch, Singles, Source, read

_ONE, _TOP = np.float32(256.0), np.float32(2.0**14)
_GRADIENT_ONE, _GRADIENT_TOP = np.float32(1024.0), np.float32(2.0**19)
"""States and gradients are whole numbers, as in `gnas.predictors.flow`: sums of so few bits are exact."""

_SPREAD = np.float32(1.0)
"""Added to the spread of a channel over inputs, in units of states."""

_RIDGE = 0.05
_NEAR, _FAR = 0.3, 1.0
_TOLD = 6


@dataclass(frozen=True, slots=True)
class SignalPropagation:
    """How wide, how deep, how often.

    Attributes:
        inputs: How many inputs are sent; the second lies near the first, the fourth not far from the third.
        depth: Copies of the graph in a stack.
        flow: Width of states, how many independent networks are averaged, and their random numbers.
    """

    inputs: int = 16
    depth: int = 5
    flow: RandomFlow = field(default=RandomFlow(dims=12, repetitions=1, seed=1))

    @property
    def width(self) -> int:
        """Number of columns."""
        return 2 * _TOLD * self.depth + 3

    def __call__(self, graphs: GraphBatch, sources: list[tuple[Source, ...]] | None = None) -> Floats:
        """Columns of each graph, `(graph, width)`: after each copy what states tell, then gradients, then patterns."""
        stack = _Stack(self, graphs, graphs.sources() if sources is None else sources)
        told = [_angles(state) for state in stack.forwards()]
        told += [_angles(gradient) for gradient in stack.backwards()]
        return np.concatenate([*told, stack.patterns()], axis=1)

    def starts(self) -> Singles:
        """States that enter the first copy, `(repetition, input, dim)`."""
        flow = self.flow
        x = flow.random("inputs").standard_normal((flow.repetitions, self.inputs, flow.dims))
        x[:, 1] = x[:, 0] + _NEAR * x[:, 1]
        x[:, 3] = x[:, 2] + _FAR * x[:, 3]
        return np.rint(_ONE * x).astype(np.float32)

    def leaving(self) -> Singles:
        """Gradient at the end, the same for all inputs, `(repetition, input, dim)`."""
        flow = self.flow
        v = np.rint(_GRADIENT_ONE * flow.random("gradient").standard_normal((flow.repetitions, 1, flow.dims)))
        return np.repeat(v, self.inputs, axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a copy remembers of a node on the way forwards: active units, and the spread of channels over inputs."""

    active: NDArray[np.bool_]
    spread: Singles


class _Stack:
    """A batch of graphs, each stacked.

    Args:
        signal: What is sent.
        graphs: The graphs.
        sources: What each node reads.
    """

    def __init__(self, signal: SignalPropagation, graphs: GraphBatch, sources: list[tuple[Source, ...]]) -> None:
        self.signal, self.graphs, self.sources = signal, graphs, sources
        self.size, self.n = graphs.labels.shape
        flow = signal.flow
        self.shape = (flow.repetitions, signal.inputs, flow.dims)
        self.factors = flow.table(graphs.table)[0].reshape(-1, flow.repetitions, 1, flow.dims)
        self.maps = [flow.maps(copy) for copy in range(signal.depth)]
        kept = np.array([*(passage(op) for op, _ in graphs.table), 1.0], dtype=np.float32)[graphs.labels]
        start = (graphs.inputs >= self.size).all(axis=1) & graphs.real
        self.changed, self.weak = rows_of((kept == 0.0) & ~start), rows_of((kept > 0.0) & (kept < 1.0) & ~start)
        self.starts, self.ends = rows_of(start), rows_of(graphs.outputs)
        self.tape: list[list[_Passed | None]] = []
        self.agreement = np.zeros((self.n, flow.repetitions, signal.inputs, signal.inputs), dtype=np.float32)
        self.units = np.zeros(self.n)

    def forwards(self) -> list[Singles]:
        """States at the end of each copy, `(graph, repetition, input, dim)`."""
        found, entering = [], np.broadcast_to(self.signal.starts(), (self.n, *self.shape))
        for maps in self.maps:
            state = np.zeros((self.size + 1, self.n, int(np.prod(self.shape))), dtype=np.float32)
            total, passed = np.zeros((self.n, *self.shape), dtype=np.float32), list[_Passed | None]()
            for i, slots in enumerate(self.sources):
                for slot in slots:
                    state[i] += read(state, slot)
                np.clip(state[i], -_TOP, _TOP, out=state[i])
                here = state[i].reshape(self.n, *self.shape)
                if len(self.starts[i]):
                    here[self.starts[i]] = entering[self.starts[i]]
                passed.append(self._through(i, here, maps))
                if len(self.ends[i]):
                    total[self.ends[i]] += here[self.ends[i]]
            entering = np.clip(total, -_TOP, _TOP)
            found.append(entering)
            self.tape.append(passed)
        return found

    def _through(self, i: int, state: Singles, maps: Singles) -> _Passed | None:
        """Sends states through node `i`, in place."""
        changed, weak = self.changed[i], self.weak[i]
        if len(weak):
            state[weak] = np.rint(state[weak] * np.float32(KEPT))
        if not len(changed):
            return None
        entered = state[changed]
        active = entered > 0.0
        signs = 2.0 * active.astype(np.float32) - 1.0
        self.agreement[changed] += signs @ signs.transpose(0, 1, 3, 2)
        self.units[changed] += self.shape[2]
        entered *= active
        entered *= self.factors.take(self.graphs.labels[i][changed], axis=0)
        np.rint(entered, out=entered)
        mixed = np.clip(entered, -4.0 * _TOP, 4.0 * _TOP, out=entered) @ maps
        mixed -= mixed.mean(axis=2, keepdims=True)
        spread = np.sqrt((mixed**2).mean(axis=2, keepdims=True)) + _SPREAD
        state[changed] = np.rint(mixed * (_ONE / spread))
        return _Passed(active, spread)

    def backwards(self) -> list[Singles]:
        """Gradients at the start of each copy, the last copy first, `(graph, repetition, input, dim)`."""
        found, gradient = [], np.broadcast_to(self.signal.leaving(), (self.n, *self.shape))
        for maps, passed in zip(reversed(self.maps), reversed(self.tape), strict=True):
            state = np.zeros((self.size + 1, self.n, int(np.prod(self.shape))), dtype=np.float32)
            flat = state.reshape(-1, state.shape[2])
            total = np.zeros((self.n, *self.shape), dtype=np.float32)
            for i in range(self.size - 1, -1, -1):
                here = state[i].reshape(self.n, *self.shape)
                if len(self.ends[i]):
                    here[self.ends[i]] += gradient[self.ends[i]]
                np.clip(here, -_GRADIENT_TOP, _GRADIENT_TOP, out=here)
                self._back(i, here, maps, passed[i])
                if len(self.starts[i]):
                    total[self.starts[i]] += here[self.starts[i]]
                for slot in self.sources[i]:
                    if isinstance(slot, int):
                        state[slot] += state[i]
                    else:
                        # NOTE: no position is met twice, each being of another graph; the last row is not read.
                        flat[slot] += state[i]
            gradient = np.clip(total, -_GRADIENT_TOP, _GRADIENT_TOP)
            found.append(gradient)
        return found

    def _back(self, i: int, gradient: Singles, maps: Singles, passed: _Passed | None) -> None:
        """Sends gradients back through node `i`, in place; the normalisation counts as a constant scale."""
        changed, weak = self.changed[i], self.weak[i]
        if len(weak):
            gradient[weak] = np.rint(gradient[weak] * np.float32(KEPT))
        if passed is not None:
            left = np.rint(gradient[changed] * (_ONE / passed.spread))
            left = np.clip(left, -_GRADIENT_TOP, _GRADIENT_TOP, out=left) @ maps.transpose(0, 2, 1)
            left *= self.factors.take(self.graphs.labels[i][changed], axis=0)
            left *= passed.active
            gradient[changed] = np.rint(left)

    def patterns(self) -> Floats:
        """Agreement of the active units of different inputs, `(graph, 3)`: log-determinant, of a near pair, mean."""
        share = self.agreement.astype(np.float64) / np.maximum(self.units, 1.0)[:, None, None, None]
        first, second = np.triu_indices(self.shape[1], 1)
        pairs = np.ascontiguousarray(share[..., first, second])
        parts = [_log_determinant(share), share[..., 0, 1], pairs.mean(axis=2)]
        return np.stack([part.mean(axis=1) for part in parts], axis=1)


def _angles(states: Singles) -> Floats:
    """What states `(graph, repetition, input, dim)` tell, averaged over repetitions, `(graph, _TOLD)`.

    Logarithm of their length; cosines of a near and of a farther pair; mean and standard deviation of all cosines;
    log-determinant of the matrix of cosines.
    """
    x = states.astype(np.float64)
    products = x @ x.transpose(0, 1, 3, 2)
    length = np.sqrt(np.diagonal(products, axis1=2, axis2=3))
    there = np.maximum(length, 1e-9)
    cosines = products / (there[..., :, None] * there[..., None, :])
    first, second = np.triu_indices(x.shape[2], 1)
    pairs = np.ascontiguousarray(cosines[..., first, second])
    parts = [
        np.log1p(length.mean(axis=2)),
        cosines[..., 0, 1],
        cosines[..., 2, 3],
        pairs.mean(axis=2),
        pairs.std(axis=2),
        _log_determinant(cosines),
    ]
    return np.stack([part.mean(axis=1) for part in parts], axis=1)


def _log_determinant(matrices: Floats) -> Floats:
    """Of matrices `(…, k, k)`, a ridge added."""
    out: Floats = np.linalg.slogdet(matrices + _RIDGE * np.eye(matrices.shape[-1]))[1]
    return out
