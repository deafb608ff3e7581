"""The spec of `gnas auto`: which model, and the task that its sub-networks are trained and judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from gnas.auto.example import Example, placed, read_example
from gnas.auto.reduction import Reduction, read_reduction
from gnas.auto.target import load_subject
from gnas.checking import check
from gnas.errors import SpecError, UserError
from gnas.yamlfile import ManySpecErrors, YamlFile, raise_all, read_yaml


class AutoSpec(BaseModel):
    """A whole spec. Paths are relative to the file.

    Attributes:
        target: Who makes the model: `package.module:factory` or `file.py:factory`.
        example: Example inputs, as `--example` takes them; by default what the factory returns beside the model.
        train: `train(module, epochs, seed)` trains a module in place.
        evaluate: `evaluate(module)` gives one number, on data that is neither trained on nor reported.
        metric: Name of that number.
        direction: Whether larger or smaller numbers are better.
        reduce: What to reduce the model to; a sub-network for each.
        epochs: Passes of training for each sub-network, in all.
        seed: Of all that is random.
        name: Of the run folder where `--out` is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str
    example: str | None = None
    train: str | None = None
    evaluate: str | None = None
    metric: str = "score"
    direction: Literal["maximize", "minimize"] = "maximize"
    reduce: str | tuple[str, ...] = ()
    epochs: int = Field(default=8, ge=3)
    seed: int = Field(default=0, ge=0)
    name: str = "auto"

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.train is None) != (self.evaluate is None):
            raise ValueError("a task needs both: train(module, epochs, seed) and evaluate(module)")
        return self


@dataclass(frozen=True, slots=True)
class AutoSpecFile:
    """A spec as read and checked.

    Attributes:
        spec: The checked spec.
        reductions: Its `reduce`, read.
        file: Where its values stand; None where the spec is made of options.
        folder: Where the files it names are looked for.
        given: Keys whose values come from the command line.
    """

    spec: AutoSpec
    reductions: tuple[Reduction, ...]
    file: YamlFile | None = None
    folder: Path | None = None
    given: frozenset[str] = frozenset()

    def place(self, key: str) -> str:
        """How messages name the place of a value."""
        if self.file is None or key in self.given:
            return "TARGET" if key == "target" else f"--{key}"
        return self.file.place((key,))

    def folder_of(self, key: str) -> Path | None:
        """Where the file of a value is looked for."""
        return None if key in self.given else self.folder

    def subject(self) -> tuple[nn.Module, Example]:
        """The model and its example inputs.

        Raises:
            SpecError: Target or example cannot be used.
        """
        spec = self.spec
        made = load_subject(spec.target, folder=self.folder_of("target"), place=self.place("target"))
        if spec.example is not None:
            example = read_example(
                spec.example, made.model, folder=self.folder_of("example"), place=self.place("example")
            )
        elif made.args is not None or made.kwargs is not None:
            example = placed(Example(made.args or (), dict(made.kwargs or {})), made.model)
        else:
            raise SpecError(
                "no example inputs",
                place=spec.target,
                remedy="give --example 1x3x224x224, or let the factory return (module, args)",
            )
        return made.model, example


def read_auto_spec(
    path: Path,
    *,
    target: str | None = None,
    example: str | None = None,
    reductions: tuple[Reduction, ...] = (),
) -> AutoSpecFile:
    """Reads and checks a spec file; what is given beside it stands in place of what it says.

    Args:
        path: The file.
        target, example: Of the command line; files they name are looked for in the working directory.
        reductions: Likewise.

    Raises:
        SpecError: One message (a line each) for everything wrong in the file.
    """
    file = read_yaml(path)
    values = dict(file.values) if target is None else {**file.values, "target": target}
    spec, complaints = check(AutoSpec, values, file)
    errors: list[UserError] = list(complaints)
    raise_all(errors)
    if spec is None:
        raise ManySpecErrors(errors)
    found = reductions or _reductions(spec, file)
    if not found and spec.train is not None:
        found = (Reduction("n_params", 0.5, relative=True),)
    spec = spec if example is None else spec.model_copy(update={"example": example})
    given = frozenset(key for key, value in (("target", target), ("example", example)) if value is not None)
    return AutoSpecFile(spec, tuple(dict.fromkeys(found)), file, path.parent, given)


def _reductions(spec: AutoSpec, file: YamlFile) -> tuple[Reduction, ...]:
    """Those of the file.

    Raises:
        SpecError: One message for all that cannot be read.
    """
    alone = isinstance(spec.reduce, str)
    texts = (spec.reduce,) if isinstance(spec.reduce, str) else spec.reduce
    found: list[Reduction] = []
    errors: list[UserError] = []
    for i, text in enumerate(texts):
        try:
            found.append(read_reduction(text, place=file.place(("reduce",) if alone else ("reduce", i))))
        except SpecError as error:
            errors.append(error)
    raise_all(errors)
    return tuple(found)
