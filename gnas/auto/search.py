"""The second half of `gnas auto`: a smaller model for each reduction, with a folder that can be continued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gnas.auto.analysis import Analysis
from gnas.auto.export import export_subnetwork
from gnas.auto.latency import CAREFUL, latency
from gnas.auto.reduction import Reduction
from gnas.auto.replay import Replay, checked
from gnas.auto.results import Outcome, Point, Results, exported_outcome
from gnas.auto.spec import AutoSpec, AutoSpecFile
from gnas.auto.target import call, load_function
from gnas.autospace.shrink import Shrunk, shrink
from gnas.errors import SpecError, StudyError
from gnas.records import from_json, to_json
from gnas.runfolder import write_json, writing

REQUEST, RESULT, CALLS = "request.json", "result.json", "calls"
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """The user's two functions, checked and with scores of which larger ones are better.

    Attributes:
        train: Trains a module in place: `(module, epochs, seed)`.
        evaluate: A score, larger is better.
        sign: What gives the user's number back from a score.
    """

    train: Callable[[nn.Module, int, int], None]
    evaluate: Callable[[nn.Module], float]
    sign: float


def task_of(request: AutoSpecFile) -> Task | None:
    """The task of a spec; None where it names none.

    Raises:
        SpecError: A function cannot be found.
    """
    spec = request.spec
    if spec.train is None or spec.evaluate is None:
        return None
    train, evaluate = (
        load_function(name, folder=request.folder, place=request.place(key))
        for key, name in (("train", spec.train), ("evaluate", spec.evaluate))
    )
    train_name, evaluate_name = spec.train, spec.evaluate
    sign = 1.0 if spec.direction == "maximize" else -1.0

    def trained(module: nn.Module, epochs: int, seed: int) -> None:
        call(train, train_name, module, epochs, seed, what="train")

    def scored(module: nn.Module) -> float:
        was_training = module.training
        module.eval()
        try:
            with torch.no_grad():
                value = call(evaluate, evaluate_name, module, what="evaluate")
        finally:
            module.train(was_training)
        return sign * checked(value, evaluate_name)

    return Task(trained, scored, sign)


def search(analysis: Analysis, request: AutoSpecFile, task: Task, out: Path, told: Told) -> Results:
    """A sub-network for each reduction, exported; what a run before this one finished in `out` is kept.

    Args:
        analysis: The parsed model.
        request: Target, reductions, epochs, seed.
        task: What trains and judges.
        out: The folder.
        told: Gets a line before what takes long.

    Raises:
        StudyError: The folder is of another model or request, or cannot be written.
        SpecError: The user's functions fail.
        SpaceError: The model cannot be made that small.
    """
    if any(t.is_meta for t in analysis.space.structure.traced.tensors.values()):
        raise SpecError(
            "a model on the meta device has no weights to inherit",
            place=request.spec.target,
            remedy="leave out train and evaluate for the coverage report alone, or build the model on the CPU",
        )
    _claim(out, _facts(analysis, request.spec))
    whole = _whole(analysis, task, out, told)
    outcomes = [_outcome(analysis, request.spec, task, reduction, out, told) for reduction in request.reductions]
    return Results(request.spec.metric, request.spec.direction, whole, tuple(outcomes))


def _whole(analysis: Analysis, task: Task, out: Path, told: Told) -> Point:
    """The whole model's score and costs, its score kept."""
    calls = Replay(out / "whole", task.train, task.evaluate)
    if not any((out / "whole").iterdir()):
        told("evaluating the whole model")
    score = calls.evaluate(analysis.space.build(analysis.space.full()).eval())
    costs = {**analysis.space.costs({}), "latency_share": 1.0}
    return Point("whole model", task.sign * score, costs, 0, "whole", "")


def _outcome(analysis: Analysis, spec: AutoSpec, task: Task, reduction: Reduction, out: Path, told: Told) -> Outcome:
    folder = out / reduction.folder
    result = folder / RESULT
    if result.is_file():
        told(f"{reduction}: finished before, kept")
        return from_json(Outcome, result.read_bytes())
    told(f"{reduction}: making a sub-network with {reduction.words}")
    calls = Replay(folder / CALLS, task.train, task.evaluate, lambda line: told(f"{reduction}: {line}"))
    torch.manual_seed(spec.seed)
    model, example = analysis.model, analysis.example
    made = shrink(
        model,
        example.args,
        example.kwargs,
        train=calls.train,
        evaluate=calls.evaluate,
        reduce={reduction.cost: reduction.limit},
        seed=spec.seed,
        epochs=spec.epochs,
    )
    if calls.replayed:
        told(f"{reduction}: {calls.replayed} steps were known from before, {calls.made} were made")
    outcome = _exported(analysis, spec, task, reduction, made, folder, told)
    with writing(result, "the sub-network is written; the same command finishes"):
        write_json(result, to_json(outcome))
    calls.clear()
    return outcome


def _exported(
    analysis: Analysis, spec: AutoSpec, task: Task, reduction: Reduction, made: Shrunk, folder: Path, told: Told
) -> Outcome:
    told(f"{reduction}: writing {folder}")
    network: Any = made.module
    timed = latency(network, analysis.space.build(analysis.space.full()).eval(), analysis.example, CAREFUL)
    costs = {**made.costs, "latency_share": timed.share}
    score = task.sign * made.score
    facts = {
        "model": spec.target,
        "reduction": str(reduction),
        "seed": str(spec.seed),
        spec.metric: f"{score:.6g}",
        "latency": f"{timed.share:.3f} of the whole model's in {timed.runtime} on one thread",
    }
    report = export_subnetwork(
        made.space, made.architecture, network, analysis.model, analysis.example, folder, costs=costs, facts=facts
    )
    return exported_outcome(reduction, made, report, timed, task.sign)


def _facts(analysis: Analysis, spec: AutoSpec) -> dict[str, Any]:
    """What a folder is of; all that a sub-network depends on but the user's functions."""
    return {
        "target": spec.target,
        "space": analysis.space.fingerprint,
        "weights": weights_digest(analysis.model),
        "train": spec.train,
        "evaluate": spec.evaluate,
        "direction": spec.direction,
        "epochs": spec.epochs,
        "seed": spec.seed,
    }


def _claim(out: Path, facts: dict[str, Any]) -> None:
    """The folder is new, or of the same request.

    Raises:
        StudyError: It is of another one.
    """
    path = out / REQUEST
    with writing(out, ""):
        out.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            write_json(path, facts)
            return
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            known = {}
    differing = [key for key, value in facts.items() if not isinstance(known, dict) or known.get(key) != value]
    if differing:
        raise StudyError(
            f"the folder is of another request: {', '.join(differing)} differ{'s' if len(differing) == 1 else ''}",
            place=str(path),
            value=None if not isinstance(known, dict) else {key: known.get(key) for key in differing},
            accepted=str({key: facts[key] for key in differing}),
            remedy="choose another --out" + (", or seed what the factory draws" if differing == ["weights"] else ""),
        )


def weights_digest(model: nn.Module) -> str:
    """BLAKE2b-128 of all tensors' names and bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().reshape(-1).view(torch.uint8)).tobytes())
    return digest.hexdigest()
