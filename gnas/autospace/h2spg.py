"""H2SPG, the hierarchical half-space projected gradient, as a method of `shrink`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gnas.autospace.budget import CountedBudget
from gnas.autospace.cut import Removal
from gnas.autospace.gated import Column, GatedNetwork
from gnas.autospace.job import Choice, Job
from gnas.autospace.segments import Segments
from gnas.autospace.walk import ranked, whole
from gnas.errors import SpaceError


class Saliency:
    """Sums of squares of weights and gradients and of their products, by group, over the steps of training."""

    def __init__(self, network: GatedNetwork, segments: Segments) -> None:
        self._network, self._segments = network, segments
        self._dot: dict[str, Tensor] = {}
        self._gradient: dict[str, Tensor] = {}
        self._weight: dict[str, Tensor] = {}
        self.steps = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While open, every backward counts."""
        handles = [
            parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                lambda p, name=name: self._add(name, p)
            )
            for name, parameter in self._network.named_parameters()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _add(self, name: str, parameter: Tensor) -> None:
        if parameter.grad is None:
            return
        weight, gradient = parameter.detach(), parameter.grad.detach()
        found = ((self._dot, weight * gradient), (self._gradient, gradient.square()), (self._weight, weight.square()))
        for sums, value in found:
            sums[name] = sums[name] + value if name in sums else value

    def redundancy(self) -> tuple[Column, Column]:
        """Of classes and of units, larger for what is more redundant.

        The cosine between the direction of descent and that to zero, less the magnitude relative to the mean one.

        Raises:
            RuntimeError: No gradient was seen.
        """
        if not self._dot:
            raise RuntimeError("training made no backward in training mode")
        dots, gradients, weights = (self._segments.sums(s) for s in (self._dot, self._gradient, self._weight))
        counts = self._segments.sums({name: torch.ones_like(value) for name, value in self._weight.items()})
        scores = []
        for dot, gradient, weight, count in zip(dots, gradients, weights, counts, strict=True):
            cosine = dot / np.sqrt(np.maximum(gradient * weight, 1e-300))
            magnitude = np.sqrt(weight / np.maximum(count, 1.0))
            mean = float(magnitude[count > 0].mean()) if (count > 0).any() else 1.0
            scores.append(cosine - magnitude / max(mean, 1e-300))
        return scores[0], scores[1]


@dataclass(frozen=True, slots=True)
class H2SPG:
    """Warm-up, a hierarchical choice of redundant groups, half-space projection of them while the rest trains.

    Groups are channels and segments; only segments with weights are candidates. From the most redundant one on, a group
    is accepted if all outputs stay alive and no width runs empty, until the budget is kept.

    Attributes:
        warm_up: Epochs before the choice.
        projecting: Epochs of projection; None takes what leaves half of all epochs to the fine-tune.
        epsilon: Of the half-space: a group whose new value has less than this part of the old one's square in its
            direction is set to zero.

    Source: Chen et al., arXiv 2305.18030, algorithm 2 and section 3.3, and the half-space step of OTOv2 (arXiv
        2303.06862), section 3.3. Deviations: the trainer's optimiser instead of SGD; the pull to zero is a linear
        decrease of the norm over the steps of projection instead of a fixed penalty; a budget of costs instead of a
        number of groups; validity by the circuit of liveness instead of connectivity.
    """

    warm_up: int = 1
    projecting: int | None = None
    epsilon: float = 0.0

    def choose(self, job: Job) -> Choice:
        """See `Method`.

        Raises:
            SpaceError: The budget is none of parameters or multiply-accumulates, or no choice keeps it.
        """
        if not isinstance(job.budget, CountedBudget):
            raise SpaceError("H2SPG needs a budget that is counted", place="reduce", accepted="n_params or macs")
        segments = Segments.of(job.space.structure)
        saliency = Saliency(job.gated, segments)
        with saliency.listening():
            job.run("warm-up", job.gated, self.warm_up, whole(job.space))
        choice = _chosen(job, job.budget, segments, *saliency.redundancy())
        rows = choice.rows
        removal = choice.structure.removal(rows.units[0], rows.bypasses[0], rows.widths[0])
        epochs = max(1, job.epochs // 2 - self.warm_up) if self.projecting is None else self.projecting
        steps = epochs * max(1, job.gated.steps // self.warm_up)
        handle = job.gated.register_forward_pre_hook(HalfSpace(job.gated, segments, removal, steps, self.epsilon))
        try:
            job.run("half-space projection", job.gated, epochs, rows, scored=True)
        finally:
            handle.remove()
        job.gated.close(removal, 0)
        return choice


def _chosen(job: Job, budget: CountedBudget, segments: Segments, classes: Column, units: Column) -> Choice:
    """The most redundant groups one by one, each only where what is left is a network."""
    space, rows = job.space, whole(job.space)
    structure = ranked(space.structure, -classes, rows)
    candidates = [(float(units[k]), 0, k) for k in space.decisions.open if segments.units[k]]
    for group, (members, order) in enumerate(zip(structure.widths.members, structure.widths.order, strict=True)):
        candidates += [(float(score), 1, group) for score in classes[members[order]][1:]]
    for _, kind, place in sorted(candidates, key=lambda candidate: -candidate[0]):
        if budget.kept(space, rows):
            break
        if kind:
            rows.widths[0, place] -= 1
            continue
        rows.units[0, place] = False
        if not space.liveness.valid(rows.units)[0]:
            rows.units[0, place] = True
    if not budget.kept(space, rows):
        raise SpaceError("the model cannot be made that small", place="reduce", accepted="a larger budget")
    return Choice(structure, rows)


class HalfSpace:
    """Before each forward in training: what the last step of the optimiser made of redundant groups is projected.

    Args:
        network: The whole model.
        segments: Where groups lie.
        removal: What is redundant.
        steps: Forwards until all of it is zero.
        epsilon: See `H2SPG`.
    """

    def __init__(self, network: GatedNetwork, segments: Segments, removal: Removal, steps: int, epsilon: float) -> None:
        self._network, self._segments, self._removal = network, segments, removal
        self._left, self._epsilon = steps, epsilon
        parameters = dict(network.named_parameters())
        self._masks = {
            name: torch.from_numpy(mask)
            for name, parameter in parameters.items()
            if (mask := segments.mask(name, tuple(parameter.shape), removal)).any()
        }
        self._old = {name: parameters[name].detach().clone() for name in self._masks}
        self._lost = (~removal.classes, ~removal.units)

    def __call__(self, module: nn.Module, args: object) -> None:
        """One projection."""
        del args
        if not (module.training and torch.is_grad_enabled()):
            return
        parameters = dict(self._network.named_parameters())
        with torch.no_grad():
            shrunk = 1.0 - 1.0 / max(self._left, 1)
            for name, mask in self._masks.items():
                parameters[name][mask] *= shrunk
            self._left = max(0, self._left - 1)
            outside = self._outside({name: parameters[name] for name in self._masks})
            for name, mask in self._masks.items():
                parameters[name][mask & outside[name]] = 0.0
                self._old[name].copy_(parameters[name])

    def _outside(self, new: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights whose group left its half-space."""
        along = self._segments.sums({name: new[name] * self._old[name] for name in new})
        squares = self._segments.sums({name: self._old[name].square() for name in new})
        gone = [a < self._epsilon * s for a, s in zip(along, squares, strict=True)]
        classes, units = (g & lost for g, lost in zip(gone, self._lost, strict=True))
        removal = Removal(~units, self._removal.bypasses, ~classes)
        return {
            name: torch.from_numpy(self._segments.mask(name, tuple(value.shape), removal))
            for name, value in new.items()
        }
