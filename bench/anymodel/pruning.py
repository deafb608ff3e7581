"""The peer's part of the table: Torch-Pruning at its default settings, with a zoo's hints or without.

Source: Fang et al., DepGraph: Towards Any Structural Pruning (arXiv:2301.12900).
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from anymodel.subject import Subject, load_subject, quiet
from gnas.testing.networks import BrokenNetworkError, check_network, form_of

RATIO = 0.5


@dataclass(frozen=True, slots=True)
class Peer:
    """What Torch-Pruning made of one model.

    Attributes:
        error: Why it does not work; empty if it does: asked for half of the channels, it leaves a model that has fewer
            parameters and answers the example with outputs of the same form.
        seconds: From the model to the pruned one.
        share: Of the parameters that are left.
        everywhere: Whether it also runs with another size of input and in training with a backward pass.
    """

    name: str
    error: str = ""
    seconds: float = math.nan
    share: float = math.nan
    everywhere: bool = False


def measure(zoo: ModuleType, name: str, hinted: bool, tell: Callable[[dict[str, object]], None]) -> None:
    """Prunes a model once; `hinted`: with what `hints()` of the zoo knows, layers to leave alone and heads."""
    found = Peer(name, error="killed")
    tell(asdict(found))
    told: list[str] = []
    with quiet(told.append):
        subject = load_subject(zoo, name)
        before = _n_params(subject.model)
        started = time.perf_counter()
        _prune(zoo, name, subject, hinted)
        found = replace(found, seconds=time.perf_counter() - started, share=_n_params(subject.model) / before)
        _works(subject, found.share)
        found = replace(found, error="")
    if told:
        tell(asdict(replace(found, error=told[0])))
        return
    with quiet(told.append):
        check_network(subject.model, subject.calls, subject.forms)
    tell(asdict(replace(found, everywhere=not told)))


def _prune(zoo: ModuleType, name: str, subject: Subject, hinted: bool) -> None:
    pruning = importlib.import_module("torch_pruning")
    model = subject.model
    hints: dict[str, Any] = zoo.hints().get(name, {}) if hinted else {}
    pruner = pruning.pruner.BasePruner(
        model,
        example_inputs=subject.calls[0],
        importance=pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=RATIO,
        ignored_layers=[model.get_submodule(layer) for layer in hints.get("ignore", ())],
        num_heads=hints["heads"](model) if "heads" in hints else {},
        forward_fn=lambda module, call: module(*call[0], **call[1]),
        output_transform=lambda outputs: [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)],
    )
    pruner.step()


def _works(subject: Subject, share: float) -> None:
    args, kwargs = subject.calls[0]
    got, form = form_of(subject.model.eval()(*args, **kwargs)), subject.forms[0, False]
    if got != form:
        raise BrokenNetworkError(f"outputs {got.leaves} and not {form.leaves}")
    if share >= 1:
        raise BrokenNetworkError("nothing was pruned")


def _n_params(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
