"""A trained model made smaller, with its weights: `shrink`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from gnas.architecture import Architecture
from gnas.autospace.budget import budget_of
from gnas.autospace.from_model import AutoSpace, space_from_model
from gnas.autospace.gated import GatedNetwork
from gnas.autospace.job import Choice, Evaluate, Job, Method, Stage, Train
from gnas.autospace.model_space import OFF, ON
from gnas.autospace.records import DROP, KEEP
from gnas.autospace.redundancy import Redundancy
from gnas.errors import SpaceError


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A model made smaller.

    Attributes:
        module: The sub-network, fine-tuned; a plain module.
        architecture: What it is, in `space`.
        space: The model's space with the trained weights and with channels in the order in which they were kept;
            every number of channels is a choice of it.
        costs: `n_params` and `macs` of the module.
        score: Of the module by `evaluate`.
        history: What was done, in order.
    """

    module: nn.Module
    architecture: Architecture
    space: AutoSpace
    costs: Mapping[str, float]
    score: float
    history: tuple[Stage, ...]


def shrink(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    train: Train,
    evaluate: Evaluate,
    reduce: Mapping[str, float],
    seed: int = 0,
    epochs: int = 8,
    method: Method | None = None,
    timed: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None,
    block: int = 1,
) -> Shrunk:
    """Makes a trained model smaller or faster.

    Args:
        model: The trained model; it is left as it is.
        args: Example inputs given by position.
        kwargs: Example inputs given by name.
        train: `train(module, epochs, seed)` trains in place.
        evaluate: Score of a module, larger is better, on data that is neither trained on nor reported.
        reduce: One budget: `n_params` or `macs` (below 1 a share of the model's, else a number), `latency` (a share of
            the model's) or `latency_ms`.
        seed: Of all that is random.
        epochs: Passes of training in all; about half of them fine-tune what is left.
        method: How to find what is redundant; `Redundancy()` if None.
        timed: Arguments by position and by name on which latency is measured; the example if None.
        block: Where parameters or multiply-accumulates are the budget: widths stay multiples of it as long as there is
            another way. Runtimes compute convolutions of images by blocks of 8 or 16 channels, and odd widths can cost
            more time than they save; a budget of latency finds that out by itself.

    Raises:
        SpaceError: The model cannot be traced, or cannot be made that small.
    """
    if epochs < 3:
        raise SpaceError("too few epochs to find what is redundant", place="epochs", value=epochs, accepted="3 or more")
    timed_args, timed_kwargs = (args, kwargs or {}) if timed is None else timed
    budget = budget_of(reduce, model, (tuple(timed_args), dict(timed_kwargs)), block)
    space = space_from_model(model, args, kwargs)
    gated = GatedNetwork(space.structure)
    job = Job(space, gated, train, evaluate, budget, epochs, seed)
    choice = (method or Redundancy()).choose(job)
    final, architecture = _outcome(space, gated, choice)
    module = final.build(architecture)
    job.run("fine-tune", module, epochs - job.spent, choice.rows, scored=True)
    module.eval()
    score = job.history[-1].score
    return Shrunk(module, architecture, final, final.costs(architecture), score or 0.0, tuple(job.history))


def every_width(space: AutoSpace) -> AutoSpace:
    """The space with every number of channels as a choice, not only parts of the widths."""
    widths = space.structure.widths
    groups = tuple(replace(group, kept=tuple(range(1, group.size + 1))) for group in widths.groups)
    return AutoSpace(replace(space.structure, widths=replace(widths, groups=groups)), space.name)


def _outcome(space: AutoSpace, gated: GatedNetwork, choice: Choice) -> tuple[AutoSpace, Architecture]:
    """The space with trained weights and the order of channels found, and the architecture chosen in it."""
    traced = replace(choice.structure.traced, tensors=gated.tensors())
    final = every_width(AutoSpace(replace(choice.structure, traced=traced), space.name))
    rows, groups = choice.rows, final.groups
    chosen: dict[str, Any] = {u.name: KEEP if k else DROP for u, k in zip(space.units, rows.units[0], strict=True)}
    chosen |= {b.name: ON if k else OFF for b, k in zip(space.bypasses, rows.bypasses[0], strict=True)}
    chosen |= {g.name: int(k) for g, k in zip(groups, rows.widths[0], strict=True)}
    names = {choice.name for choice in final.choices}
    return final, final.decode(final.encode({name: value for name, value in chosen.items() if name in names}))
