"""Calls of the user's `train` and `evaluate` kept on disk, so that a search that was killed goes on where it was.

What makes a model smaller is a function of what these calls do: which tensors a training leaves, which gradients of
gates it shows, which score an evaluation gives. Each finished call is written down before the next begins; started
again, the search gets what is written down until there is no more, and goes on as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten, treespec_dumps, treespec_loads

from gnas.auto.target import first_line
from gnas.autospace.gated import GatedNetwork, Listener, Pull
from gnas.autospace.redundancy import Redundancy
from gnas.errors import SpecError
from gnas.runfolder import write_bytes, writing

Train = Callable[[nn.Module, int, int], None]
Evaluate = Callable[[nn.Module], float]
_PULLS = ("classes", "units", "bypasses")
_BATCHES = Redundancy().batches


class Replay:
    """`train` and `evaluate` that remember.

    Args:
        folder: Where calls are kept.
        train: See `gnas.autospace.shrink`.
        evaluate: Likewise.
        told: Gets a line before each training.

    Attributes:
        replayed: Calls that were answered from the folder.
        made: Calls that were carried out.
    """

    def __init__(
        self, folder: Path, train: Train, evaluate: Evaluate, told: Callable[[str], None] = lambda line: None
    ) -> None:
        self._folder, self._train, self._evaluate, self._told = folder, train, evaluate, told
        self._number = 0
        self.replayed = self.made = 0
        with writing(folder, ""):
            folder.mkdir(parents=True, exist_ok=True)

    def train(self, module: nn.Module, epochs: int, seed: int) -> None:
        """Trains in place, or puts back what the same training left before."""
        path = self._next("train", module)
        if path.is_file():
            self._restore(module, path)
            return
        self._told(f"step {self._number}: training for {epochs} {'epoch' if epochs == 1 else 'epochs'}")
        pulls: list[Pull] = []
        steps, inner = _steps(module), getattr(module, "listener", None)
        if isinstance(module, GatedNetwork) and inner is not None:
            module.listener = _both(pulls.append, inner)
        _seed_all(seed)
        try:
            self._train(module, epochs, seed)
        finally:
            if isinstance(module, GatedNetwork):
                module.listener = inner
        content = {f"tensor.{name}": tensor.detach().cpu().contiguous().clone() for name, tensor in _tensors(module)}
        content |= {
            f"pull.{key}": torch.from_numpy(np.stack([getattr(pull, key) for pull in pulls])) for key in _PULLS if pulls
        }
        content["steps"] = torch.tensor(_steps(module) - steps)
        if isinstance(module, GatedNetwork):
            for k, batch in enumerate(list(module.recent)[-_BATCHES:]):
                content |= {f"batch.{k}.{name}": tensor for name, tensor in _packed(batch).items()}
        self._write(path, content)

    def evaluate(self, module: nn.Module) -> float:
        """The score of a module, or what the same evaluation gave before."""
        path = self._next("evaluate", module)
        if path.is_file():
            self.replayed += 1
            return float(load(path.read_bytes())["score"])
        _seed_all(0)
        value = self._evaluate(module)
        self._write(path, {"score": torch.tensor(value, dtype=torch.float64)})
        return value

    def clear(self) -> None:
        """Forgets all calls: what they led to is kept elsewhere."""
        for path in self._folder.glob("*.safetensors"):
            path.unlink()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _next(self, kind: str, module: nn.Module) -> Path:
        """The file of the next call; its name tells what is called on what."""
        shapes = "\n".join(f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in _tensors(module))
        closing = module.closing() if isinstance(module, GatedNetwork) else b""
        digest = hashlib.blake2b(f"{kind}\n{shapes}".encode() + closing, digest_size=4).hexdigest()
        start = f"{self._number:04d}-"
        self._number += 1
        path = self._folder / f"{start}{kind}-{digest}.safetensors"
        if any(p != path for p in self._folder.glob(f"{start}*.safetensors")):
            # A decision fell differently (latency was measured anew): what came after it is no use.
            for stale in sorted(self._folder.glob("*.safetensors")):
                if stale.name >= start:
                    stale.unlink()
        return path

    def _write(self, path: Path, content: dict[str, Tensor]) -> None:
        with writing(path, "everything finished is kept"):
            write_bytes(path, save(content))
        self.made += 1

    def _restore(self, module: nn.Module, path: Path) -> None:
        content = load(path.read_bytes())
        with torch.no_grad():
            for name, tensor in _tensors(module):
                tensor.copy_(content[f"tensor.{name}"])
        if isinstance(module, GatedNetwork):
            module.steps += int(content["steps"])
            batches = {key.split(".")[1] for key in content if key.startswith("batch.")}
            module.recent.extend(_unpacked(content, f"batch.{k}.") for k in sorted(batches, key=int))
            if module.listener is not None and f"pull.{_PULLS[0]}" in content:
                columns: list[Any] = [content[f"pull.{key}"].numpy() for key in _PULLS]
                for row in zip(*columns, strict=True):
                    module.listener(Pull(*row))
        self.replayed += 1


def checked(value: object, name: str) -> float:
    """A score as a number.

    Raises:
        SpecError: It is none, or not finite.
    """
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise SpecError(
            "evaluate does not return a number", place=name, value=type(value).__name__, accepted="one number"
        ) from None
    if not np.isfinite(found):
        raise SpecError("evaluate returns no finite number", place=name, value=found)
    return found


Batch = tuple[tuple[Any, ...], dict[str, Any]]


def _packed(batch: Batch) -> dict[str, Tensor]:
    """Arguments of a call as named tensors; their structure and what is no tensor as bytes of JSON.

    Raises:
        SpecError: An argument is neither a tensor nor a plain value.
    """
    leaves, structure = tree_flatten(batch)
    plain = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    try:
        text = json.dumps([treespec_dumps(structure), tensors, plain])
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SpecError(
            f"train calls the model with arguments that cannot be kept ({first_line(error)})",
            place="train",
            accepted="tensors, numbers and texts, in tuples, lists and mappings",
        ) from error
    content = {str(i): leaves[i].detach().cpu().contiguous().clone() for i in tensors}
    return {**content, "structure": torch.tensor(list(text.encode()), dtype=torch.uint8)}


def _unpacked(content: Mapping[str, Tensor], start: str) -> Batch:
    text = bytes(content[f"{start}structure"].tolist()).decode()
    structure, tensors, leaves = json.loads(text)
    for i in tensors:
        leaves[i] = content[f"{start}{i}"]
    batch: Batch = tree_unflatten(leaves, treespec_loads(structure))
    return batch


def _both(first: Listener, second: Listener) -> Listener:
    def told(pull: Pull) -> None:
        first(pull)
        second(pull)

    return told


def _steps(module: nn.Module) -> int:
    return module.steps if isinstance(module, GatedNetwork) else 0


def _seed_all(seed: int) -> None:
    """A training must not depend on what was drawn before it: then it may be left out when it is known."""
    torch.manual_seed(seed)
    np.random.seed(seed % (1 << 32))  # noqa: NPY002 — the user's code may use it
    random.seed(seed)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
