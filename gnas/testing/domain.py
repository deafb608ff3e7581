"""Conformance suite for domains: subclass `DomainTestCase` in your tests and say how a small task is made.

class TestMyDomain(DomainTestCase):
    def make_task(self, folder): return DOMAIN.task(..., base=folder, cache=folder / "cache")
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gnas.domain import Batch, Part, ResamplingTask, Task
from gnas.errors import DataError

if TYPE_CHECKING:
    import torch

PARTS: tuple[Part, Part, Part] = ("train", "validation", "test")


class DomainTestCase(ABC):
    """What every task promises the engine."""

    batch_size = 7

    @abstractmethod
    def make_task(self, folder: Path) -> Task:
        """A small task, the same every time; files may be written to `folder`."""

    @abstractmethod
    def make_task_with_other_test_rows(self, folder: Path) -> Task:
        """The same task with the content of its test part changed, and of no other part."""

    @pytest.fixture
    def task(self, tmp_path: Path) -> Task:
        """The task under test."""
        return self.make_task(tmp_path)

    def test_declared_types_are_those_of_batches(self, task: Task) -> None:
        for part in PARTS:
            for batch in task.batches(part, self.batch_size):
                assert tuple(batch.inputs) == tuple(task.inputs)
                _check_shapes(task, batch.inputs)
                assert batch.targets.shape == batch.mask.shape
                assert len(batch.targets) <= self.batch_size

    def test_batches_hold_every_example_once(self, task: Task) -> None:
        for part in PARTS:
            assert sum(len(batch.targets) for batch in task.batches(part, self.batch_size)) == task.size(part)
        ordered = _joined(task.batches("train", self.batch_size))
        shuffled = _joined(task.batches("train", self.batch_size, generator=_generator(1)))
        assert not ordered.equal(shuffled)
        assert ordered.sort(dim=0).values.equal(shuffled.sort(dim=0).values)

    def test_a_generator_decides_the_order(self, task: Task) -> None:
        first, again = (_joined(task.batches("train", self.batch_size, generator=_generator(3))) for _ in range(2))
        assert first.equal(again)

    def test_a_sealed_task_has_no_test_part(self, task: Task) -> None:
        sealed = task.sealed()
        outputs = _joined(task.batches("test", self.batch_size))
        with pytest.raises(DataError):
            sealed.size("test")
        with pytest.raises(DataError):
            next(iter(sealed.batches("test", self.batch_size)))
        with pytest.raises(DataError):
            sealed.score("test", outputs)
        assert sealed.size("train") == task.size("train")

    def test_sealing_removes_bytes(self, task: Task) -> None:
        assert len(pickle.dumps(task.sealed())) < len(pickle.dumps(task))

    def test_a_sealed_task_does_not_depend_on_test_rows(self, task: Task, tmp_path: Path) -> None:
        other = self.make_task_with_other_test_rows(tmp_path)
        changed, same = task.score("test", _zeros(task, "test")), other.score("test", _zeros(other, "test"))
        assert changed != same
        for part in ("train", "validation"):
            ours = list(task.sealed().batches(part, self.batch_size))
            theirs = list(other.sealed().batches(part, self.batch_size))
            assert len(ours) == len(theirs)
            assert all(_equal(a, b) for a, b in zip(ours, theirs, strict=True))

    def test_a_task_is_the_same_after_pickling_and_when_made_again(self, task: Task, tmp_path: Path) -> None:
        for twin in (pickle.loads(pickle.dumps(task)), self.make_task(tmp_path)):
            for part in PARTS:
                pairs = zip(task.batches(part, self.batch_size), twin.batches(part, self.batch_size), strict=True)
                assert all(_equal(a, b) for a, b in pairs)

    def test_merging_joins_validation_to_train(self, task: Task) -> None:
        merged = task.merged()
        assert merged.size("train") == task.size("train") + task.size("validation")
        assert merged.size("test") == task.size("test")

    def test_scores_are_the_metrics_declared(self, task: Task) -> None:
        scores = task.score("validation", _zeros(task, "validation"))
        assert tuple(scores) == tuple(metric.name for metric in task.metrics)

    def test_metrics_of_all_examples_are_those_of_the_part(self, task: Task) -> None:
        if not isinstance(task, ResamplingTask):
            pytest.skip("the task gives no bootstrap intervals")
        import numpy as np
        import torch

        assert len(task.clusters("test")) == task.size("test")
        outputs = torch.randn(_zeros(task, "test").shape, generator=_generator(5))
        score, rows = task.scorer("test", outputs), np.arange(task.size("test"))
        whole = {name: pytest.approx(value, nan_ok=True) for name, value in task.score("test", outputs).items()}
        assert dict(score(rows)) == whole
        assert dict(score(rows[::-1].copy())) == whole
        sealed = task.sealed()
        assert isinstance(sealed, ResamplingTask)
        with pytest.raises(DataError):
            sealed.scorer("test", outputs)

    def test_the_loss_is_a_scalar_that_can_be_differentiated(self, task: Task) -> None:
        batch = next(iter(task.batches("train", self.batch_size)))
        outputs = batch.targets.float().detach().clone().requires_grad_()
        loss = task.loss(outputs, batch, task.recipe)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.ndim == 0 and outputs.grad is not None

    def test_examples_have_the_declared_types(self, task: Task) -> None:
        for n in (1, 3, task.size("train") + 1):
            example = task.example(n)
            assert tuple(example) == tuple(task.inputs)
            _check_shapes(task, example)

    def test_dynamic_axes_are_those_of_the_types(self, task: Task) -> None:
        for name, kind in task.inputs.items():
            named = {axis: size for axis, size in enumerate(kind.shape) if isinstance(size, str)}
            assert dict(task.dynamic_axes()[name]) == named

    def test_the_summary_counts_the_parts(self, task: Task) -> None:
        assert dict(task.summary.parts) == {part: task.size(part) for part in PARTS}


def _check_shapes(task: Task, inputs: Mapping[str, torch.Tensor]) -> None:
    sizes: dict[str, int] = {}
    for name, kind in task.inputs.items():
        tensor = inputs[name]
        assert str(tensor.dtype) == f"torch.{kind.dtype}"
        assert tensor.ndim == len(kind.shape)
        for declared, actual in zip(kind.shape, tensor.shape, strict=True):
            expected = sizes.setdefault(declared, actual) if isinstance(declared, str) else declared
            assert actual == expected, f"{name}: {tuple(tensor.shape)} is not {kind}"


def _generator(seed: int) -> torch.Generator:
    import torch

    return torch.Generator().manual_seed(seed)


def _joined(batches: Iterable[Batch]) -> torch.Tensor:
    import torch

    return torch.cat([batch.targets for batch in batches])


def _zeros(task: Task, part: Part) -> torch.Tensor:
    import torch

    sizes = [size for size in task.output.shape[1:] if isinstance(size, int)]
    assert len(sizes) == len(task.output.shape) - 1
    return torch.zeros(task.size(part), *sizes)


def _equal(a: Batch, b: Batch) -> bool:
    same_inputs = all(a.inputs[name].equal(b.inputs[name]) for name in a.inputs)
    return same_inputs and a.targets.equal(b.targets) and a.mask.equal(b.mask)
